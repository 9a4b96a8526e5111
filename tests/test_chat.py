"""Chat logs of every layout and provider become one run per conversation, with who spoke, acted and answered."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.collectors import chat
from tracer.collectors.container import open_containers
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text, normalise, steps_from_messages
from tracer.collectors.registry import recognise
from tracer.errors import BadInputError, UnknownFormatError
from tracer.records import Recording, Step

QUESTION = {"role": "user", "content": "What is 6 × 7?"}
ANSWER = {"role": "assistant", "content": "42"}


def load(path: Path, data: Any) -> tuple[Recording, ...]:
    """Through the public door: open, recognise, read. A list of lines is written as JSON Lines."""
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "chat"
    return collector.read(container).recordings


def lines(*values: Any) -> str:
    return "\n".join(json.dumps(value) for value in values) + "\n"


def steps_of(*messages: dict[str, Any]) -> tuple[Step, ...]:
    return steps_from_messages([normalise(message) for message in messages])


def told(steps: tuple[Step, ...]) -> list[tuple[str, str, str]]:
    return [(step.agent, step.kind, step.content) for step in steps]


@pytest.mark.parametrize(
    "data",
    [
        [QUESTION, ANSWER],
        {"messages": [QUESTION, ANSWER]},
        {"messages": json.dumps([QUESTION, ANSWER])},
        {"input": [QUESTION, {"type": "message", **ANSWER}]},
        [{"messages": [QUESTION, ANSWER]}],
        [[QUESTION, ANSWER]],
        lines(QUESTION, ANSWER),
    ],
)
def test_one_conversation_in_every_layout(tmp_path: Path, data: Any) -> None:
    """Array, object, Responses input, encoded twice, list of conversations, one message per line."""
    [(run, steps)] = load(tmp_path / "log", data)
    assert told(steps) == [("user", "message", "What is 6 × 7?"), ("assistant", "message", "42")]
    assert (run.task, run.outcome, run.format) == ("What is 6 × 7?", "unknown", "chat")


def test_rows_of_parquet_are_conversations(tmp_path: Path) -> None:
    """A data set of chats."""
    pq.write_table(pa.table({"messages": [[QUESTION, ANSWER], [QUESTION]]}), tmp_path / "a.parquet")
    [container] = open_containers(tmp_path / "a.parquet")
    assert [len(steps) for _, steps in recognise(container).read(container).recordings] == [2, 1]


def test_every_step_points_to_its_message(tmp_path: Path) -> None:
    """File, line and JSON pointer."""
    [(_, by_line)] = load(tmp_path / "a.jsonl", lines(QUESTION, ANSWER))
    assert [(step.pointer.line, step.pointer.path) for step in by_line if step.pointer] == [(1, None), (2, None)]
    first, second = load(tmp_path / "b.jsonl", lines({"messages": [ANSWER]}, {"messages": [QUESTION, ANSWER]}))
    pointer = second.steps[1].pointer
    assert pointer is not None
    assert (pointer.file, pointer.line, pointer.path) == (str(tmp_path / "b.jsonl"), 2, "/messages/1")
    assert first.run.id != second.run.id


def test_a_growing_history_is_one_run(tmp_path: Path) -> None:
    """Three calls that each repeat what came before, then another conversation."""
    more = {"role": "user", "content": "And 6 + 7?"}
    other = {"role": "user", "content": "Something else"}
    found = load(
        tmp_path / "a.jsonl",
        lines(*({"messages": each} for each in ([QUESTION], [QUESTION, ANSWER], [QUESTION, ANSWER, more], [other]))),
    )
    assert [len(steps) for _, steps in found] == [3, 1]


def test_reasoning_that_later_histories_leave_out_is_kept(tmp_path: Path) -> None:
    """Providers ask for histories without earlier reasoning; the first call's log still holds it."""
    thought = {"role": "assistant", "content": "42", "reasoning_content": "\nSix sevens.\n"}
    more = {"role": "user", "content": "And 6 + 7?"}
    [(_, steps)] = load(
        tmp_path / "a.jsonl",
        lines({"messages": [QUESTION, thought]}, {"messages": [QUESTION, ANSWER, more]}),
    )
    assert [step.reasoning for step in steps] == [None, "\nSix sevens.\n", None]
    assert [step.reasoning_state for step in steps] == ["absent", "present", "absent"]


def test_the_same_conversation_twice_is_one_run(tmp_path: Path) -> None:
    """Even with another between: the address is the content."""
    other = {"messages": [{"role": "user", "content": "Something else"}]}
    same = {"messages": [QUESTION, ANSWER]}
    assert len(load(tmp_path / "a.jsonl", lines(same, other, same))) == 2


@pytest.mark.parametrize(
    ("fact", "outcome"),
    [
        ({"reward": 1}, ("success", "reward")),
        ({"is_correct": False}, ("failure", "is_correct")),
        ({"reward": 0.5}, ("unknown", None)),
        ({"success": "yes"}, ("unknown", None)),
    ],
)
def test_a_verdict_beside_the_messages_is_the_outcome(
    tmp_path: Path, fact: dict[str, Any], outcome: tuple[str, str | None]
) -> None:
    """Only a truth value, 0 or 1 is a verdict."""
    [(run, _)] = load(tmp_path / "a.json", {"messages": [QUESTION], **fact})
    assert (run.outcome, run.outcome_source) == outcome


def test_a_call_and_its_result_are_joined_by_id() -> None:
    """Two calls in one message are two steps; each result names its call as its parent."""
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "search", "arguments": '{"q": "x"}'}},
        {"id": "c2", "type": "function", "function": {"name": "read", "arguments": {"path": "y"}}},
    ]
    steps = steps_of(
        QUESTION,
        {"role": "assistant", "content": "Let me look.", "reasoning": "two ways", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c2", "content": "Error: no such file"},
        {"role": "tool", "tool_call_id": "c1", "content": "[]"},
    )
    assert told(steps) == [
        ("user", "message", "What is 6 × 7?"),
        ("assistant", "tool_call", "Let me look."),
        ("assistant", "tool_call", ""),
        ("read", "tool_result", "Error: no such file"),
        ("search", "tool_result", "[]"),
    ]
    assert [step.reasoning for step in steps] == [None, "two ways", None, None, None]
    assert [step.arguments for step in steps[1:3]] == ['{"q": "x"}', '{"path":"y"}']
    assert [(step.parents, step.tool_status) for step in steps[3:]] == [((2,), "error"), ((1,), "empty")]


def test_anthropic_blocks_make_the_same_steps() -> None:
    """Results stand in a user message, are the tool's, and keep their error flag; images leave a mark."""
    steps = steps_of(
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I should look.", "signature": "s"},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "t1", "name": "bash", "input": {"command": "ls"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "is_error": True,
                    "content": [{"type": "text", "text": "no"}],
                },
                {"type": "text", "text": "See this:"},
                {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
            ],
        },
    )
    assert told(steps) == [
        ("assistant", "tool_call", "Looking."),
        ("bash", "tool_result", "no"),
        ("user", "message", "See this:\n[image]"),
    ]
    assert (steps[0].reasoning, steps[0].arguments) == ("I should look.", '{"command":"ls"}')
    assert (steps[1].tool_status, steps[1].tool_rule, steps[1].parents) == ("error", "is_error", (0,))


def test_responses_items_make_the_same_steps(tmp_path: Path) -> None:
    """The reasoning item belongs to the call; a hosted tool brings its own answer."""
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "go"}]},
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "I need the sum."}]},
        {"type": "function_call", "id": "fc", "call_id": "c1", "name": "add", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "mcp_call", "id": "m1", "name": "fetch", "arguments": "{}", "error": "refused"},
        {"type": "web_search_call", "id": "w1", "status": "completed", "action": {"query": "x"}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "1."}]},
    ]
    [(run, steps)] = load(tmp_path / "a.json", {"instructions": "Be brief.", "input": items})
    assert told(steps) == [
        ("system", "system", "Be brief."),
        ("user", "message", "go"),
        ("assistant", "tool_call", ""),
        ("add", "tool_result", "1"),
        ("assistant", "tool_call", ""),
        ("fetch", "tool_result", "refused"),
        ("assistant", "tool_call", ""),
        ("assistant", "message", "1."),
    ]
    assert (run.task, steps[2].reasoning, steps[5].tool_status) == ("go", "I need the sum.", "error")
    assert [step.tool for step in steps[2:7]] == ["add", "add", "fetch", "fetch", "web_search"]


def test_calls_without_ids_are_joined_by_name_and_order() -> None:
    """The function calls of 2023."""
    steps = steps_of(
        {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": "{}"}},
        {"role": "function", "name": "add", "content": "3"},
        {"role": "function", "name": "other", "content": "4"},
    )
    assert [step.parents for step in steps] == [(), (0,), ()]


@pytest.mark.parametrize(
    ("name", "arguments", "target"),
    [
        ("transfer_to_billing_agent", "{}", "billing_agent"),
        ("handoff", '{"agent": "Coder"}', "Coder"),
        ("Delegate work to coworker", '{"coworker": "Researcher", "task": "x"}', "Researcher"),
        ("handoff_to_reviewer", "not JSON", "reviewer"),
    ],
)
def test_a_call_that_hands_the_work_over(name: str, arguments: str, target: str) -> None:
    """The recipient is the agent that takes over."""
    [step] = steps_of({"role": "assistant", "tool_calls": [{"function": {"name": name, "arguments": arguments}}]})
    assert (step.kind, step.recipient) == ("handoff", target)


def test_transfer_money_is_no_handoff() -> None:
    """Only the field's words for a hand-off count."""
    [step] = steps_of(
        {"role": "assistant", "tool_calls": [{"function": {"name": "transfer_money", "arguments": "{}"}}]}
    )
    assert step.kind == "tool_call"


@pytest.mark.parametrize(
    ("message", "agent", "kind", "recipient"),
    [
        ({"role": "user", "name": "Planner", "content": "x"}, "Planner", "message", None),
        ({"role": "Orchestrator (-> WebSurfer)", "content": "x"}, "Orchestrator", "message", "WebSurfer"),
        ({"role": "Orchestrator (thought)", "content": "x"}, "Orchestrator", "thought", None),
        ({"role": "Coder", "content": "x"}, "Coder", "message", None),
        ({"role": "developer", "content": "x"}, "developer", "system", None),
        ({"role": "assistant", "content": "TERMINATE"}, "assistant", "termination", None),
        ({"role": "user", "content": "###STOP###"}, "user", "termination", None),
        ({"role": "assistant", "content": "The answer is 42. TERMINATE"}, "assistant", "message", None),
        ({"role": "assistant", "content": None}, "assistant", "message", None),
        ({"role": "assistant", "content": "", "reasoning": "hm"}, "assistant", "thought", None),
    ],
)
def test_who_speaks_and_what_kind_of_step_it_is(
    message: dict[str, Any], agent: str, kind: str, recipient: str | None
) -> None:
    """Explicit name, then the role's own words, then the plain role."""
    [step] = steps_of(message)
    assert (step.agent, step.kind, step.recipient, step.role) == (agent, kind, recipient, message["role"])


def test_tokens_count_once_in_a_message_of_several_calls() -> None:
    """Usage belongs to the message, not to each of its steps."""
    two = Message("assistant", calls=(Call("a", ""), Call("b", "")), input_tokens=10, output_tokens=5)
    assert [(step.input_tokens, step.output_tokens) for step in steps_from_messages([two])] == [(10, 5), (None, None)]


def test_an_executor_that_the_log_names_acts_in_the_tool_s_stead() -> None:
    """The result's agent is the executor; its tool stays the tool."""
    call, result = Message("assistant", "", "Coder", calls=(Call("run", "{}", "c"),)), Result("ok", "c")
    _, step = steps_from_messages([call, Message("tool", agent="Terminal", results=(result,))])
    assert (step.agent, step.tool, step.recipient) == ("Terminal", "run", "Coder")


def test_an_empty_scratch_pad_is_no_failure() -> None:
    """The think tool never answers."""
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "think", "arguments": "{}"}}]}
    assert steps_of(call, {"role": "tool", "tool_call_id": "c", "content": ""})[1].tool_status == "ok"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ({"a": 1}, '{"a":1}'),
        ("not JSON", "not JSON"),
        (None, ""),
    ],
)
def test_arguments_encoded_twice_are_decoded_once(raw: Any, text: str) -> None:
    """What is no JSON stays as it is."""
    assert arguments_text(raw) == text


def test_content_blocks_inside_a_string_are_blocks() -> None:
    """Exporters that keep strings only; an answer that merely is JSON stays a text."""
    assert normalise({"role": "user", "content": '[{"type": "text", "text": "hi"}]'}).text == "hi"
    assert normalise({"role": "assistant", "content": '[{"type": "car"}]'}).text == '[{"type": "car"}]'


def test_a_number_of_any_size_is_kept() -> None:
    """JSON knows no 64 bits."""
    assert normalise({"role": "user", "content": -(2**63) - 1}).text == "-9223372036854775809"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"mas_name": "m", "messages": [QUESTION], "trace": {}}, "a MAST trace"),
        ({"messages": [{"sender": "a", "content": "x", "kind": "TextMessage"}]}, "a message without 'role'"),
        ({"messages": []}, "no list of messages"),
        ([], "an empty list"),
        ([QUESTION, 3], "no list of messages"),
        ({"a": 1}, "no 'role' with 'content', and no list 'messages'"),
    ],
)
def test_what_is_not_chat_says_why(tmp_path: Path, data: Any, reason: str) -> None:
    """The last word of the cascade's one line."""
    (tmp_path / "a.json").write_text(json.dumps(data))
    [container] = open_containers(tmp_path / "a.json")
    with pytest.raises(UnknownFormatError) as raised:
        recognise(container)
    assert reason in str(raised.value).rpartition("chat (")[2]
    assert "\n" not in str(raised.value)


def test_a_log_that_breaks_its_own_form_far_down_says_where(tmp_path: Path) -> None:
    """Detection looks at the first values only."""
    (tmp_path / "a.jsonl").write_text(lines(*[QUESTION] * 30, 3))
    [container] = open_containers(tmp_path / "a.jsonl")
    with pytest.raises(BadInputError, match=r"a\.jsonl, line 31: a message is int, not an object"):
        chat.read(container)


def test_a_real_agent_that_acts_by_text(real_logs: Path) -> None:
    """mini-swe-agent's bare list, as chat: fenced commands, return codes; read by hand from the raw file."""
    [container] = open_containers(real_logs / "samples/mini_swe_agent/github_issue.traj.json")
    [(run, steps)] = chat.read(container).recordings
    assert len(steps) == 22
    assert [step.agent for step in steps[:4]] == ["system", "user", "assistant", "bash"]
    assert (steps[4].kind, steps[4].arguments, steps[4].parents) == ("tool_call", "ls -la", ())
    assert [step.index for step in steps if step.tool_status == "error"] == [3, 17]
    assert all(step.parents == (step.index - 1,) for step in steps if step.kind == "tool_result")
    assert (steps[20].kind, steps[21].kind, run.task[:30]) == ("message", "message", "Please solve this issue: GitHu")


CALLS = {"tool_call", "handoff"}
SPOKEN = st.builds(
    Message,
    role=st.sampled_from(["user", "assistant", "tool", "Planner"]),
    text=st.text(max_size=5),
    calls=st.lists(
        st.builds(Call, st.sampled_from("ab"), st.just("{}"), st.sampled_from(["1", "2", None])), max_size=3
    ).map(tuple),
    results=st.lists(st.builds(Result, st.text(max_size=3), st.sampled_from(["1", "2", None])), max_size=3).map(tuple),
)


@given(st.lists(SPOKEN, max_size=6))
def test_steps_are_numbered_and_only_look_back(messages: list[Message]) -> None:
    """Every call and result is a step; a parent is an earlier call."""
    steps = steps_from_messages(messages)
    assert [step.index for step in steps] == list(range(len(steps)))
    assert sum(step.kind == "tool_result" for step in steps) == sum(len(message.results) for message in messages)
    assert sum(step.kind in CALLS for step in steps) == sum(len(message.calls) for message in messages)
    for step in steps:
        assert all(parent < step.index and steps[parent].kind in CALLS for parent in step.parents)


def test_what_ag2_passes_on_is_read_once() -> None:
    """A call without words has Python's None for words; a content that joins listed answers is none of its own."""
    call = {"id": "c1", "type": "function", "function": {"name": "price", "arguments": "{}"}}
    answers = [{"tool_call_id": "c1", "role": "tool", "content": "1"}, {"tool_call_id": "c2", "content": "2"}]
    assert normalise({"role": "assistant", "content": "None", "tool_calls": [call]}).text == ""
    assert normalise({"role": "assistant", "content": "None"}).text == "None"
    found = normalise({"role": "tool", "content": "1\n\n2", "tool_responses": answers})
    assert [(result.id, result.content) for result in found.results] == [("c1", "1"), ("c2", "2")]
