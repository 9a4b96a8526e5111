"""LangChain's dumps and event streams: walked as data, each message once, the agent from its name or its node.

The files under data/langchain are of langchain 1.5.2, langchain-core 1.8.3 and langgraph 1.2.24, made by
scripts/capture_langchain.py, whose script says who says what.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import langchain
from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError
from tracer.records import Recording, Step

DATA = Path(__file__).parent / "data" / "langchain"
FAILED = "Tool 'price' failed after 1 attempt with ValueError: no article 'widget'. Please try again."
WORDS = [
    ("user", "message", "What do three widgets cost, in EUR?"),
    ("planner", "message", "Plan: the researcher finds the price, the writer multiplies."),
    ("researcher", "tool_call", ""),
    (
        "price",
        "tool_result",
        "Tool 'price' failed after 1 attempt with ValueError: no article 'widget'. Please try again.",
    ),
    ("researcher", "tool_call", "The catalogue wants a number."),
    ("price", "tool_result", "12.5 EUR"),
    ("researcher", "message", "A widget (W-7) costs 12.5 EUR."),
    ("writer", "message", "Three widgets cost 35 EUR."),
]


def read(path: Path) -> list[Recording]:
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "langchain"
    return list(collector.read(container).recordings)


def write(path: Path, *values: Any) -> Path:
    """One value per line."""
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    return path


def made(name: str, /, **kwargs: Any) -> dict[str, Any]:
    """A message as `dumpd` writes it from JavaScript, whose prefix differs."""
    return {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", name], "kwargs": kwargs}


def told(steps: tuple[Step, ...]) -> list[tuple[str, str, str]]:
    return [(step.agent, step.kind, step.content) for step in steps]


@pytest.mark.parametrize("name", ["state.dumpd.json", "state.messages.json"])
def test_a_state_is_read_in_both_dumps(name: str) -> None:
    """Tool's error with its status, the writer's reasoning, five replies of 100 and 10 tokens."""
    [(run, steps)] = read(DATA / name)
    assert told(steps) == WORDS
    assert [(step.tool_status, step.tool_rule, step.parents) for step in steps if step.tool_status] == [
        ("error", "status: error", (2,)),
        ("ok", "status: success", (4,)),
    ]
    assert (steps[7].reasoning, steps[7].reasoning_origin) == (
        "Three times 12.5: twice is 25, so thrice is 35.", "reasoning_content",
    )  # fmt: skip
    assert sum(step.input_tokens or 0 for step in steps) == 500
    assert sum(step.output_tokens or 0 for step in steps) == 50
    assert {step.model for step in steps if step.input_tokens} == {"scripted-1"}
    assert (run.task, run.outcome) == (WORDS[0][2], "unknown")
    assert steps[2].pointer is not None
    assert steps[2].pointer.path == "/messages/2"


def test_a_stream_of_events_tells_each_message_once() -> None:
    """The same graph, with the prompts that only the models saw and the error as the tool raised it."""
    [(run, steps)] = read(DATA / "events.jsonl")
    assert told(tuple(step for step in steps if step.kind != "system")) == [
        *WORDS[:3], ("price", "tool_result", "ValueError(\"no article 'widget'\")"), *WORDS[4:],
    ]  # fmt: skip
    assert [step.content for step in steps if step.kind == "system"] == ["You are the planner.", "You are the writer."]
    assert [(step.tool_status, step.tool_rule) for step in steps if step.tool_status] == [
        ("error", "error.type: ValueError"), ("ok", "status: success"),
    ]  # fmt: skip
    assert sum(step.input_tokens or 0 for step in steps) == 500
    assert (run.framework, run.notes) == ("langgraph", ())


def test_a_stream_that_breaks_off_says_so(tmp_path: Path) -> None:
    """Twenty of its lines: the researcher has failed once."""
    lines = (DATA / "events.jsonl").read_text().splitlines()[:20]
    (tmp_path / "cut.jsonl").write_text("\n".join(lines))
    [(run, steps)] = read(tmp_path / "cut.jsonl")
    assert steps[-1].tool_status == "error"
    assert run.notes == ("the stream ends before its run does",)


def test_a_history_of_snapshots_newest_first_is_one_run(tmp_path: Path) -> None:
    """As `get_state_history` gives it."""
    messages = [made("HumanMessage", content="Hi", id="1"), made("AIMessage", content="Hello", id="2", name="host")]
    snapshots = [{"values": {"messages": messages[:n]}, "next": [], "metadata": {"step": n}} for n in (2, 1)]
    [(_, steps)] = read(write(tmp_path / "history.json", snapshots))
    assert told(steps) == [("user", "message", "Hi"), ("host", "message", "Hello")]


def test_fields_and_blocks_of_every_age(tmp_path: Path) -> None:
    """Calls in OpenAI's shape, blocks that repeat a call, reasoning blocks, usage before LangChain counted."""
    call = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
    thinking = {"type": "thinking", "thinking": "One and one.", "signature": "s"}
    older = {"tool_calls": [{"id": "c2", "type": "function", "function": {"name": "sub", "arguments": '{"b": 2}'}}]}
    values = [
        {"type": "human", "content": "Add.", "name": None},
        {
            "type": "AIMessageChunk",
            "content": [thinking, {"type": "text", "text": "Adding."}, {"type": "tool_use", "id": "c1", "name": "add"}],
            "tool_calls": [call],
            "response_metadata": {"model": "claude", "usage": {"input_tokens": 3, "output_tokens": 2}},
        },
        {"type": "tool", "content": {"sum": 2}, "tool_call_id": "c1", "name": "add", "status": "success"},
        {
            "type": "ai",
            "content": "",
            "additional_kwargs": older,
            "tool_calls": [],
            "response_metadata": {"token_usage": {"prompt_tokens": 9, "completion_tokens": 8}, "model_name": "gpt"},
        },
        {"type": "tool", "content": "Error: no such thing", "tool_call_id": "c2", "status": "success"},
        {"type": "ai", "content": "Two.", "usage_metadata": {"output_token_details": {"reasoning": 7}}},
    ]
    [(_, steps)] = read(write(tmp_path / "lines.jsonl", *values))
    assert [(step.kind, step.content, step.tool) for step in steps] == [
        ("message", "Add.", None),
        ("tool_call", "Adding.", "add"),
        ("tool_result", '{"sum":2}', "add"),
        ("tool_call", "", "sub"),
        ("tool_result", "Error: no such thing", "sub"),
        ("message", "Two.", None),
    ]
    assert (steps[1].reasoning, steps[1].reasoning_origin) == ("One and one.", "thinking block")
    assert [(step.input_tokens, step.output_tokens, step.model) for step in (steps[1], steps[3])] == [
        (3, 2, "claude"), (9, 8, "gpt"),
    ]  # fmt: skip
    assert (steps[4].tool_status, steps[4].tool_rule) == ("error", "text: starts as an error")
    assert steps[5].reasoning_state == "unreadable"


def event(kind: str, run: str, parents: list[str] | None, **fields: Any) -> dict[str, Any]:
    found = {"event": kind, "run_id": run, "name": fields.pop("name", "x"), "tags": [], "metadata": {}}
    return found | ({} if parents is None else {"parent_ids": parents}) | fields


def test_two_runs_in_one_stream_and_events_of_v1(tmp_path: Path) -> None:
    """Each root is a run; v1 names no parents, so all of it is one."""
    reply = {"type": "ai", "content": "Same."}
    ends = [event("on_chat_model_end", f"m{n}", [f"r{n}"], data={"output": reply}) for n in (1, 1, 2)]
    assert [len(steps) for _, steps in read(write(tmp_path / "v2.jsonl", *ends))] == [2, 1]
    generations = {"generations": [[{"text": "One.", "message": {"type": "ai", "content": "One."}}]]}
    v1 = [
        event(
            "on_chat_model_end", "m1", None, data={"input": {"messages": [[["user", "Count."]]]}, "output": generations}
        ),
        event("on_llm_end", "m2", None, data={"output": {"generations": [[{"text": "Two.", "type": "Generation"}]]}}),
        event("on_custom_event", "m3", None, data={}),
    ]
    [(_, steps)] = read(write(tmp_path / "v1.jsonl", v1))
    assert [(step.agent, step.content) for step in steps] == [
        ("user", "Count."),
        ("assistant", "One."),
        ("assistant", "Two."),
    ]


def test_tools_that_no_model_called_are_calls_of_their_node(tmp_path: Path) -> None:
    """A tool run by code, a retriever, and a node's own message."""
    node: dict[str, Any] = {"metadata": {"langgraph_node": "look", "langgraph_checkpoint_ns": "look:1"}}
    done = {"messages": [made("AIMessage", content="Done.")]}
    events = [
        event("on_tool_end", "t1", ["r"], name="find", data={"input": {"q": "x"}, "output": "found it"}, **node),
        event("on_retriever_end", "t2", ["r"], name="books", data={"input": {"query": "x"}, "output": []}, **node),
        event("on_tool_error", "t3", ["r"], name="find", data={"error": "TimeoutError('slow')", "input": {}}, **node),
        event(
            "on_chain_end",
            "n",
            ["r"],
            name="look",
            data={"output": done},
            **node,
        ),
        event("on_chain_end", "r", [], data={"output": {}}),
    ]
    [(run, steps)] = read(write(tmp_path / "a.jsonl", *events))
    assert [(step.agent, step.kind, step.tool, step.tool_status) for step in steps] == [
        ("look", "tool_call", "find", None),
        ("find", "tool_result", "find", "ok"),
        ("look", "tool_call", "books", None),
        ("books", "tool_result", "books", "empty"),
        ("look", "tool_call", "find", None),
        ("find", "tool_result", "find", "error"),
        ("look", "message", None, None),
    ]
    assert [step.parents for step in steps if step.kind == "tool_result"] == [(0,), (2,), (4,)]
    assert run.notes == ()


def test_messages_that_json_could_not_hold_are_read_from_python_s_text(tmp_path: Path) -> None:
    """`json.dumps(event, default=str)`; texts as langchain-core 1.8.3 shows them. Nothing in them is run."""
    asked = "content='What\\'s a widget?' additional_kwargs={} response_metadata={} id='1'"
    reply = (
        "content='' additional_kwargs={'reasoning_content': 'Look first.'} response_metadata={'model_name': 'm'} "
        "name='researcher' id='2' tool_calls=[{'name': 'price', 'args': {'article': 'a=1'}, 'id': 'c1', 'type': "
        "'tool_call'}] invalid_tool_calls=[] usage_metadata={'input_tokens': 100, 'output_tokens': 10}"
    )
    answer = "content='12.5 EUR' name='price' id='3' tool_call_id='c1'"
    events = [
        event("on_chat_model_end", "m", ["r"], data={"input": {"messages": [[asked]]}, "output": reply}),
        event("on_tool_end", "t", ["r"], name="price", data={"input": {}, "output": answer}),
        event(
            "on_chat_model_end", "n", ["r"], data={"input": {"messages": [[asked, reply, answer]]}, "output": "Done."}
        ),
    ]
    [(run, steps)] = read(write(tmp_path / "a.jsonl", *events))
    assert [(step.agent, step.kind, step.content, step.parents) for step in steps] == [
        ("user", "message", "What's a widget?", ()),
        ("researcher", "tool_call", "", ()),
        ("price", "tool_result", "12.5 EUR", (1,)),
        ("assistant", "message", "Done.", ()),
    ]
    assert (steps[1].reasoning, steps[1].arguments, steps[1].input_tokens) == ("Look first.", '{"article":"a=1"}', 100)
    assert run.notes[1] == "messages stand as Python shows them: a prompt cannot be told from a question"


def test_a_line_that_is_no_event_says_where(tmp_path: Path) -> None:
    """In one line."""
    [container] = open_containers(write(tmp_path / "a.jsonl", event("on_chain_end", "r", [], data={}), {"event": 1}))
    with pytest.raises(BadInputError, match="no event at line 2, unlike before"):
        langchain.read(container)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"lc": 1, "type": "constructor", "id": ["a", "PromptTemplate"], "kwargs": {"template": "x"}},
        {"lc": 1, "type": "not_implemented", "id": ["x", "AIMessage"], "repr": "AIMessage()"},
        {"lc": 1, "type": "constructor", "id": [], "kwargs": None},
        {"event": "on_chain_end"},
        {"event": "order", "run_id": 1, "data": {}},
        [{"type": "tool", "content": "x"}],
        [{"type": "ai", "content": "x", "role": "assistant"}],
        [{"type": "AIMessage", "content": "x", "source": "host"}],
        {"deep": [[[{"type": ["ai"], "content": 1}]]]},
    ],
)
def test_other_values_are_none_of_ours(tmp_path: Path, value: Any) -> None:
    """A word says why."""
    [container] = open_containers(write(tmp_path / "a.json", value))
    assert langchain.detect(container)
