"""Which agent a LangGraph node is, by the metadata that LangChain's callbacks carry from node to node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracer.collectors.activity import text_of

LOOP = frozenset(
    {"agent", "model", "tools", "tool", "call_model", "call_tools", "__start__", "__end__", "model_request"}
)
"""Node names that say what a node does in an agent's own loop, not who the agent is."""
UNNAMED = frozenset({"LangGraph", "RunnableSequence", "AgentExecutor", "CompiledStateGraph"})
"""What a graph is called when nobody gave it a name."""


def node_agent(metadata: Mapping[str, Any]) -> str | None:
    """The innermost node of `researcher:uuid|agent:uuid` that names an agent, else the agent's own loop."""
    if named := telling_agent(metadata):
        return named
    path = _path(metadata)
    return text_of(path[-1]) if path[0] == "agent" else None


def telling_agent(metadata: Mapping[str, Any]) -> str | None:
    """The same, but None where only the loop is named: what is around it may know better."""
    if named := text_of(metadata.get("lc_agent_name")):
        return named
    telling = [node for node in _path(metadata) if node and node not in LOOP]
    return telling[-1] if telling else None


def _path(metadata: Mapping[str, Any]) -> list[str]:
    namespace = metadata.get("langgraph_checkpoint_ns") or metadata.get("checkpoint_ns") or ""
    return [part.partition(":")[0] for part in str(namespace).split("|")]
