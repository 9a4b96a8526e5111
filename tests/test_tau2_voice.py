"""Ticks of a fifth of a second -> turns, with what was called in between."""

from typing import Any

from tracer.collectors.tau2_voice import turns
from tracer.records import Pointer

CALL = {"id": "a1", "name": "get_line", "arguments": {"on": True}, "requestor": "assistant"}
ANSWER = {"id": "a1", "role": "tool", "content": "x", "requestor": "assistant", "error": True}


def test_words_and_tools_of_ticks_are_kept() -> None:
    """Streamed pieces are joined, an utterance that every tick repeats counts once, calls and answers stand between."""
    spoken = ["Let ", "me ", "look."]
    ticks: list[Any] = [
        {"timestamp": f"2026-01-05T09:00:0{n}", "agent_chunk": {"content": text, "contains_speech": True}}
        for n, text in enumerate(spoken)
    ]
    ticks[2] |= {"agent_tool_calls": [CALL], "agent_tool_results": [ANSWER]}
    ticks += [{"user_chunk": {"audio_script_gold": "Fine.", "contains_speech": True}}] * 2 + [
        None,
        {"user_chunk": None},
    ]
    found = turns(ticks, Pointer(file="f"))
    assert [(each.role, each.text) for each in found] == [
        ("assistant", "Let me look."), ("assistant", ""), ("tool", ""), ("user", "Fine."),
    ]  # fmt: skip
    assert found[0].ended is not None
    assert found[0].ended.second == 2
    assert (found[1].calls[0].name, found[2].results[0].status) == ("get_line", "error")


def test_whole_words_get_their_blanks_back_and_silence_ends_a_turn() -> None:
    """Who speaks again after a pause takes another turn; speech without words is a placeholder."""

    def tick(*words: str | None) -> dict[str, Any]:
        agent, user = ({"content": word, "contains_speech": word is not None} for word in words)
        return {"agent_chunk": agent, "user_chunk": user}

    found = turns([tick("one", None), tick("two", ""), tick(None, ""), tick("three", None)], Pointer(file="f"))
    assert [(each.role, each.text) for each in found] == [
        ("assistant", "one two"), ("user", "[audio]"), ("assistant", "three"),
    ]  # fmt: skip
