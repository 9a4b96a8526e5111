"""Harmony, the format in which gpt-oss speaks: <|start|>author<|channel|>channel<|message|>text<|end|>.

The analysis channel is reasoning and goes with what it led to: the final answer, a call, or words to the user on the
commentary channel. A message `to=` a tool is a call, and the tool answers as the author of a message of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recordings
from tracer.collectors.lines import Lines
from tracer.collectors.message import Call, Message, Result
from tracer.collectors.tool_outcome import tool_outcome
from tracer.records import Pointer

NAME = "harmony"
ROLES = frozenset({"system", "developer", "user", "assistant"})
"""Any other author is a tool."""
_MESSAGE = re.compile(
    r"(?:<\|start\|>(?P<author>[^<]{0,200}))?"
    r"(?:<\|channel\|>(?P<channel>[^<]{0,200}))?"
    r"(?:<\|constrain\|>(?P<type>[^<]{0,80}))?<\|message\|>"
)
_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_RECIPIENT = re.compile(r"\bto=(\S{1,120})")
_NAMESPACE = re.compile(r"\Afunctions\.")
_CUT_OFF = "the text was cut off inside its last message"


class _Part(NamedTuple):
    """One message as it stands in the text."""

    author: str
    channel: str
    """analysis, commentary, final; "" where none is named."""
    recipient: str | None
    text: str
    ended: bool
    pointer: Pointer


def detect(container: Container) -> str | None:
    """Ours when a plain text has a message with its head."""
    if container.kind != "text":
        return "no text"
    found = _MESSAGE.search(container.text)
    return None if found and (found["author"] or found["channel"]) else "no <|start|> or <|channel|> with <|message|>"


def read(container: Container) -> Batch:
    """One run per conversation: each system message after the first begins one."""
    found = []
    for parts in _conversations(_parts(container)):
        notes = () if parts[-1].ended else (_CUT_OFF,)
        raw = [(part.author, part.channel, part.recipient, part.text) for part in parts]
        found.append(Conversation(raw, tuple(_messages(parts)), notes=notes))
    return Batch(recordings(found, container.source, NAME))


def _parts(container: Container) -> Iterator[_Part]:
    text, lines, position = container.text, Lines(container.text), 0
    while head := _MESSAGE.search(text, position):
        end = _END.search(text, head.end())
        # A completion does not repeat the `<|start|>assistant` that its prompt ended with.
        who = f"{head['author'] or 'assistant'} {head['channel'] or ''}"
        to = _RECIPIENT.search(who)
        yield _Part(
            author=_first(head["author"]) or "assistant",
            channel=_first(head["channel"]),
            recipient=to[1] if to else None,
            text=text[head.end() : end.start() if end else len(text)],
            ended=end is not None,
            pointer=Pointer(file=container.source, line=lines.at(head.start())),
        )
        position = head.end() if end is None else end.start()


def _first(head: str | None) -> str:
    """The author, or the channel, without the recipient that may follow it."""
    words = (head or "").split()
    return words[0] if words and not words[0].startswith("to=") else ""


def _conversations(parts: Iterator[_Part]) -> Iterator[list[_Part]]:
    held: list[_Part] = []
    for part in parts:
        if part.author == "system" and any(each.author == "assistant" for each in held):
            yield held
            held = []
        held.append(part)
    if held:
        yield held


def _messages(parts: list[_Part]) -> Iterator[Message]:
    """One message per part, but that an analysis waits for what it leads to."""
    waiting: _Part | None = None
    for part in parts:
        thinks = part.author == "assistant" and part.channel == "analysis" and part.recipient is None
        if waiting and (thinks or part.author != "assistant"):
            yield _thinking(Message("assistant", pointer=waiting.pointer), waiting)
            waiting = None
        if thinks:
            waiting = part
        else:
            yield _thinking(_message(part), waiting)
            waiting = None
    if waiting:
        yield _thinking(Message("assistant", pointer=waiting.pointer), waiting)


def _thinking(message: Message, thought: _Part | None) -> Message:
    if thought is None or not thought.text.strip():
        return message
    return message._replace(reasoning=thought.text, reasoning_state="present", reasoning_origin="analysis channel")


def _message(part: _Part) -> Message:
    if part.author not in ROLES:
        name, outcome = _NAMESPACE.sub("", part.author), tool_outcome(part.text)
        result = Result(part.text, None, name, outcome.status, outcome.rule)
        return Message("tool", results=(result,), pointer=part.pointer)
    if part.author == "assistant" and part.recipient and part.recipient not in {"user", "assistant"}:
        call = Call(_NAMESPACE.sub("", part.recipient), part.text)
        return Message("assistant", calls=(call,), pointer=part.pointer)
    return Message(part.author, part.text, pointer=part.pointer)


COLLECTOR = Collector(NAME, detect, read)
