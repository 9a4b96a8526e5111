"""The lines of a Claude Code session -> its run: messages put together again, threads woven by time.

The API's message is written one line per block, under one `message.id`; its last line holds the final usage. A thread
is the session itself or one sub-agent; a sub-agent is joined to the Task or Agent call that started it by the agent
id in that call's result, by a progress line, or by the prompt. Of a conversation that was rewound, the branch that
goes on is told, and the lines that were left behind are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tracer.collectors.json_values import loads
from tracer.collectors.message import Message
from tracer.collectors.messages import normalise
from tracer.collectors.threads import Thread, weave
from tracer.collectors.times import utc
from tracer.records import Recording, Run, Span, Step, content_hash, run_id

NAME = "claude_code"
SAID = frozenset({"user", "assistant"})
MAIN = "claude"
_DELEGATES = frozenset({"Task", "Agent"})
_INTERRUPTED = "[Request interrupted by user"
_COUNTS = ("input_tokens", "output_tokens")


class Branch(NamedTuple):
    """The lines of the session or of one sub-agent, in their order, without those that were left behind."""

    key: str
    """"" for the session itself; else the sub-agent's id, or the first line's where it has none."""
    lines: tuple[Span, ...]
    abandoned: int = 0


def runs_from_lines(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """One run for each session that holds a step."""
    sessions: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        sessions[span.trace_id].append(span)
    found = [(_recording(session, lines), (session,)) for session, lines in sorted(sessions.items())]
    return [(recording, ids) for recording, ids in found if recording.steps]


def _recording(session: str, lines: Sequence[Span]) -> Recording:
    ordered = sorted(lines, key=_place)
    threads = _threads(ordered)
    calls = _delegations(ordered, threads)
    names = _names(threads, calls)
    steps = weave([_woven(thread, names[thread.key], calls.get(thread.key)) for thread in threads])
    return Recording(_run(session, ordered, threads, steps), steps)


def _place(span: Span) -> tuple[int, str, str]:
    """Lines in their order. Files of a session hold different threads, or the same lines again with more behind."""
    return int(span.attributes["order"]), span.pointer.file if span.pointer else "", span.span_id


def _line(span: Span) -> Mapping[str, Any]:
    line: Mapping[str, Any] = span.attributes["line"]
    return line


def _message(span: Span) -> Mapping[str, Any]:
    message = _line(span).get("message")
    return message if isinstance(message, Mapping) else {}


def _blocks(span: Span) -> list[Mapping[str, Any]]:
    content = _message(span).get("content")
    return [each for each in content if isinstance(each, Mapping)] if isinstance(content, list) else []


def _threads(ordered: Sequence[Span]) -> list[Branch]:
    """The session first, then the sub-agents in order of appearance."""
    keys: dict[str, str] = {}
    grouped: dict[str, list[Span]] = defaultdict(list)
    for span in ordered:
        key = ""
        if span.attributes["side"]:
            key = span.attributes["agent"] or keys.get(span.parent_id or "") or span.span_id
        keys[span.span_id] = key
        if span.name in SAID or _notice(span):
            grouped[key].append(span)
    return [_thread(key, grouped[key]) for key in sorted(grouped, key=lambda key: key != "")]


def _notice(span: Span) -> bool:
    """A system line with words of its own; hooks and timings have none."""
    content = _line(span).get("content")
    return span.name == "system" and isinstance(content, str) and bool(content.strip())


def _thread(key: str, lines: Sequence[Span]) -> Branch:
    """Drop the branches that another one, which goes on later, has replaced."""
    last = {span.span_id: place for place, span in enumerate(lines)}
    for span in reversed(lines):
        if span.parent_id in last:
            last[span.parent_id] = max(last[span.parent_id], last[span.span_id])
    turns: dict[str, list[Span]] = defaultdict(list)
    opened: set[str] = set()
    for span in lines:
        message = str(_message(span).get("id") or "")
        if _opens_turn(span) and message not in opened:
            turns[span.parent_id or ""].append(span)
        opened |= {message} if message else set()
    rivals = (
        sorted(each, key=lambda span: last[span.span_id])[:-1] for parent, each in turns.items() if parent in last
    )
    gone = {span.span_id for each in rivals for span in each}
    for span in lines:
        if span.parent_id in gone:
            gone.add(span.span_id)
    kept = tuple(span for span in lines if span.span_id not in gone)
    return Branch(key, kept, len(lines) - len(kept))


def _opens_turn(span: Span) -> bool:
    """A prompt, or the first line of a reply: two of them under one parent are rivals."""
    if span.name == "assistant":
        return True
    answers = any(block.get("type") == "tool_result" for block in _blocks(span))
    line = _line(span)
    return span.name == "user" and not answers and not line.get("isMeta") and not line.get("isCompactSummary")


def _delegations(ordered: Iterable[Span], threads: Sequence[Branch]) -> dict[str, Mapping[str, Any]]:
    """Thread -> the call that started it."""
    calls = {
        str(block.get("id")): block
        for span in ordered
        for block in _blocks(span)
        if block.get("type") == "tool_use" and str(block.get("name")) in _DELEGATES
    }
    found: dict[str, Mapping[str, Any]] = {}
    for span in ordered:
        for agent, call in _named_in(span):
            if call in calls:
                found.setdefault(agent, calls[call])
    taken = {str(call.get("id")) for call in found.values()}
    for thread in threads:
        prompt = _first_words(thread)
        if thread.key and thread.key not in found:
            match = next((c for i, c in calls.items() if i not in taken and prompt and _prompt(c) == prompt), None)
            if match is not None:
                found[thread.key] = match
                taken.add(str(match.get("id")))
    return found


def _named_in(span: Span) -> Iterable[tuple[str, str]]:
    """Pairs of agent and call id that a result or a progress line states."""
    line = _line(span)
    result, data = line.get("toolUseResult"), line.get("data")
    if isinstance(result, Mapping) and isinstance(result.get("agentId"), str):
        yield from ((result["agentId"], str(block.get("tool_use_id"))) for block in _blocks(span))
    if isinstance(data, Mapping) and isinstance(data.get("agentId"), str):
        yield data["agentId"], str(line.get("parentToolUseID"))


def _first_words(thread: Branch) -> str:
    first = next((span for span in thread.lines if span.name == "user"), None)
    return "" if first is None else normalise(_message(first)).text.strip()


def _prompt(call: Mapping[str, Any]) -> str:
    return str(_input(call).get("prompt") or "").strip()


def _input(call: Mapping[str, Any]) -> Mapping[str, Any]:
    given = call.get("input")
    return given if isinstance(given, Mapping) else {}


def _names(threads: Sequence[Branch], calls: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The session's agent, and each sub-agent by its type; by its id, too, where several are of one type."""
    kinds = {each.key: str(_input(calls.get(each.key, {})).get("subagent_type") or "") for each in threads if each.key}
    counted = Counter(kinds.values())
    names = {"": MAIN}
    for key, kind in kinds.items():
        names[key] = f"agent-{key}" if not kind else kind if counted[kind] == 1 else f"{kind} {key}"
    return names


def _woven(thread: Branch, agent: str, call: Mapping[str, Any] | None) -> Thread:
    """A thread with its messages; its call starts it, and brings its last word."""
    started = str(call.get("id")) if call else None
    answered = frozenset({started} if started else ())
    return Thread(thread.key, agent, list(_told(thread, agent)), started, answered)


def _told(thread: Branch, agent: str) -> Iterable[Message]:
    """What was said in a thread: a reply once whole, a result once, and nothing that was written again."""
    groups: dict[str, list[Span]] = defaultdict(list)
    for span in thread.lines:
        message = _message(span).get("id") if span.name == "assistant" else None
        groups[f"message {message}" if isinstance(message, str) and message else f"line {span.span_id}"].append(span)
    answered: set[str] = set()
    seen: set[str] = set()
    for lines in groups.values():
        if lines[0].name == "assistant":
            yield _reply(lines, agent)
            continue
        message = _heard(lines[0], agent)
        results = tuple(each for each in message.results if each.id is None or each.id not in answered)
        answered |= {each.id for each in results if each.id}
        again = content_hash([_line(lines[0]).get("timestamp"), message.text, len(message.results)])
        if (results or message.text.strip()) and (results or again not in seen):
            asked = bool(thread.key) and not seen and message.role == "user"
            seen.add(again)
            yield message._replace(results=results, agent=MAIN if asked else message.agent)


def _reply(lines: Sequence[Span], agent: str) -> Message:
    """The blocks of one API message, each once, with the usage of its last line."""
    blocks: dict[str, Any] = {}
    for span in lines:
        content = _message(span).get("content")
        for block in content if isinstance(content, list) else [content]:
            blocks.setdefault(content_hash(block), block)
    message = normalise({"role": "assistant", "content": list(blocks.values())}, lines[0].pointer)
    usage, model = _message(lines[-1]).get("usage"), _message(lines[-1]).get("model")
    counts = [usage.get(key) if isinstance(usage, Mapping) else None for key in _COUNTS]
    calls = tuple(
        call._replace(handoff_to=_delegate(call.arguments)) if call.name in _DELEGATES else call
        for call in message.calls
    )
    return message._replace(
        agent=agent,
        calls=calls,
        model=model if isinstance(model, str) and not model.startswith("<") else None,
        input_tokens=counts[0] if isinstance(counts[0], int) else None,
        output_tokens=counts[1] if isinstance(counts[1], int) else None,
        started=utc(_line(lines[0]).get("timestamp")),
        ended=utc(_line(lines[-1]).get("timestamp")),
        span_id=lines[0].span_id,
    )


def _delegate(arguments: str) -> str:
    """The type of the sub-agent that a call starts."""
    try:
        values = loads(arguments)
    except ValueError:
        values = {}
    kind = values.get("subagent_type") if isinstance(values, dict) else None
    return kind if isinstance(kind, str) and kind else "sub-agent"


def _heard(span: Span, agent: str) -> Message:
    """What a thread is given: a prompt, the results of tools, or a notice of the program."""
    line = _line(span)
    message = Message("system", str(line["content"])) if span.name == "system" else normalise(_message(span))
    started = utc(line.get("timestamp"))
    message = message._replace(agent=None, started=started, span_id=span.span_id, pointer=span.pointer)
    injected = line.get("isMeta") is True or line.get("isCompactSummary") is True
    if injected and not message.results:
        return message._replace(role="system", agent=agent if line.get("isCompactSummary") else None)
    details = line.get("toolUseResult")
    stopped = isinstance(details, Mapping) and details.get("interrupted") is True
    results = tuple(each._replace(status="error", rule="interrupted") if stopped else each for each in message.results)
    return message._replace(results=results)


def _run(session: str, ordered: Sequence[Span], threads: Sequence[Branch], steps: Sequence[Step]) -> Run:
    digest = content_hash([NAME, session])
    own = [span for thread in threads if not thread.key for span in thread.lines]
    source = next((span.pointer.file for span in own or ordered if span.pointer), "")
    times = [each for step in steps for each in (step.started, step.ended) if each]
    said = [step for step in steps if step.role in {"assistant", "user"} and step.kind == "message"]
    words = [step for step in said if not step.content.lstrip().startswith("<") and _INTERRUPTED not in step.content]
    return Run(
        id=run_id(digest),
        content_hash=digest,
        source=source,
        format=NAME,
        framework="claude-code",
        task=next((step.content for step in (*words, *said) if step.role == "user"), ""),
        answer=next((step.content for step in reversed(said) if step.agent == MAIN and step.role == "assistant"), None),
        started=min(times, default=None),
        ended=max(times, default=None),
        notes=_notes(ordered, threads),
    )


def _notes(ordered: Sequence[Span], threads: Sequence[Branch]) -> tuple[str, ...]:
    """What no step tells, counted."""
    told = {span.span_id for thread in threads for span in thread.lines}
    abandoned = sum(thread.abandoned for thread in threads)
    other = Counter(span.name for span in ordered if span.name not in SAID and span.span_id not in told)
    empty = sum(
        span.name in SAID and span.span_id in told and not isinstance(_message(span).get("content"), str | list)
        for span in ordered
    )
    notes = []
    if other:
        notes.append("lines that are no steps: " + ", ".join(f"{name} {n}" for name, n in sorted(other.items())))
    if empty:
        notes.append(f"{empty} messages without content")
    if abandoned:
        notes.append(f"{abandoned} lines of branches that were rewound are left out")
    return tuple(notes)
