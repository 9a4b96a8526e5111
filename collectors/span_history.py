"""What was said in a run, each thing once, however many spans repeat it.

A model call carries the whole history each time, a tool's answer comes back in the next history, and an agent's words
turn up in another agent's. So the n-th occurrence of a text, a call or an answer within one history stands for the
n-th time that it was said in the run: it is new only when the run knows fewer. What a model call puts out is always
new. That needs no common prefix, so trimmed, interleaved and nested histories all count once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import decode, json_text
from tracer.collectors.steps import handoff_target
from tracer.records import Pointer

Key = tuple[str, ...]
INSTRUCTIONS = frozenset({"system", "developer"})


class Source(NamedTuple):
    """The span that something was read from."""

    span_id: str
    agent: str | None
    """Whose span it is."""
    sender: str | None = None
    """The agent that this agent works for, if any: what it is told comes from there."""
    model: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    pointer: Pointer | None = None


class History:
    """The entries of a run in the order in which they were said; each becomes exactly one step."""

    def __init__(self) -> None:
        self.entries: list[Message] = []
        self.parents: dict[int, set[int]] = defaultdict(set)
        """Entries that the log itself names as an entry's origin."""
        self._known: dict[Key, list[int]] = defaultdict(list)
        self._instructed: set[str | None] = set()
        self._waiting: dict[int, Call] = {}
        """Calls that no tool's span has claimed, in order."""
        self._unnamed: list[int] = []
        """Calls that only a tool's span has told of, and under no id but its own."""
        self._spoken: set[int] = set()
        """Calls that a model's output has claimed."""
        self.answers: dict[int, int] = {}
        """Call -> its result."""
        self._received: dict[str | None, set[int]] = defaultdict(set)

    def hear(self, messages: Iterable[Message], source: Source) -> set[int]:
        """Read a history; the entries in it that its reader had not been given before."""
        counts: Counter[Key] = Counter()
        instructed = source.agent in self._instructed
        heard: set[int] = set()
        for part in (part for message in messages for part in _parts(message)):
            if part.role in INSTRUCTIONS:
                self._instruct(part, source, instructed)
                continue
            key = self._key(part)
            if part.calls and not self._known[key]:
                self._name(part.calls[0], source.agent)
            place = counts[key]
            counts[key] += 1
            known = self._known[key]
            if place < len(known):
                meant = self._meant(part, known, place)
                self._complete(meant, part)
                heard.add(meant)
            else:
                heard.add(self._add(self._attributed(part, source), source))
        fresh = heard - self._received[source.agent]
        self._received[source.agent] |= heard
        return fresh

    def say(self, messages: Sequence[Message], source: Source, tokens: tuple[int | None, int | None]) -> list[int]:
        """Record what a model call put out. Its tokens stand on its first entry."""
        said = [self._said(part, source) for message in messages for part in _spoken_parts(message)]
        if said:
            first = self.entries[said[0]]
            self.entries[said[0]] = first._replace(input_tokens=tokens[0], output_tokens=tokens[1])
        self._received[source.agent].update(said)
        return said

    def call(self, call: Call, source: Source) -> int:
        """A tool's span begins: the call that it answers, or a new one where no model's output shows it."""
        index = self._open_call(call, source.agent)
        if index is None:
            message = Message("assistant", agent=source.agent, calls=(call._replace(id=call.id or source.span_id),))
            index = self._add(message, source)
        elif not self.entries[index].calls[0].id or call.handoff_to:
            # Without an id nothing would join the two; the span's own is one.
            made = self.entries[index].calls[0]
            joined = made._replace(
                id=made.id or call.id or source.span_id, handoff_to=made.handoff_to or call.handoff_to
            )
            self.entries[index] = self.entries[index]._replace(calls=(joined,))
        self._waiting.pop(index, None)
        if not call.id and self.entries[index].calls[0].id == source.span_id:
            self._unnamed.append(index)
        return index

    def answer(self, result: Result, call: int, source: Source) -> int:
        """A tool's span ends: its result, which the next history may have shown already."""
        made = self.entries[call].calls[0]
        result = result._replace(id=made.id, name=made.name)
        known = self.answers.get(call)
        if known is None:
            self.answers[call] = self._add(Message("tool", results=(result,)), source, answers=call)
            return self.answers[call]
        shown = self.entries[known].results[0]
        merged = result._replace(content=shown.content or result.content)
        self.entries[known] = self.entries[known]._replace(results=(merged,), span_id=source.span_id)
        return known

    def _said(self, part: Message, source: Source) -> int:
        agent = source.agent or part.agent
        part = part._replace(agent=None if part.results else agent, model=source.model)
        if part.calls and (claimed := self._unspoken(part.calls[0])) is not None:
            kept = self.entries[claimed]
            self.entries[claimed] = part._replace(calls=kept.calls, started=kept.started, span_id=kept.span_id)
            self._spoken.add(claimed)
            if part.text.strip():
                self._known[_text_key(part)].append(claimed)
            return claimed
        index = self._add(part, source)
        if part.calls:
            self._spoken.add(index)
        return index

    def _name(self, call: Call, agent: str | None) -> None:
        """A history names a call that its tool's span told of without an id: from here on both names mean it."""
        for index in self._unnamed:
            made = self.entries[index].calls[0]
            if self.entries[index].agent == agent and _asks(made) == _asks(call):
                self._unnamed.remove(index)
                self._known[_call_key(call)].append(index)
                if call.id and index in self.answers:
                    self._known[("result", call.id)].append(self.answers[index])
                return

    def _unspoken(self, call: Call) -> int | None:
        """A call that a tool's span told of before the model's output did."""
        if not call.id:
            return None
        known = self._known.get(_call_key(call), ())
        return next((index for index in known if index not in self._spoken), None)

    def _open_call(self, call: Call, agent: str | None) -> int | None:
        """The call that a tool's span executes: by id, else by name and arguments, else the first of that name.

        Of several the same agent's: some servers number the calls of every conversation anew.
        """
        waiting = sorted(self._waiting.items(), key=lambda item: self.entries[item[0]].agent != agent)
        if call.id:
            by_id = [index for index, made in waiting if made.id == call.id]
            if by_id:
                return by_id[0]
            waiting = [(index, made) for index, made in waiting if not made.id]
        named = [(index, made) for index, made in waiting if made.name == call.name or _same_handoff(made, call)]
        same = [index for index, made in named if decode(made.arguments) == decode(call.arguments)]
        return next(iter(same or [index for index, _ in named]), None)

    def _instruct(self, part: Message, source: Source, instructed: bool) -> None:
        """Instructions that change from call to call (a date, a state) are one step, as they are one prompt."""
        key = self._key(part)
        if not instructed and not self._known[key]:
            self._add(part._replace(agent=part.agent or source.agent), source)
        self._instructed.add(source.agent)

    def _attributed(self, part: Message, source: Source) -> Message:
        """Who said what nobody's span shows: the named speaker, the agent itself, or whoever it works for."""
        if part.agent or part.results:
            return part
        if part.role == "assistant":
            return part._replace(agent=source.agent)
        sends = source.sender in self._received and any(entry.role == "user" for entry in self.entries)
        return part._replace(agent=source.sender if sends else None)

    def _add(self, message: Message, source: Source, answers: int | None = None) -> int:
        index = len(self.entries)
        self.entries.append(
            message._replace(started=source.started, ended=source.ended, span_id=source.span_id, pointer=source.pointer)
        )
        for key in _keys(message):
            self._known[key].append(index)
        self._waiting.update((index, call) for call in message.calls)
        for result in message.results if answers is None else ():
            self._pair(result, index)
        return index

    def _pair(self, result: Result, index: int) -> None:
        """Remember which call a result answers."""
        if result.id:
            calls = [made for made in self._known.get(("call", result.id), ()) if made not in self.answers]
            if calls:
                self.answers[calls[0]] = index

    def _key(self, part: Message) -> Key:
        """The key under which the run knows this part, if it does: an answer by its call's id, else by its text."""
        if part.calls:
            return _call_key(part.calls[0])
        if not part.results:
            return _text_key(part)
        answer = part.results[0]
        by_id, by_text = ("result", answer.id or ""), ("answer", _squeeze(answer.content))
        if not answer.id:
            return by_text
        if not self._known.get(by_id):
            return by_text if self._known.get(by_text) else by_id
        # Some servers number the calls of every conversation anew: one id, several calls, several answers.
        answered = len(self._known[by_id])
        reused = len(self._known.get(("call", answer.id), ())) > answered or answered > 1
        return by_text if reused else by_id

    def _meant(self, part: Message, known: Sequence[int], place: int) -> int:
        """Which of the entries under one key a history means: of calls with one id, the one with these arguments."""
        if len(known) > 1 and part.calls:
            asked = decode(part.calls[0].arguments)
            same = [index for index in known if decode(self.entries[index].calls[0].arguments) == asked]
            known = same or known
        return known[min(place, len(known) - 1)]

    def _complete(self, index: int, part: Message) -> None:
        """A history may hold the answer that the tool's own span did not record."""
        if part.results and self.entries[index].results:
            kept, shown = self.entries[index].results[0], part.results[0]
            if not kept.content and shown.content:
                kept = shown if kept.status == "unknown" else kept._replace(content=shown.content)
                self.entries[index] = self.entries[index]._replace(results=(kept,))


def _parts(message: Message) -> Iterator[Message]:
    """A message in parts that are known or new on their own: its words, each call, each result."""
    if message.text.strip() or not (message.calls or message.results):
        yield message._replace(calls=(), results=())
    bare = message._replace(text="", reasoning=None, reasoning_state="absent", reasoning_origin=None)
    for call in message.calls:
        yield bare._replace(calls=(call,), results=())
    for result in message.results:
        yield bare._replace(calls=(), results=(result,), role="tool", agent=None)


def _spoken_parts(message: Message) -> Iterator[Message]:
    """A model's output in parts of one step each: the words go with the first call."""
    bare = message._replace(text="", reasoning=None, reasoning_state="absent", reasoning_origin=None)
    for position, call in enumerate(message.calls):
        yield (message if position == 0 else bare)._replace(calls=(call,), results=())
    if not message.calls and (message.text.strip() or not message.results):
        yield message._replace(results=())
    for result in message.results:
        yield bare._replace(calls=(), results=(result,), role="tool")


def _keys(message: Message) -> list[Key]:
    """Under what an entry is known later. Roles do not count: one agent's answer is the next one's question."""
    keys: list[Key] = []
    for call in message.calls:
        keys.append(_call_key(call))
        keys += [("text", _squeeze(text)) for text in strings(decode(call.arguments))]
    for result in message.results:
        keys += [("result", result.id)] if result.id else []
        keys += [("answer", _squeeze(result.content)), ("text", _squeeze(result.content))]
    if message.text.strip() or not keys:
        keys.append(_text_key(message))
    return keys


def _text_key(message: Message) -> Key:
    return ("system" if message.role in INSTRUCTIONS else "text", _squeeze(message.text))


def _call_key(call: Call) -> Key:
    return ("call", call.id) if call.id else ("call", call.name, json_text(decode(call.arguments)))


def _asks(call: Call) -> tuple[str, Any]:
    return call.name, decode(call.arguments)


def _same_handoff(one: Call, other: Call) -> bool:
    """A hand-off's span may carry a name of its own: `handoff to billing` for the call `transfer_to_billing`."""
    hands_off, target = handoff_target(one)
    return hands_off and target is not None and handoff_target(other) == (True, target)


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def strings(value: Any) -> Iterator[str]:
    """The texts inside a value: of a call's arguments, what an agent is told through a tool."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
