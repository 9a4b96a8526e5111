"""Spans of one or many traces become runs: each thing once, in order, whatever the order of arrival."""

import io
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from tracer.collectors import otel_python, otlp
from tracer.collectors.container import open_containers
from tracer.collectors.spans import runs_from_spans
from tracer.records import Recording, Span

TRACE = "0" * 31 + "1"


def span(name: str, parent: str | None = None, at: tuple[int, int | None] = (0, 0), **attributes: Any) -> Span:
    """A span whose id is its name; times in seconds. `a__b` in a keyword stands for `a.b`."""
    start, end = at
    fields = {key: attributes.pop(key) for key in tuple(attributes) if key in Span.model_fields}
    return Span(
        **{
            "trace_id": TRACE,
            "span_id": name,
            "parent_id": parent,
            "name": name,
            "started_ns": start * 10**9 + 10**9,
            "ended_ns": None if end is None else end * 10**9 + 10**9,
            "attributes": {key.replace("__", "."): value for key, value in attributes.items()},
            **fields,
        }
    )


def say(role: str, content: str) -> dict[str, Any]:
    """A message of one text part."""
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def ask(name: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    """An assistant's message of one tool call."""
    return {"role": "assistant", "parts": [{"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}]}


def got(call_id: str, content: str) -> dict[str, Any]:
    """A tool's answer in a history."""
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": call_id, "response": content}]}


def llm(
    name: str, parent: str | None, at: tuple[int, int | None], history: Sequence[Any], *out: Any, **attributes: Any
) -> Span:
    """A model call with its whole history and what it put out."""
    more = {"gen_ai__operation__name": "chat", "gen_ai__input__messages": list(history)}
    return span(name, parent, at, **more, gen_ai__output__messages=list(out), **attributes)


def tool(name: str, parent: str | None, at: tuple[int, int | None], what: str, call_id: str, **attributes: Any) -> Span:
    """The execution of a tool."""
    more = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": what, "gen_ai__tool__call__id": call_id}
    return span(name, parent, at, **more, **attributes)


def agent(name: str, parent: str | None, at: tuple[int, int | None], **attributes: Any) -> Span:
    """An agent's span, named like the agent."""
    return span(name, parent, at, gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name, **attributes)


def one(spans: Sequence[Span]) -> Recording:
    """The only run in these spans."""
    ((recording, _),) = runs_from_spans(spans)
    return recording


def told(spans: Sequence[Span]) -> list[tuple[str, str, str]]:
    """Each step of the only run as (agent, kind, content or the tool that is called)."""
    return [(step.agent, step.kind, step.content or step.tool or "") for step in one(spans).steps]


QUESTION = say("user", "Fare to Oslo in USD?")
NESTED = [
    agent("boss", None, (0, 20)),
    llm("l1", "boss", (1, 2), [QUESTION], ask("researcher", "b1", task="Fare to Oslo?")),
    tool("t1", "boss", (3, 10), "researcher", "b1", gen_ai__tool__call__result="420 EUR"),
    agent("researcher", "t1", (4, 9)),
    llm("l2", "researcher", (4, 5), [say("user", "Fare to Oslo?")], ask("get_fare", "r1", city="Oslo")),
    tool("t2", "researcher", (6, 7), "get_fare", "r1", gen_ai__tool__call__result="fare: 420 EUR"),
    llm(
        "l3",
        "researcher",
        (8, 9),
        [say("user", "Fare to Oslo?"), ask("get_fare", "r1", city="Oslo"), got("r1", "fare: 420 EUR")],
        say("assistant", "420 EUR"),
    ),
    llm(
        "l4",
        "boss",
        (11, 12),
        [QUESTION, ask("researcher", "b1", task="Fare to Oslo?"), got("b1", "420 EUR")],
        say("assistant", "500 USD."),
    ),
    span("http", "l4", (11, 12), http__request__method="POST"),
]
NESTED_STEPS = [
    ("user", "message", "Fare to Oslo in USD?"),
    ("boss", "tool_call", "researcher"),
    ("researcher", "tool_call", "get_fare"),
    ("get_fare", "tool_result", "fare: 420 EUR"),
    ("researcher", "message", "420 EUR"),
    ("researcher", "tool_result", "420 EUR"),
    ("boss", "message", "500 USD."),
]


def test_an_agent_inside_a_tool_is_told_once() -> None:
    """What the tool's argument says is not said again by a user; the histories add nothing."""
    assert told(NESTED) == NESTED_STEPS


def test_what_the_log_declares_becomes_parents() -> None:
    """Calls lead into the agent that works inside them; its last word leads to the result; answers to questions."""
    assert [step.parents for step in one(NESTED).steps] == [(), (0,), (1,), (2,), (3,), (1, 4), (5,)]


@given(st.permutations(NESTED))
@settings(max_examples=40, deadline=None)
def test_any_order_of_arrival_gives_the_same_run(spans: list[Span]) -> None:
    """The store calls again whenever more spans arrive, from any file."""
    assert runs_from_spans(spans) == runs_from_spans(NESTED)


@given(st.integers(0, len(NESTED)))
@settings(max_examples=10, deadline=None)
def test_a_run_keeps_its_address_while_spans_arrive(cut: int) -> None:
    """The address comes from the trace, not from what has arrived of it."""
    ids = {recording.run.id for recording, _ in [*runs_from_spans(NESTED[:cut]), *runs_from_spans(NESTED)]}
    assert len(ids) == 1


def test_a_long_conversation_grows_by_what_is_new_only() -> None:
    """Fifty calls that each carry all that went before: 100 steps, not 2,550."""
    history: list[Any] = []
    spans = [agent("a", None, (0, 1000))]
    for turn in range(50):
        history.append(say("user", f"question {turn}"))
        answer = say("assistant", f"answer {turn}")
        spans.append(llm(f"l{turn}", "a", (2 * turn, 2 * turn + 1), history, answer, gen_ai__usage__input_tokens=turn))
        history.append(answer)
    steps = one(spans).steps
    assert len(steps) == 100
    assert sum(step.input_tokens or 0 for step in steps) == sum(range(50))


def test_the_same_words_said_again_are_a_new_step() -> None:
    """The user says yes twice in one history; the model answers the same twice."""
    yes, done = say("user", "yes"), say("assistant", "Done.")
    spans = [llm("l1", None, (0, 1), [yes], done), llm("l2", "l0", (2, 3), [yes, done, yes], done)]
    assert [content for _, _, content in told(spans)] == ["yes", "Done.", "yes", "Done."]


def test_agents_in_parallel_keep_their_own_histories() -> None:
    """Two agents work at the same time on the same question; their steps interleave by time."""
    spans = [agent("root", None, (0, 10)), agent("a", "root", (0, 9)), agent("b", "root", (0, 9))]
    spans += [
        llm("a1", "a", (0, 2), [QUESTION], ask("f", "call_0", x=1)),
        llm("b1", "b", (0, 3), [QUESTION], ask("f", "call_0", x=2)),
        tool("ta", "a", (4, 6), "f", "call_0", gen_ai__tool__call__result="one"),
        tool("tb", "b", (4, 5), "f", "call_0", gen_ai__tool__call__result="two"),
        llm("a2", "a", (7, 8), [QUESTION, ask("f", "call_0", x=1), got("call_0", "one")], say("assistant", "A")),
        llm("b2", "b", (7, 9), [QUESTION, ask("f", "call_0", x=2), got("call_0", "two")], say("assistant", "B")),
    ]
    recording = one(spans)
    found = [(step.agent, step.content or step.arguments, step.parents) for step in recording.steps]
    assert found == [
        ("user", "Fare to Oslo in USD?", ()),
        ("a", '{"x":1}', (0,)),
        ("b", '{"x":2}', (0,)),
        ("f", "two", (2,)),
        ("f", "one", (1,)),
        ("a", "A", (4,)),
        ("b", "B", (3,)),
    ]


def test_nested_model_calls_count_their_tokens_once() -> None:
    """An agent kit around a framework around a client: three spans with equal usage, one call."""
    usage = {"gen_ai__usage__input_tokens": 2256, "gen_ai__usage__output_tokens": 13}
    spans = [
        llm("call_llm", None, (0, 9), [QUESTION], say("assistant", "500"), **usage),
        span("generate_content", "call_llm", (1, 8), gen_ai__operation__name="generate_content", **usage),
        span("openai.chat", "generate_content", (2, 7), gen_ai__operation__name="chat", **usage),
    ]
    steps = one(spans).steps
    assert [(step.content, step.input_tokens, step.output_tokens) for step in steps] == [
        ("Fare to Oslo in USD?", None, None),
        ("500", 2256, 13),
    ]


def test_a_tools_span_inside_its_twin_is_the_same_call() -> None:
    """Framework and protocol client both report the call; the inner one has the result."""
    spans = [
        tool("outer", None, (0, 9), "f", "c1"),
        tool("inner", "outer", (1, 8), "f", "c1", gen_ai__tool__call__result="r"),
    ]
    assert told(spans) == [("assistant", "tool_call", "f"), ("f", "tool_result", "r")]


def test_the_finished_copy_of_a_span_wins() -> None:
    """Some dumps hold each span when it starts and again when it ends."""
    running = llm("l", None, (0, None), [QUESTION])
    done = llm("l", None, (0, 5), [QUESTION], say("assistant", "500"))
    assert told([done, running]) == told([running, done]) == told([done])


def test_a_span_that_still_runs_tells_what_is_known() -> None:
    """The question and the call are there; no answer, no result, no end."""
    spans = [
        agent("a", None, (0, None)),
        llm("l1", "a", (1, 2), [QUESTION], ask("f", "c1")),
        tool("t", "a", (3, None), "f", "c1"),
    ]
    assert told(spans) == [("user", "message", "Fare to Oslo in USD?"), ("a", "tool_call", "f")]


def test_spans_that_start_in_the_same_instant_keep_their_sense() -> None:
    """A clock of seconds: the call before its result, the parent before the child, the longer history later."""
    history = [QUESTION, ask("f", "c1"), got("c1", "r")]
    spans = [
        llm("z1", "a", (0, 0), [QUESTION], ask("f", "c1")),
        tool("m", "a", (0, 0), "f", "c1", gen_ai__tool__call__result="r"),
        llm("a2", "a", (0, 0), history, say("assistant", "done")),
        agent("a", None, (0, 0)),
    ]
    assert [kind for _, kind, _ in told(spans)] == ["message", "tool_call", "tool_result", "message"]


def test_traces_of_one_conversation_are_one_run() -> None:
    """Each turn is a trace; the conversation's id on the root joins them, a nested agent's own thread does not."""
    first = [
        agent("a", None, (0, 3), gen_ai__conversation__id="c"),
        llm("l1", "a", (1, 2), [QUESTION], say("assistant", "500"), gen_ai__conversation__id="inner-1"),
    ]
    history = [QUESTION, say("assistant", "500"), say("user", "Sure?")]
    second = [
        agent("b", None, (10, 13), trace_id="2" * 32, session__id="c"),
        llm(
            "l2",
            "b",
            (11, 12),
            history,
            say("assistant", "Yes."),
            trace_id="2" * 32,
            gen_ai__conversation__id="inner-2",
        ),
    ]
    ((recording, traces),) = runs_from_spans([*second, *first])
    assert traces == (TRACE, "2" * 32)
    assert [step.content for step in recording.steps] == ["Fare to Oslo in USD?", "500", "Sure?", "Yes."]


def test_a_link_is_a_declared_parent() -> None:
    """Message passing: what processes a message links to what sent it."""
    link = {"trace_id": TRACE, "span_id": "send", "attributes": {}}
    spans = [
        span("send", None, (0, 3)),
        llm("l1", "send", (1, 2), [QUESTION], say("assistant", "Half done.")),
        span("process", None, (4, 9), links=(link,)),
        llm("l2", "process", (5, 6), [], say("assistant", "Done.")),
    ]
    assert one(spans).steps[2].parents == (1,)


def looped(turns: int) -> list[Span]:
    """Two nodes of a graph that take turns, each naming the other as the node before it; nothing else joins them."""
    return [
        llm(
            f"turn {i:05d}",
            None,
            (2 * i, 2 * i + 1),
            [],
            say("assistant", f"turn {i}"),
            graph__node__id="ab"[i % 2],
            graph__node__parent_id="ba"[i % 2],
        )
        for i in range(turns)
    ]


def test_in_a_graph_with_a_loop_the_last_visit_of_the_node_before_counts() -> None:
    """Not every visit that ever was, which would join all turns with all, in the square of the time."""
    assert [step.parents for step in one(looped(5)).steps] == [(), (0,), (1,), (2,), (3,)]
    began = time.monotonic()
    assert len(one(looped(4_000)).steps) == 4_000
    assert time.monotonic() - began < 20


def test_noise_makes_no_run() -> None:
    """HTTP spans are kept by the store; there is nothing to blame in them."""
    assert runs_from_spans([span("GET /", None, (0, 1), http__request__method="GET")]) == []
    assert runs_from_spans([]) == []


@pytest.mark.parametrize(
    ("status", "outcome", "source"),
    [("error", "failure", "status"), ("ok", "unknown", None), ("unset", "unknown", None)],
)
def test_a_root_that_failed_is_a_failure_and_one_that_did_not_says_nothing(
    status: str, outcome: str, source: str | None
) -> None:
    """OK means only that nothing was raised."""
    run = one([agent("a", None, (0, 9), status=status), llm("l", "a", (1, 2), [QUESTION], say("assistant", "x"))]).run
    assert (run.outcome, run.outcome_source) == (outcome, source)


def test_a_changing_system_prompt_is_one_step_per_agent() -> None:
    """A date in the prompt changes with every call; the prompt is still one."""
    spans = [
        llm(
            f"l{turn}",
            None,
            (turn, turn),
            [say("system", f"It is {turn} o'clock.")],
            say("assistant", str(turn)),
            parent_id="x",
        )
        for turn in range(3)
    ]
    assert [kind for _, kind, _ in told(spans)] == ["system", "message", "message", "message"]


def test_a_cycle_of_parents_is_cut() -> None:
    """A broken log may make a span its own ancestor."""
    spans = [agent("a", "c", (0, 9)), agent("b", "a", (1, 8)), llm("c", "b", (2, 3), [QUESTION], say("assistant", "x"))]
    assert [content for _, _, content in told(spans)] == ["Fare to Oslo in USD?", "x"]
    own = [span.model_copy(update={"parent_id": span.span_id}) for span in spans]
    assert [content for _, _, content in told(own)] == ["Fare to Oslo in USD?", "x"]


def test_a_trace_of_many_nested_and_many_flat_calls_is_read_in_seconds() -> None:
    """Depth 3,000 must not recurse; 3,000 tools must not take the square of it."""
    deep = [agent(f"d{i}", f"d{i - 1}" if i else None, (i, 9_000)) for i in range(3_000)]
    calls = [
        tool(f"t{i}", "d2999", (3_000 + i, 3_000 + i), "f", f"c{i}", gen_ai__tool__call__result=f"r{i}")
        for i in range(3_000)
    ]
    began = time.monotonic()
    assert len(one([*deep, *calls]).steps) == 6_000
    assert time.monotonic() - began < 20


def test_both_containers_of_the_same_spans_give_the_same_steps(tmp_path: Path) -> None:
    """The SDK's own dump and OTLP/JSON, from one real emission."""
    out = io.StringIO()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=out)))
    tracer: trace.Tracer = provider.get_tracer("scripted")
    with tracer.start_as_current_span("invoke_agent a", attributes={"gen_ai.operation.name": "invoke_agent"}):
        for history, output in [
            ([QUESTION], ask("f", "c1", x=1)),
            ([QUESTION, ask("f", "c1", x=1), got("c1", "r")], say("assistant", "z")),
        ]:
            given = {"gen_ai.input.messages": json.dumps(history), "gen_ai.output.messages": json.dumps([output])}
            tracer.start_span("chat m", attributes={"gen_ai.operation.name": "chat", **given}).end()
    provider.shutdown()
    dump, request = tmp_path / "dump.json", tmp_path / "request.json"
    dump.write_text(out.getvalue())
    spans = otel_python.COLLECTOR.read(open_containers(dump)[0]).spans
    request.write_text(json.dumps(as_otlp(spans)))
    again = otlp.COLLECTOR.read(open_containers(request)[0]).spans
    assert [step.model_dump(exclude={"pointer"}) for step in one(spans).steps] == [
        step.model_dump(exclude={"pointer"}) for step in one(again).steps
    ]
    assert told(again) == [
        ("user", "message", "Fare to Oslo in USD?"),
        ("a", "tool_call", "f"),
        ("f", "tool_result", "r"),
        ("a", "message", "z"),
    ]


def as_otlp(spans: Sequence[Span]) -> dict[str, Any]:
    """An ExportTraceServiceRequest of these spans (text attributes only)."""
    found = [
        {
            "traceId": each.trace_id,
            "spanId": each.span_id,
            "parentSpanId": each.parent_id or "",
            "name": each.name,
            "startTimeUnixNano": str(each.started_ns),
            "endTimeUnixNano": str(each.ended_ns),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in each.attributes.items()],
        }
        for each in spans
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": found}]}]}
