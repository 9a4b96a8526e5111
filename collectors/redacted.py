"""What a collector read, without what must not be kept: the last thing that happens before the store."""

from __future__ import annotations

from typing import Any

from tracer.collectors.collector import Batch
from tracer.records import Pointer, Recording, Run, Span, Step, run_id
from tracer.redaction import Redactor

_RUN_TEXTS = ("task", "answer", "expected", "group")
_STEP_TEXTS = ("agent", "role", "content", "reasoning", "recipient", "tool", "arguments", "raw_time")
_SPAN_TEXTS = ("name", "service", "scope", "status_message")
_SPAN_VALUES = ("attributes", "events", "links", "resource")


def redacted(batch: Batch, redactor: Redactor) -> Batch:
    """The same runs, spans and events, redacted. Ids of calls, spans and traces stay, for they join the parts."""
    return Batch(
        tuple(
            Recording(_run(run, redactor), tuple(_step(step, redactor) for step in steps)) for run, steps in batch[0]
        ),
        tuple(_span(span, redactor) for span in batch.spans),
        tuple((place, redactor.value(event)) for place, event in batch.events),
    )


def _run(run: Run, redactor: Redactor) -> Run:
    """A run has another address than before: its content is another one."""
    digest = redactor.rehash(run.content_hash)
    labels = tuple(
        label.model_copy(update={"agent": redactor.text(label.agent), "reason": redactor.text(label.reason)})
        for label in run.labels
    )
    more = {"labels": labels, "notes": tuple(map(redactor.text, run.notes))}
    return run.model_copy(
        update={"id": run_id(digest), "content_hash": digest} | _texts(run, _RUN_TEXTS, redactor) | more
    )


def _step(step: Step, redactor: Redactor) -> Step:
    return step.model_copy(update=_texts(step, _STEP_TEXTS, redactor) | {"pointer": _pointer(step.pointer, redactor)})


def _span(span: Span, redactor: Redactor) -> Span:
    values = {name: _like(getattr(span, name), redactor) for name in _SPAN_VALUES}
    return span.model_copy(update=_texts(span, _SPAN_TEXTS, redactor) | values)


def _texts(record: Any, names: tuple[str, ...], redactor: Redactor) -> dict[str, str]:
    found = {name: getattr(record, name) for name in names}
    return {name: redactor.text(text) for name, text in found.items() if text}


def _like(value: Any, redactor: Redactor) -> Any:
    found = redactor.value(value)
    return tuple(found) if isinstance(value, tuple) else found


def _pointer(pointer: Pointer | None, redactor: Redactor) -> Pointer | None:
    """A place may be named by a key of the log."""
    if pointer is None or not pointer.path:
        return pointer
    return pointer.model_copy(update={"path": redactor.text(pointer.path)})
