"""tau2's voice simulations: ticks of a fifth of a second -> turns of the two speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracer.collectors.chat import child
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import arguments_text
from tracer.collectors.times import stated, utc
from tracer.collectors.tool_outcome import tool_outcome
from tracer.records import Pointer

SPEAKERS = {"agent": "assistant", "user": "user"}
_TEXTS = ("content", "audio_script_gold")
AUDIO = "[audio]"
"""What a turn says of which the log kept no words."""


class _Turn:
    """A row of ticks in which one speaker speaks."""

    def __init__(self, role: str, tick: Mapping[str, Any], at: Pointer) -> None:
        self.role, self.first, self.last, self.at = role, tick, tick, at
        self.texts: list[str] = []

    def add(self, tick: Mapping[str, Any], text: str) -> None:
        self.last = tick
        if text and self.texts[-1:] != [text]:  # some logs state the whole utterance in each of its ticks
            self.texts.append(text)

    def _words(self) -> str:
        """Pieces of a text as it was streamed, or whole words, which lost the blanks between them."""
        pieces = any(text != text.strip() for text in self.texts)
        return ("" if pieces else " ").join(self.texts).strip()

    def message(self) -> Message:
        return Message(
            self.role,
            self._words() or AUDIO,
            ended=utc(self.last.get("timestamp")),
            pointer=self.at,
            **stated(self.first.get("timestamp")),
        )


def turns(ticks: Sequence[Any], at: Pointer) -> list[Message]:
    """Turns in the order in which they began, with the calls and the results of tools between them."""
    open_: dict[str, _Turn] = {}
    found: list[_Turn | Message] = []
    for position, tick in enumerate(ticks):
        if not isinstance(tick, Mapping):
            continue
        here = child(at, str(position))
        for who, role in SPEAKERS.items():
            chunk = tick.get(f"{who}_chunk")
            chunk = chunk if isinstance(chunk, Mapping) else {}
            text = next((chunk[key] for key in _TEXTS if isinstance(chunk.get(key), str) and chunk[key]), "")
            if not (text or chunk.get("contains_speech")):
                open_.pop(who, None)
            else:
                if who not in open_:
                    open_[who] = _Turn(role, tick, child(here, f"{who}_chunk"))
                    found.append(open_[who])
                open_[who].add(tick, text)
            found += _tools(tick, chunk, who, role, here)
    return [each.message() if isinstance(each, _Turn) else each for each in found]


def _tools(tick: Mapping[str, Any], chunk: Mapping[str, Any], who: str, role: str, at: Pointer) -> list[Message]:
    """What a speaker's model called in this tick, and what came back."""
    listed = tick.get(f"{who}_tool_calls") or chunk.get("tool_calls")
    answers = tick.get(f"{who}_tool_results")
    calls = tuple(
        Call(str(each.get("name") or "tool"), arguments_text(each.get("arguments")), str(each.get("id") or "") or None)
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, Mapping)
    )
    results = tuple(
        _result(each) for each in (answers if isinstance(answers, list) else []) if isinstance(each, Mapping)
    )
    times = stated(tick.get("timestamp"))
    called = [Message(role, calls=calls, pointer=at, **times)] if calls else []
    return called + ([Message("tool", results=results, pointer=at, **times)] if results else [])


def _result(value: Mapping[str, Any]) -> Result:
    content = str(value.get("content") or "")
    error = value.get("error")
    is_error = error if isinstance(error, bool) else None
    return Result(content, str(value.get("id") or "") or None, None, *tool_outcome(content, is_error=is_error))
