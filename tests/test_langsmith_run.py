"""What a LangSmith run did, whoever wrapped the client: shapes of inputs and outputs, agents and hand-offs."""

from typing import Any

import pytest

from tracer.collectors import langsmith_run
from tracer.records import Span


def run(kind: str, name: str = "r", **found: Any) -> Span:
    """A run as a span (`__` for a dot)."""
    attributes = {"langsmith.span.kind": kind, **{key.replace("__", "."): value for key, value in found.items()}}
    return Span(trace_id="t", span_id="s", name=name, started_ns=1, ended_ns=2, attributes=attributes)


@pytest.mark.parametrize(
    ("inputs", "outputs", "asked", "said"),
    [
        ({"prompts": ["Hi"]}, {"generations": [[{"text": "Yo"}]]}, ["Hi"], ["Yo"]),
        ({"messages": [{"role": "user", "content": "Hi"}]},
         {"choices": [{"message": {"role": "assistant", "content": "Yo"}}]}, ["Hi"], ["Yo"]),
        ({"input": "Hi"}, {"output": "Yo"}, ["Hi"], ["Yo"]),
        ({"input": [{"role": "user", "content": "Hi"}], "instructions": "Brief."},
         {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yo"}]}]},
         ["Brief.", "Hi"], ["Yo"]),
        ({"system": "Brief.", "messages": [{"role": "user", "content": "Hi"}]},
         {"role": "assistant", "content": [{"type": "text", "text": "Yo"}]}, ["Brief.", "Hi"], ["Yo"]),
        ({"text": "Hi"}, {"answer": "Yo"}, ["Hi"], ["Yo"]),
        ({"x": 1}, {}, ['{"x":1}'], []),
    ],
)  # fmt: skip
def test_every_clients_request_and_reply_is_read(inputs: Any, outputs: Any, asked: list[str], said: list[str]) -> None:
    """OpenAI chat and Responses, Anthropic, LangChain's results, and functions of one's own."""
    activity = langsmith_run.activity(run("llm", langsmith__inputs=inputs, langsmith__outputs=outputs))
    assert activity is not None
    assert [message.text for message in activity.inputs] == asked
    assert [message.text for message in activity.outputs] == said


@pytest.mark.parametrize(
    ("span", "agent"),
    [
        (run("chain", "research_agent"), "research_agent"),
        (run("chain", "SupervisorAgent"), "SupervisorAgent"),
        (run("chain", "Triage", langsmith__invocation_params={"handoffs": [], "tools": []}), "Triage"),
        (run("chain", "planner", langsmith__metadata={"lc_agent_name": "planner"}), "planner"),
        (run("chain", "agent"), None),
        (run("chain", "LangGraph"), None),
        (run("chain", "RunnableSequence"), None),
        (run("prompt", "my_prompt"), None),
    ],
)
def test_a_chain_is_an_agent_only_where_it_says_so(span: Span, agent: str | None) -> None:
    """Most chains are plumbing."""
    activity = langsmith_run.activity(span)
    assert (activity.agent if activity else None) == agent


def test_a_hand_off_of_the_agents_sdk() -> None:
    """A chain with the two names as its inputs."""
    activity = langsmith_run.activity(run("chain", "Handoff", langsmith__inputs={"from_agent": "a", "to_agent": "b"}))
    assert activity is not None
    assert activity.call is not None
    assert (activity.kind, activity.agent, activity.call.handoff_to) == ("tool", "a", "b")


def test_a_retriever_answers_with_its_documents() -> None:
    """As plain objects or as LangChain dumps them."""
    pages = [{"page_content": "Oslo"}, {"lc": 1, "type": "constructor", "kwargs": {"page_content": "Bergen"}}]
    activity = langsmith_run.activity(run("retriever", "search", langsmith__outputs={"documents": pages}))
    assert activity is not None
    assert activity.result is not None
    assert activity.result.content == "Oslo\n\nBergen"


def test_what_the_sdk_sends_as_opentelemetry_is_read_too() -> None:
    """Inputs and outputs as JSON text under `gen_ai.prompt` and `gen_ai.completion`, metadata one key each."""
    span = run(
        "llm",
        gen_ai__operation__name="chat",
        gen_ai__prompt='{"messages": [{"role": "user", "content": "Hi"}]}',
        gen_ai__completion='{"generations": [[{"text": "Yo"}]]}',
        gen_ai__usage__input_tokens=3,
        langsmith__metadata__langgraph_checkpoint_ns="planner:1",
        langsmith__metadata__ls_model_name="m",
    )
    activity = langsmith_run.activity(span)
    assert activity is not None
    assert (activity.inputs[0].text, activity.outputs[0].text) == ("Hi", "Yo")
    assert (activity.agent, activity.model, activity.input_tokens) == ("planner", "m", 3)
