"""The lines of Codex rollouts -> runs: response items are what was said, events only add how it went.

Events repeat the text of the items, so of them only exit codes, token counts, errors and the threads of sub-agents are
read. Reasoning is encrypted as a rule: it is there, and unreadable. A sub-agent's rollout is joined to the thread that
started it by `parent_thread_id`, or by the id that the starting call brought.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tracer.collectors.message import Call, Message, Result
from tracer.collectors.messages import ITEM_CALLS, ITEM_RESULTS, decode, merge_reasoning, normalise
from tracer.collectors.threads import Thread, weave
from tracer.collectors.times import utc
from tracer.collectors.tool_outcome import ToolOutcome, tool_outcome
from tracer.records import Recording, Run, Span, Step, content_hash, run_id

NAME = "codex_cli"
MAIN = "codex"
SPAWN = "spawn_agent"
WAITS = frozenset({"wait_agent", "wait"})
ITEMS = frozenset({"message", "reasoning", *ITEM_CALLS, *ITEM_RESULTS})
"""Kinds of response items that say something."""
_EXITED = re.compile(r"^(?:Process exited with code|Exit code:)\s*(-?\d+)\s*$", re.MULTILINE)
_RUNNING = re.compile(r"^Process running with session ID (\S+)", re.MULTILINE)
_OUTPUT = re.compile(r"^(?:Output|Total output lines: \d+):?[ \t]*\n?", re.MULTILINE)
_REFUSED = re.compile(r"\A[\w .`'-]{1,60}\bfailed\b")
_INJECTED = ("# AGENTS.md instructions", "<environment_context>", "<user_instructions>", "<permissions instructions>")
"""Opens what the program says in the user's place."""
_NOTICES = {"error": "message", "stream_error": "message", "turn_aborted": "reason"}
"""Events that no item repeats -> the key of their words."""


class _Facts(NamedTuple):
    """What the events of a thread state about its calls."""

    exits: Mapping[str, ToolOutcome]
    """Call -> how it ended."""
    reported: frozenset[str]
    """Processes whose end a later result reports."""


def runs_from_lines(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """One run for each thread that no other one started, with those that it started."""
    threads: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: (int(span.attributes["order"]), span.span_id)):
        threads[span.trace_id].append(span)
    parents = _parents(threads)
    families: dict[str, list[str]] = defaultdict(list)
    for thread in threads:
        families[_root(thread, parents)].append(thread)
    found = [
        (_recording(root, sorted(family, key=lambda t: (t != root, t)), threads), tuple(sorted(family)))
        for root, family in sorted(families.items())
    ]
    return [(recording, ids) for recording, ids in found if recording.steps]


def payload(span: Span) -> Mapping[str, Any]:
    """What a line carries: its payload, or itself in the era before the envelope."""
    line: Mapping[str, Any] = span.attributes["line"]
    inner = line.get("payload")
    return inner if isinstance(inner, Mapping) else {} if "payload" in line else line


def parent_of(meta: Mapping[str, Any]) -> str | None:
    """The thread that started this one as its sub-agent, as the session's head says."""
    source = meta.get("source")
    spawn = source.get("subagent") if isinstance(source, Mapping) else None
    spawn = spawn.get("thread_spawn", spawn) if isinstance(spawn, Mapping) else {}
    stated = [meta.get("parent_thread_id"), spawn.get("parent_thread_id") if isinstance(spawn, Mapping) else None]
    if isinstance(source, Mapping):  # without it a fork is the user's own: another run
        stated.append(meta.get("forked_from_id"))
    return next((each for each in stated if isinstance(each, str) and each), None)


def started_in(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """The call and the thread that an event, or the call's own result, says it started."""
    if body.get("type") == "collab_agent_spawn_end":
        call, thread = body.get("call_id"), body.get("new_thread_id")
    else:
        brought = decode(body.get("output")) if body.get("type") == "function_call_output" else None
        call, thread = body.get("call_id"), brought.get("agent_id") if isinstance(brought, Mapping) else None
    return (call, thread) if isinstance(call, str) and isinstance(thread, str) else None


def _parents(threads: Mapping[str, Sequence[Span]]) -> dict[str, str]:
    """Thread -> the one that started it, where both are here."""
    found = {}
    for thread, lines in threads.items():
        for span in lines:
            body = payload(span)
            if span.name == "session_meta" and body.get("id") == thread and (parent := parent_of(body)) in threads:
                found[thread] = parent
            if (started := started_in(body)) and started[1] in threads and started[1] != thread:
                found.setdefault(started[1], thread)
    return {child: parent for child, parent in found.items() if parent is not None}


def _root(thread: str, parents: Mapping[str, str]) -> str:
    seen = {thread}
    while (above := parents.get(thread)) is not None and above not in seen:
        thread = above
        seen.add(above)
    return thread


def _recording(root: str, family: Sequence[str], threads: Mapping[str, Sequence[Span]]) -> Recording:
    calls = {started[1]: started[0] for t in family for s in threads[t] if (started := started_in(payload(s)))}
    names = _names(root, family, threads)
    parents = _parents({thread: threads[thread] for thread in family})
    woven, counted = [], Counter[str]()
    for thread in family:
        lines = _own(threads[thread], threads.get(parents.get(thread, ""), ()))
        call = calls.get(thread)
        key = "" if thread == root else thread
        above = parents.get(thread, root)
        waits = _waits(threads[above], thread) if key else frozenset()
        messages = _messages(lines, names[thread], counted)
        woven.append(Thread(key, names[thread], messages, call, waits, "" if above == root else above))
    steps = weave(woven)
    return Recording(_run(root, threads[root], steps, counted), steps)


def _own(lines: Sequence[Span], above: Sequence[Span]) -> Sequence[Span]:
    """A thread without the history that it was started with: its parent's items, copied to its head."""
    known = {content_hash(payload(span)) for span in above if span.name == "response_item"}
    place = 0
    for number, span in enumerate(lines):
        if span.name == "response_item":
            if content_hash(payload(span)) not in known:
                break
            place = number + 1
    return lines[place:]


def _waits(lines: Sequence[Span], thread: str) -> frozenset[str]:
    """The calls of a parent that wait for the thread."""
    bodies = [payload(span) for span in lines]
    return frozenset(
        str(body.get("call_id"))
        for body in bodies
        if body.get("type") == "function_call" and body.get("name") in WAITS and thread in str(body.get("arguments"))
    )


def _names(root: str, family: Sequence[str], threads: Mapping[str, Sequence[Span]]) -> dict[str, str]:
    """The first agent, and each sub-agent by its role; by its id, too, where several have the same."""
    roles: dict[str, str] = {}
    for thread in family:
        for body in map(payload, threads[thread]):
            role = body.get("new_agent_role")
            if isinstance(role, str) and role and isinstance(body.get("new_thread_id"), str):
                roles[body["new_thread_id"]] = role
            if body.get("id") == thread and isinstance(stated := _role(body), str) and stated:
                roles.setdefault(thread, stated)
    counted = Counter(roles.get(thread) for thread in family)
    return {
        thread: MAIN if thread == root and thread not in roles else _name(thread, roles.get(thread), counted)
        for thread in family
    }


def _role(meta: Mapping[str, Any]) -> Any:
    if meta.get("agent_role"):
        return meta["agent_role"]
    source: Any = meta
    for key in ("source", "subagent", "thread_spawn", "agent_role"):
        source = source.get(key) if isinstance(source, Mapping) else None
    return source


def _name(thread: str, role: str | None, counted: Counter[str | None]) -> str:
    if not role:
        return f"agent-{thread[-8:]}"
    return role if counted[role] == 1 else f"{role} {thread[-8:]}"


class _Tokens(NamedTuple):
    """What one call of the model took."""

    place: int
    """How many messages stand before the line that says so."""
    read: int
    wrote: int


def _messages(lines: Sequence[Span], agent: str, counted: Counter[str]) -> list[Message]:
    """The items in their order, each with the model of its turn and with what the events say of it."""
    facts = _facts(lines)
    model: str | None = None
    found: list[Message] = []
    tokens: list[_Tokens] = []
    spent: Any = None
    for span in lines:
        body = payload(span)
        if isinstance(body.get("model"), str):
            model = body["model"]
        if message := _message(span, body, agent, model, facts):
            found.append(message)
        elif span.name == "response_item" or span.name not in _ENVELOPES:
            counted[str(body.get("type") or span.name)] += 1
        usage = body.get("info") if body.get("type") == "token_count" else None
        if isinstance(usage, Mapping) and usage.get("total_token_usage") != spent:  # else the same count once more
            spent = usage.get("total_token_usage")
            tokens.append(_tokens(len(found), usage.get("last_token_usage")))
    return merge_reasoning(_charged(found, tokens))


def _tokens(place: int, usage: Any) -> _Tokens:
    values = [usage.get(key) if isinstance(usage, Mapping) else 0 for key in ("input_tokens", "output_tokens")]
    read, wrote = (each if isinstance(each, int) else 0 for each in values)
    return _Tokens(place, read, wrote)


def _charged(messages: list[Message], tokens: Sequence[_Tokens]) -> list[Message]:
    """Each count on the first thing that its call of the model did, so that their sum is the session's.

    A call that did nothing (it was aborted, or compacted the history) is charged to what the agent did before.
    """
    acts = [n for n, message in enumerate(messages) if message.role == "assistant" and (message.text or message.calls)]
    acts = acts or [n for n, message in enumerate(messages) if message.role == "assistant"]
    before = 0
    for count in tokens:
        place = next((n for n in acts if before <= n < count.place), None)
        place = place if place is not None else max((n for n in acts if n < before), default=next(iter(acts), None))
        if place is not None:
            message = messages[place]
            messages[place] = message._replace(
                input_tokens=(message.input_tokens or 0) + count.read,
                output_tokens=(message.output_tokens or 0) + count.wrote,
            )
        before = count.place
    return messages


_ENVELOPES = frozenset({"session_meta", "turn_context", "event_msg", "response_item", "compacted", "state"})


def _message(span: Span, body: Mapping[str, Any], agent: str, model: str | None, facts: _Facts) -> Message | None:
    """The message of an item, of a compaction or of a notice; None for what says nothing new."""
    started = utc(span.attributes["line"].get("timestamp"))
    at = Message("system", started=started, span_id=span.span_id, pointer=span.pointer)
    if span.name == "compacted":
        return at._replace(text=str(body.get("message") or "history compacted"), agent=agent)
    if span.name == "event_msg":
        words = body.get(_NOTICES.get(str(body.get("type")), ""))
        return at._replace(text=f"{body['type']}: {words}") if words else None
    if span.name != "response_item" or str(body.get("type")) not in ITEMS:
        return None
    item = normalise(body)
    item = item._replace(started=started, span_id=span.span_id, pointer=span.pointer, agent=None)
    if item.role == "assistant":
        calls = tuple(_handed(call) if call.name == SPAWN else call for call in item.calls)
        return item._replace(agent=agent, model=model, calls=calls)
    if item.results:
        return item._replace(results=tuple(_judged(body.get("output"), each, facts) for each in item.results))
    injected = item.role == "user" and item.text.lstrip().startswith(_INJECTED)
    return item._replace(role="system") if injected else item


def _handed(call: Call) -> Call:
    arguments = decode(call.arguments)
    kind = arguments.get("agent_type") if isinstance(arguments, Mapping) else None
    return call._replace(handoff_to=kind if isinstance(kind, str) and kind else "sub-agent")


def _facts(lines: Sequence[Span]) -> _Facts:
    """Read ahead: a call's end may be told after its result."""
    exits: dict[str, ToolOutcome] = {}
    reported = set()
    polls: dict[str, str] = {}
    for body in map(payload, lines):
        call = str(body.get("call_id"))
        if stated := _stated(body):
            exits[call] = stated
        if body.get("type") == "function_call":
            arguments = decode(body.get("arguments"))
            polls[call] = str(arguments.get("session_id")) if isinstance(arguments, Mapping) else ""
        elif body.get("type") == "function_call_output" and _EXITED.search(str(body.get("output"))):
            reported.add(polls.get(call, ""))
    return _Facts(exits, frozenset(reported))


def _stated(body: Mapping[str, Any]) -> ToolOutcome | None:
    """How a call ended, as an event says."""
    kind, code = body.get("type"), body.get("exit_code")
    if kind == "exec_command_end" and isinstance(code, int):
        return tool_outcome("-", exit_code=code)
    if kind == "patch_apply_end" and isinstance(body.get("success"), bool):
        return ToolOutcome("ok" if body["success"] else "error", "patch_apply_end")
    if kind == "mcp_tool_call_end" and isinstance(body.get("result"), Mapping):
        inner = body["result"].get("Ok")
        failed = "Err" in body["result"] or (isinstance(inner, Mapping) and inner.get("is_error") is True)
        return ToolOutcome("error" if failed else "ok", "mcp_tool_call_end")
    return None


def _judged(output: Any, result: Result, facts: _Facts) -> Result:
    """A result with its outcome: what it says itself, else what the event of its call says, else its text.

    A command that still runs when its call returns is no failure yet: the result that reports its end is.
    """
    decoded = decode(output, levels=1)
    structured = decoded if isinstance(decoded, Mapping) else {}
    content = next((structured[key] for key in ("output", "content") if isinstance(structured.get(key), str)), None)
    content = result.content if content is None else content
    exited, running = _EXITED.search(content), _RUNNING.search(content)
    metadata = structured.get("metadata")
    code = metadata.get("exit_code") if isinstance(metadata, Mapping) else int(exited[1]) if exited else None
    stated = facts.exits.get(result.id or "")
    if isinstance(code, int):
        outcome = tool_outcome(_printed(content), exit_code=code)
    elif running and (running[1] in facts.reported or stated is None):
        outcome = ToolOutcome("unknown", "still running")
    elif stated is not None:
        outcome = stated
    elif structured.get("success") is False or _REFUSED.match(content):
        outcome = ToolOutcome("error", "success: false" if "success" in structured else "text: the tool says it failed")
    else:
        outcome = tool_outcome(_printed(content))
    return Result(content, result.id, result.name, *outcome)


def _printed(content: str) -> str:
    """What a command printed, behind the head that the tool puts before it."""
    label = _OUTPUT.search(content) if _EXITED.search(content) else None
    return content[label.end() :] if label else content


def _run(root: str, lines: Sequence[Span], steps: Sequence[Step], counted: Counter[str]) -> Run:
    digest = content_hash([NAME, root])
    times = [step.started for step in steps if step.started]
    own = [step for step in steps if step.kind == "message"]
    others = ", ".join(f"{kind} {count}" for kind, count in sorted(counted.items()))
    return Run(
        id=run_id(digest),
        content_hash=digest,
        source=next((span.pointer.file for span in lines if span.pointer), ""),
        format=NAME,
        framework="codex",
        task=next((step.content for step in own if step.role == "user"), ""),
        answer=next((step.content for step in reversed(own) if step.role == "assistant" and step.agent == MAIN), None),
        started=min(times, default=None),
        ended=max(times, default=None),
        notes=(f"lines that are no steps: {others}",) if others else (),
    )
