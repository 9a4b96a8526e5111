"""Which agent a node of a LangGraph is."""

from typing import Any

import pytest

from tracer.collectors.langgraph_node import node_agent, telling_agent


@pytest.mark.parametrize(
    ("metadata", "agent", "telling"),
    [
        ({"langgraph_checkpoint_ns": "researcher:1|agent:2"}, "researcher", "researcher"),
        ({"langgraph_checkpoint_ns": "team:1|researcher:2|tools:3"}, "researcher", "researcher"),
        ({"langgraph_checkpoint_ns": "agent:1"}, "agent", None),
        ({"langgraph_checkpoint_ns": "tools:1"}, None, None),
        ({"checkpoint_ns": "planner:1"}, "planner", "planner"),
        ({"lc_agent_name": "boss", "langgraph_checkpoint_ns": "model:1"}, "boss", "boss"),
        ({}, None, None),
        ({"langgraph_checkpoint_ns": 3}, "3", "3"),
    ],
)
def test_the_innermost_node_that_names_somebody_is_the_agent(
    metadata: dict[str, Any], agent: str | None, telling: str | None
) -> None:
    """The steps of an agent's own loop name nobody, but `agent` is better than nothing."""
    assert (node_agent(metadata), telling_agent(metadata)) == (agent, telling)
