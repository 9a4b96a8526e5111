"""ChatDev 1.0 logs: plain text, a block for each turn of each phase's chat, in two layouts.

`[TIME INFO] Programmer: **Programmer<->Code Reviewer on : CodeReview, turn 0**`, then the system prompt in brackets and
the reply; in June 2023 `[TIME INFO] [0] AI Assistant (Programmer):`, with colours. The time reads YYYY-DD-MM.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.lines import Lines
from tracer.collectors.reasoning import gather, split_think
from tracer.collectors.tool_outcome import from_text
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording, Run, Step, content_hash, run_id

NAME = "chatdev"
_BLOCK = re.compile(r"^\[(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:INFO|WARNING|ERROR)\][ \t]*", re.MULTILINE)
_TURN = re.compile(
    r"(?P<agent>[^\n:*]{1,80}): \*\*(?P<one>[^\n*<>]{1,80})<->(?P<two>[^\n*<>]{1,80}) on ?: ?(?P<phase>[^\n*]{0,80}), "
    r"turn (?P<number>\d+)\*\*\s*"
)
_OLD_TURN = re.compile(r"\[(?P<number>\d+)\] AI (?P<side>User|Assistant) \((?P<agent>[^()\n]{1,80})\):\s*")
_OLD_END = re.compile(r"\[\d+\] AI (?:User|Assistant) \([^()\n]{1,80}\) terminated the chat")
_HEADED = re.compile(r"(?:System: )?\*\*\[(?P<head>[^\]\n]{1,60})\]\*\*:?\s*")
_PROMPT = re.compile(r"\[.*?\]\n\n", re.DOTALL)
"""The system prompt that stands before every reply, and again in the next turn."""
_COLOUR = re.compile(r"\x1b\[\d*m")
_TASK = re.compile(r"^\*\*task_prompt\*\*: (.+?)(?=\n\n\*\*|\Z)", re.MULTILINE | re.DOTALL)
_TOKENS = re.compile(r"^(prompt|completion)_tokens: (\d{1,12})", re.MULTILINE)
_HEAD = 200_000
"""Detection looks at this much of a text."""


class _Turn(NamedTuple):
    """What tells the chat in which a turn was taken, for the next turn to be its reply."""

    step: int
    chat: str
    side: str


def detect(container: Container) -> str | None:
    """Ours when a line begins as ChatDev's logger does and there is a turn of one of the two layouts."""
    if container.kind != "text":
        return "no plain text"
    text = container.text[:_HEAD]
    if not _BLOCK.match(text.lstrip()):
        return "no line '[YYYY-DD-MM hh:mm:ss INFO]' at its head"
    found = any(_TURN.match(body) or _OLD_TURN.match(body) for _, body, _ in _blocks(text))
    return None if found else "no turn, such as '**A<->B on : Phase, turn 0**'"


def read(container: Container) -> Batch:
    """One run; how it ended is not in the file."""
    reader = _Reader(container)
    if not reader.steps:
        raise BadInputError(f"{container.source}: no turns")
    digest = content_hash(container.text.encode())
    task = _TASK.search(container.text[:_HEAD])
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=container.source,
        format=NAME,
        framework="chatdev",
        task=task[1].strip() if task else "",
        started=reader.steps[0].started,
        ended=reader.steps[-1].started,
        notes=tuple(reader.notes()),
    )
    return Batch((Recording(run, tuple(reader.steps)),))


def _blocks(text: str) -> Iterator[tuple[str, str, int]]:
    """Time, text without colours, and position of each block."""
    heads = list(_BLOCK.finditer(text))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following else len(text)]
        yield head["time"], _COLOUR.sub("", body), head.start()


class _Reader:
    """Goes through the blocks and makes steps of them."""

    def __init__(self, container: Container) -> None:
        self.steps: list[Step] = []
        self._source = container.source
        self._left_out = 0
        self._usages: deque[dict[str, int]] = deque()
        """Tokens of the calls whose turns were not told yet: a pair of turns is told after both calls."""
        self._last: _Turn | None = None
        lines = Lines(container.text)
        for time, body, position in _blocks(container.text):
            self._block(body.strip(), _stamp(time) | {"pointer": Pointer(file=self._source, line=lines.at(position))})

    def _block(self, body: str, base: dict[str, Any]) -> None:
        if found := _TURN.match(body):
            other = found["two"] if found["agent"] == found["one"] else found["one"]
            prompt = _PROMPT.match(body, found.end())
            reply = body[prompt.end() if prompt else found.end() :]
            chat = f"{found['one']}<->{found['two']} {found['phase']}"
            self._turn(found["agent"], reply, (chat, found["agent"]), base | {"recipient": other})
        elif found := _OLD_TURN.match(body):
            role = f"AI {found['side']}"
            self._turn(found["agent"], body[found.end() :], ("", role), base | {"role": role})
        elif found := _HEADED.match(body):
            self._headed(found["head"], body[found.end() :], base)
        else:
            self._left_out += 1
            if _OLD_END.match(body):
                self._last = None

    def _turn(self, agent: str, reply: str, place: tuple[str, str], base: dict[str, Any]) -> None:
        """One reply; it answers the turn before it where that is of the same chat and by the other side."""
        text, inline = split_think(reply.strip())
        content, thought = gather(text, inline)
        thinks = {"reasoning": thought.text, "reasoning_state": thought.state, "reasoning_origin": thought.origin}
        before, usage = self._last, self._usages.popleft() if self._usages else {}
        chat, side = place
        parents = (before.step,) if before and before.chat == chat and before.side != side else ()
        self._last = _Turn(len(self.steps), chat, side)
        self._add(agent, "message", content, base | thinks | usage | {"parents": parents})

    def _headed(self, head: str, text: str, base: dict[str, Any]) -> None:
        """What ChatDev itself notes: instructions, conclusions, test reports and tokens; the rest is bookkeeping."""
        if head == "OpenAI_Usage_Info Receive":
            counted = {kind: int(count) for kind, count in _TOKENS.findall(text)}
            self._usages.append(
                {"input_tokens": counted.get("prompt", 0), "output_tokens": counted.get("completion", 0)}
            )
        elif head == "Start Chat":
            self._last = None
            self._add("System", "system", text, base)
        elif head == "Seminar Conclusion":
            self._add("System", "message", text, base)
        elif head == "Test Reports":
            outcome = from_text(text)
            told = {"tool": "test", "tool_status": outcome.status, "tool_rule": outcome.rule}
            self._add("test", "tool_result", text, base | told)
        else:
            self._left_out += 1

    def _add(self, agent: str, kind: Any, content: str, fields: dict[str, Any]) -> None:
        self.steps.append(Step(index=len(self.steps), agent=agent, kind=kind, content=content.strip(), **fields))

    def notes(self) -> Iterator[str]:
        """What was left out."""
        if self._left_out:
            yield f"{self._left_out} blocks of bookkeeping were left out (settings, requests, ends of chats)"
        if self._usages:
            yield f"the tokens of {len(self._usages)} calls belong to no turn that the log tells"


def _stamp(time: str) -> dict[str, Any]:
    """The logger's format is %Y-%d-%m, and it states no zone."""
    try:
        started = datetime.strptime(time, "%Y-%d-%m %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        started = None
    return {"started": started, "raw_time": time}


COLLECTOR = Collector(NAME, detect, read)
