"""Plain text in which a model thinks between tags, as DeepSeek-R1 and its kin write it.

A completion, alone or after its prompt, or a conversation with the marks of its chat template.

What a tag encloses is the reasoning, byte for byte; what follows, up to the next thought or turn, is said. A text that
closes a thought that it never opened starts mid-thought: the opening tag stood in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.conversation import Conversation, recordings
from tracer.collectors.lines import Lines
from tracer.collectors.message import Message
from tracer.records import Pointer

NAME = "r1_text"
_TAGS = {"<think>": "</think>", "<thinking>": "</thinking>", "[THINK]": "[/THINK]", "◁think▷": "◁/think▷"}
_OPENING = re.compile(rf"^[ \t]*(?P<tag>{'|'.join(map(re.escape, _TAGS))})", re.MULTILINE)
"""At the head of a line or of a turn: prose about the tag opens nothing."""
_CLOSING = re.compile(rf"(?<!`)(?:{'|'.join(map(re.escape, _TAGS.values()))})")
_TURN = re.compile(
    r"<｜(?P<deepseek>User|Assistant)｜>"
    r"|<\|im_start\|>(?P<chatml>\w{1,40})\n"
    r"|<\|start_header_id\|>(?P<llama>\w{1,40})<\|end_header_id\|>\n\n"
)
_TURN_END = re.compile(
    r"(?:<｜end▁of▁sentence｜>|<｜begin▁of▁sentence｜>|<\|im_end\|>|<\|eot_id\|>|<\|begin_of_text\|>|<\|endoftext\|>)\n?"
)


class _Turn(NamedTuple):
    role: str | None
    """None where no mark in the text names it."""
    start: int
    end: int


class _Said(NamedTuple):
    """A stretch of text: words, or a thought with the words that follow it. Positions are in its turn's body."""

    start: int
    text: str
    reasoning: str = ""
    origin: str | None = None


def detect(container: Container) -> str | None:
    """Ours when a thought is opened or closed in a plain text."""
    if container.kind != "text":
        return "no text"
    found = _CLOSING.search(container.text) or _OPENING.search(container.text)
    return None if found else "no <think>"


def read(container: Container) -> Batch:
    """One run."""
    text, lines = container.text, Lines(container.text)
    messages = tuple(
        message._replace(pointer=Pointer(file=container.source, line=lines.at(start)))
        for turn in _turns(text)
        for start, message in _messages(text, turn)
    )
    notes = () if _CLOSING.search(text) else ("the text was cut off while thinking: nothing closes the thought",)
    return Batch(recordings([Conversation(text, messages, notes=notes)], container.source, NAME))


def _turns(text: str) -> Iterator[_Turn]:
    """The turns that the chat template's marks make; without marks one turn of nobody's."""
    marks = list(_TURN.finditer(text))
    if not marks:
        yield _Turn(None, 0, len(text))
        return
    lead = _TURN_END.match(text)
    yield _Turn("system", lead.end() if lead else 0, marks[0].start())
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        end = following.start() if following else len(text)
        stop = _TURN_END.search(text, mark.end(), end)
        yield _Turn(str(mark[str(mark.lastgroup)]).lower(), mark.end(), stop.start() if stop else end)


def _messages(text: str, turn: _Turn) -> Iterator[tuple[int, Message]]:
    """The messages of a turn, with their places: one per thought, and what was said after it. A blank turn has none."""
    body = text[turn.start : turn.end]
    thinks = turn.role in {None, "assistant"}
    for said in _said(body) if thinks else [_Said(0, body)]:
        if said.text.strip() or said.origin:
            # Without marks, what stands before the first thought is what the model was asked.
            message = Message(turn.role or ("assistant" if said.origin else "user"), said.text)
            if said.reasoning.strip():
                message = message._replace(
                    reasoning=said.reasoning, reasoning_state="present", reasoning_origin=said.origin
                )
            yield turn.start + said.start, message


def _said(body: str) -> Iterator[_Said]:
    """Cut a reply at its thoughts."""
    opened, closed = _OPENING.search(body), _CLOSING.search(body)
    if closed and (opened is None or closed.start() < opened.start("tag")):
        opened = _opened(body, closed.end())
        yield _Said(0, _until(body, closed.end(), opened), body[: closed.start()], "<think> opened in the prompt")
    else:
        yield _Said(0, _until(body, 0, opened))
    while opened:
        closed = _CLOSING.search(body, opened.end())
        end, after = closed.span() if closed else (len(body), len(body))
        following = _opened(body, after)
        yield _Said(opened.start("tag"), _until(body, after, following), body[opened.end() : end], opened["tag"])
        opened = following


def _opened(body: str, after: int) -> re.Match[str] | None:
    """The next thought of a reply that has thought before; an opening tag that nothing closes is prose by then."""
    opened = _OPENING.search(body, after)
    return opened if opened and _CLOSING.search(body, opened.end()) else None


def _until(body: str, start: int, opened: re.Match[str] | None) -> str:
    return body[start : opened.start("tag") if opened else len(body)]


COLLECTOR = Collector(NAME, detect, read)
