"""Events of OpenHands V0: causes, replies that are repeated, delegates."""

from collections import Counter
from typing import Any

import pytest

from tracer.collectors import openhands_v0
from tracer.collectors.message import Message
from tracer.records import Pointer


def told(*events: dict[str, Any]) -> tuple[list[Message], Counter[str]]:
    left_out: Counter[str] = Counter()
    return openhands_v0.messages([(event, Pointer(file="a")) for event in events], left_out), left_out


def action(number: int, kind: str, metadata: Any = None, **args: Any) -> dict[str, Any]:
    return {"id": number, "source": "agent", "action": kind, "args": args, "tool_call_metadata": metadata}


def observation(cause: int, kind: str, content: str = "x", **extras: Any) -> dict[str, Any]:
    return {"id": 99, "source": "agent", "observation": kind, "content": content, "cause": cause, "extras": extras}


def metadata(call: str) -> dict[str, Any]:
    said = {"role": "assistant", "content": "I look.", "reasoning_content": "Which files?"}
    usage = {"prompt_tokens": 100, "completion_tokens": 7}
    response = {"id": "r1", "model": "m", "choices": [{"message": said}], "usage": usage}
    return {"function_name": "execute_bash", "tool_call_id": call, "model_response": response}


def test_a_reply_is_charged_once_however_often_it_is_repeated() -> None:
    """Two parallel calls and an observation carry the same reply."""
    messages, _ = told(
        action(1, "run", metadata("c1"), command="ls", thought="I look."),
        action(2, "run", metadata("c2"), command="pwd", thought=""),
        {**observation(1, "run"), "tool_call_metadata": metadata("c1")},
    )
    assert [(each.text, each.reasoning, each.input_tokens) for each in messages] == [
        ("I look.", "Which files?", 100),
        ("", None, None),
        ("", None, None),
    ]
    assert messages[0].calls[0] == ("execute_bash", '{"command":"ls"}', "c1", None)
    assert (messages[2].results[0].id, messages[2].results[0].name) == ("c1", "execute_bash")


def test_without_call_ids_an_observation_is_joined_by_its_cause() -> None:
    """The action's own number then stands for the id."""
    messages, _ = told(action(7, "run", command="ls"), observation(7, "run"))
    assert messages[0].calls[0].id == messages[1].results[0].id == "7"
    assert messages[0].calls[0].name == "execute_bash"


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (observation(1, "error", "no such file"), ("error", "observation: error")),
        (observation(1, "user_rejected"), ("error", "observation: user_rejected")),
        (observation(1, "run", metadata={"exit_code": 2}), ("error", "exit code 2")),
        (observation(1, "run", exit_code=0), ("ok", "exit code 0")),
        (observation(1, "run", metadata={"exit_code": -1}), ("ok", "text")),
        (observation(1, "browse", error=True), ("error", "is_error")),
        (observation(1, "run", "", metadata={"exit_code": 0}), ("empty", "text: blank")),
    ],
)
def test_how_an_action_ended(event: dict[str, Any], outcome: tuple[str, str]) -> None:
    """-1 is no exit code."""
    [message], _ = told(event)
    assert (message.results[0].status, message.results[0].rule) == outcome


def test_a_delegate_acts_until_its_observation() -> None:
    """Its start is a hand-off."""
    messages, _ = told(
        action(1, "delegate", agent="BrowsingAgent", inputs={"task": "look"}),
        action(2, "browse", url="u"),
        observation(2, "browse"),
        observation(1, "delegate"),
        action(3, "finish", final_thought="Done."),
    )
    assert [each.agent for each in messages] == ["openhands", "BrowsingAgent", None, None, "openhands"]
    assert messages[0].calls[0].handoff_to == "BrowsingAgent"
    assert (messages[4].text, messages[4].calls[0].name) == ("Done.", "finish")


def test_bookkeeping_is_counted_and_no_step() -> None:
    """Recalls, states and nothing at all."""
    messages, left_out = told(
        action(1, "recall"), observation(1, "recall"), observation(0, "agent_state_changed"), {"id": 1, "action": None}
    )
    assert messages == []
    assert left_out == {"recall": 2, "agent_state_changed": 1, "?": 1}


def test_only_the_last_state_says_that_it_failed() -> None:
    """An error that was overcome is none."""
    states = [
        (observation(0, "agent_state_changed", agent_state=each), Pointer(file="a")) for each in ("error", "finished")
    ]
    assert openhands_v0.status(states) is None
    assert openhands_v0.status(states[:1]) == "error"
