"""Which convention reads a span, where several could."""

from typing import Any

import pytest

from tracer.collectors.conventions import CONVENTIONS
from tracer.collectors.span_tree import DIALECTS
from tracer.records import Span


def reader(**found: Any) -> str:
    """The convention that calls a span with these attributes its own."""
    span = Span(trace_id="t", span_id="s", attributes={key.replace("__", "."): value for key, value in found.items()})
    return next(name for name, each in DIALECTS.items() if each.ours(span))


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ({"openinference__span__kind": "LLM", "gen_ai__operation__name": "chat"}, "openinference"),
        ({"openinference__span__kind": "CHAIN", "traceloop__span__kind": "task"}, "openllmetry"),
        ({"traceloop__span__kind": "tool", "gen_ai__operation__name": "execute_tool"}, "openllmetry"),
        ({"gen_ai__prompt__0__role": "user"}, "openllmetry"),
        ({"agentops__span__kind": "llm"}, "openllmetry"),
        ({"gcp__vertex__agent__llm_request": "{}", "gen_ai__request__model": "m"}, "adk"),
        ({"pydantic_ai__all_messages": "[]", "gen_ai__operation__name": "invoke_agent"}, "pydantic_ai"),
        ({"langfuse__observation__type": "GENERATION", "openinference__span__kind": "LLM"}, "langfuse"),
        ({"langsmith__span__kind": "llm", "gen_ai__operation__name": "chat"}, "langsmith"),
        ({"openai_agents__type": "function"}, "openai_agents"),
        ({"gen_ai__operation__name": "chat"}, "gen_ai"),
        ({"http__method": "GET"}, "gen_ai"),
    ],
)
def test_the_specific_reads_before_the_general(found: dict[str, Any], name: str) -> None:
    """A vendor keeps the original attributes, so it is asked first; GenAI is asked last."""
    assert reader(**found) == name


def test_the_general_convention_comes_last() -> None:
    """It calls every span its own."""
    assert list(CONVENTIONS)[-1] == list(DIALECTS)[-1] == "gen_ai"
