"""CrewAI's `output_log_file`, as JSON or as text: when each task was started, and what its agent made of it.

The crew hands a task over, and the agent answers; tools, models and tokens are not in this log. The file is appended
to, so that several runs may stand in it: a run begins where its first task is started again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tracer.collectors.chat import child, where
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.lines import Lines
from tracer.collectors.reasoning import Fragment, gather
from tracer.collectors.times import stated
from tracer.errors import BadInputError
from tracer.records import Pointer, Recording, Run, Step, content_hash, run_id

NAME = "crewai"
KEYS = ("timestamp", "task", "agent", "status")
STATES = ("started", "completed")
CREW = "crew"
"""Who hands the tasks over."""
_HEAD = re.compile(r'^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d): (?=(?:task_name|task)=")', re.MULTILINE)
_FIELDS = ("task_name", "task", "agent", "status", "output")
"""In the order in which the text form writes them, with nothing escaped in their values."""
_THOUGHT = re.compile(r"\A\s*Thought:(?P<thought>.*?)^Final Answer:\s*", re.DOTALL | re.MULTILINE)
"""What is left of the loop in which an agent reasons, where CrewAI did not take it off."""


class _Row(NamedTuple):
    """One entry of the log."""

    fields: Mapping[str, Any]
    at: Pointer

    @property
    def key(self) -> tuple[str, str]:
        """What tells a task: its name, or where it has none its words; and who works on it."""
        name = self.fields.get("task_name")
        return str(self.fields["task"] if name in {None, "None", ""} else name), self.agent

    @property
    def agent(self) -> str:
        return " ".join(str(self.fields["agent"]).split()) or "unknown"


def detect(container: Container) -> str | None:
    """Ours: an array of tasks that were started or completed, or the same as text."""
    if container.kind == "text":
        head = _HEAD.match(container.text.lstrip())
        return None if head and _read_text(container) else "no line '<time>: task_name=\"'"
    if container.kind != "json" or not isinstance(container.documents[0].value, list):
        return "no JSON array"
    first = container.documents[0].value[:1]
    return None if first and _is_row(first[0]) else "no 'task' with 'agent', 'timestamp' and a 'status' that we know"


def _is_row(value: Any) -> bool:
    return isinstance(value, Mapping) and all(key in value for key in KEYS) and value["status"] in STATES


def read(container: Container) -> Batch:
    """One run for each time that the crew was kicked off."""
    rows = _read_text(container) if container.kind == "text" else _read_json(container)
    return Batch(tuple(_recording(each, container.source) for each in _runs(rows)))


def _read_json(container: Container) -> list[_Row]:
    rows = []
    for position, value in enumerate(container.documents[0].value):
        at = child(Pointer(file=container.source), str(position))
        if not _is_row(value):
            raise BadInputError(f"{where(at)}: no task that was started or completed")
        rows.append(_Row(value, at))
    return rows


def _read_text(container: Container) -> list[_Row]:
    """Entries may run over several lines; what does not begin as an entry does belongs to the one before."""
    text, lines = container.text, Lines(container.text)
    heads = list(_HEAD.finditer(text))
    rows = []
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following else len(text)].rstrip()
        rows.append(
            _Row({"timestamp": head[1], **_fields(body)}, Pointer(file=container.source, line=lines.at(head.start())))
        )
    return [row for row in rows if _is_row(row.fields)]


def _fields(body: str) -> dict[str, str]:
    """`key="value", key="value"`: a value ends where the next key begins."""
    found: dict[str, str] = {}
    for position, key in enumerate(_FIELDS):
        opening = f'{key}="'
        if not body.startswith(opening):
            continue
        body = body[len(opening) :]
        ends = [end for later in _FIELDS[position + 1 :] if (end := body.find(f'", {later}="')) >= 0]
        end = min(ends) if ends else len(body.removesuffix('"'))
        found[key], body = body[:end], body[end + 3 :]
    return found


def _runs(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    current: list[_Row] = []
    for row in rows:
        if current and row.fields["status"] == "started" and row.key == current[0].key:
            yield current
            current = []
        current.append(row)
    if current:
        yield current


def _recording(rows: Sequence[_Row], source: str) -> Recording:
    steps: list[Step] = []
    open_: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.fields["status"] == "started":
            open_[row.key] = len(steps)
            steps.append(_handed_over(row, len(steps)))
        else:
            steps.append(_done(row, len(steps), open_.pop(row.key, None)))
    digest = content_hash([dict(row.fields) for row in rows])
    notes = [f"a task was started and never completed: {name} ({agent})" for name, agent in open_]
    run = Run(
        id=run_id(digest),
        content_hash=digest,
        source=source,
        format=NAME,
        framework=NAME,
        task=str(rows[0].fields["task"]).strip(),
        started=steps[0].started,
        ended=steps[-1].started,
        notes=tuple(notes),
    )
    return Recording(run, tuple(steps))


def _handed_over(row: _Row, index: int) -> Step:
    return Step(
        index=index,
        agent=CREW,
        kind="handoff",
        content=str(row.fields["task"]).strip(),
        recipient=row.agent,
        marks=("instruction",),
        pointer=row.at,
        **stated(row.fields["timestamp"]),
    )


def _done(row: _Row, index: int, started: int | None) -> Step:
    output = str(row.fields.get("output") or "")
    found = _THOUGHT.match(output)
    content, thought = gather(
        output[found.end() :] if found else output, [Fragment(found["thought"].strip(), "Thought:")] if found else []
    )
    return Step(
        index=index,
        agent=row.agent,
        kind="message",
        content=content,
        reasoning=thought.text,
        reasoning_state=thought.state,
        reasoning_origin=thought.origin,
        parents=() if started is None else (started,),
        pointer=row.at,
        **stated(row.fields["timestamp"]),
    )


COLLECTOR = Collector(NAME, detect, read)
