"""An agent loop that is a plain function over chat messages, lived again from any step."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tracer.analyses.blame import blame
from tracer.analyses.replay import Change, Setting, Shelf, replay
from tracer.records import Recording, Run, Step, content_hash, run_id
from tracer.replayers.chat import Chat, make
from tracer.replayers.messages import answer_of, messages_of, steps_of
from tracer.replaying import Fork, ReplayError

Message = dict[str, Any]
TASK = "How many bikes were sold in May?"
SALES = {"April": 90, "May": 157}
ASKED: list[int] = []
"""How many messages the function was given, each time."""


def loop(messages: list[Message], seed: int = -1) -> list[Message]:
    """An agent with one tool. The planted fault: it asks for the wrong month, unless its seed has it right."""
    ASKED.append(len(messages))
    messages = list(messages)
    if messages[-1]["role"] == "user":
        messages.append(say("planner", "Look the month up, then answer."))
    if messages[-1].get("name") == "planner":
        month = "May" if seed >= 0 and random.Random(seed).random() < 0.5 else "April"
        call = {
            "id": "c1",
            "type": "function",
            "function": {"name": "sales", "arguments": json.dumps({"month": month})},
        }
        messages.append({**say("clerk", f"I assume that they mean {month}."), "tool_calls": [call]})
    if messages[-1].get("tool_calls"):
        [call] = messages[-1]["tool_calls"]
        sold = SALES[json.loads(call["function"]["arguments"])["month"]]
        messages.append({"role": "tool", "tool_call_id": call["id"], "name": "sales", "content": f"sold: {sold}"})
    if messages[-1]["role"] == "tool":
        messages.append(say("reporter", f"Answer: {messages[-1]['content'].split()[-1]}"))
    return messages


def say(name: str, text: str) -> Message:
    """A message of an agent."""
    return {"role": "assistant", "name": name, "content": text}


@pytest.fixture(name="recording")
def _recording() -> Recording:
    """What the loop does by itself: it looks April up, and says 90."""
    steps = steps_of(loop([{"role": "user", "content": TASK}]))
    digest = content_hash([step.spoken for step in steps])
    run = Run(
        id=run_id(digest), content_hash=digest, source="loop", format="chat", task=TASK, outcome="failure",
        answer="90", expected="157",
    )  # fmt: skip
    ASKED.clear()
    return Recording(run, steps)


def test_messages_become_steps_and_the_same_messages_again(recording: Recording) -> None:
    """User, planner, a call with its words, its result, the reporter: nothing is lost on the way there and back."""
    wanted = loop([{"role": "user", "content": TASK}])
    assert [step.agent for step in recording.steps] == ["user", "planner", "clerk", "sales", "reporter"]
    assert messages_of(recording.steps, TASK) == wanted


def test_the_function_goes_on_from_the_kept_messages(recording: Recording) -> None:
    """With the edited call the tool really runs; the expected answer is for the replay to compare."""
    call = recording.steps[2].model_copy(update={"arguments": '{"month": "May"}'})
    [lived] = Chat(loop, "chat", recording)([Fork(recording.steps[:2], call, 0)])
    assert ASKED == [3]
    assert [step.content for step in lived.steps] == ["sold: 157", "Answer: 157"]
    assert (lived.answer, lived.outcome) == ("157", "unknown")


def test_without_any_kept_step_the_task_is_what_it_is_given(recording: Recording) -> None:
    """The run from scratch."""
    [lived] = Chat(loop, "chat", recording)([Fork((), None, 0)])
    assert ASKED == [1]
    assert [step.agent for step in lived.steps] == ["planner", "clerk", "sales", "reporter"]


def test_the_planted_fault_is_named_by_replay_and_by_blame(recording: Recording) -> None:
    """Of the five steps only the clerk's call, said anew, changes the end; blame ranks it first."""
    setting = Setting(recording, "chat", Chat(loop, "chat", recording), Shelf())
    verdicts = {at: replay(setting, at, Change("resample"), forks=20).verdict for at in range(5)}
    assert [at for at, verdict in verdicts.items() if verdict == "cause"] == [2]
    assert blame(recording.run, recording.steps).candidates[0].step == 2


def test_calls_that_were_made_at_once_are_one_message() -> None:
    """As the form has it; a call after a result begins another."""
    calls = [{"id": f"c{k}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for k in range(2)]
    told: list[Message] = [
        {"role": "user", "content": "go"},
        {**say("a", "two at once"), "tool_calls": calls},
        *({"role": "tool", "tool_call_id": f"c{k}", "name": "f", "content": str(k)} for k in range(2)),
        {**say("a", ""), "tool_calls": calls[:1]},
    ]
    assert messages_of(steps_of(told)) == told


def test_tokens_that_messages_state_are_counted() -> None:
    """In either provider's words; what is no number is passed over."""
    usage = ({"prompt_tokens": 5, "completion_tokens": 2}, {"input_tokens": 7, "output_tokens": "many"}, None)
    steps = steps_of([{**say("a", "x"), "usage": each} for each in usage])
    assert [(step.input_tokens, step.output_tokens) for step in steps] == [(5, 2), (7, None), (None, None)]


@pytest.mark.parametrize(
    ("value", "texts", "outcome"),
    [
        ("Answer: 3", ["Answer: 3"], "unknown"),
        (([], True), [], "success"),
        ([{"role": "assistant", "content": "x"}], ["x"], "unknown"),
    ],
)
def test_the_function_may_return_new_messages_or_the_last_text(
    recording: Recording, value: Any, texts: list[str], outcome: str
) -> None:
    """And how it ended."""
    [lived] = Chat(lambda messages: value, "chat", recording)([Fork(recording.steps[:2], None, 0)])
    assert ([step.content for step in lived.steps], lived.outcome) == (texts, outcome)


@pytest.mark.parametrize("value", [None, 3, [3], {"role": "assistant"}])
def test_what_the_function_may_not_return_is_told(recording: Recording, value: Any) -> None:
    """In one line."""
    with pytest.raises(ReplayError, match="return messages, or the last text"):
        Chat(lambda messages: value, "chat", recording)([Fork((), None, 0)])


def test_an_answer_is_found_in_the_last_words() -> None:
    """A short text is one by itself; a long one, or a tool's, is none."""
    words = [Step(index=0, agent="a", kind="message", content=text) for text in ("Answer: 4", "Paris", "x " * 200)]
    assert [answer_of([step]) for step in words] == ["4", "Paris", None]
    assert answer_of([words[0], Step(index=1, agent="f", kind="tool_result", content="9")]) == "4"


def test_it_is_found_by_its_name(recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """chat:MODULE:FUNCTION."""
    (tmp_path / "chat_app_of_mine.py").write_text("number = 3\ndef run(messages):\n    return 'Answer: 1'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert make(recording, "chat_app_of_mine:run")([Fork((), None, 0)])[0].answer == "1"
    with pytest.raises(ReplayError, match="is int, not a function over messages"):
        make(recording, "chat_app_of_mine:number")
