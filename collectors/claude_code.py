"""Claude Code: the lines of a session, and of the sub-agents that it started, in files of their own or inline.

A line becomes a span of the session's trace, so that the files of one session join in any order; the session's run is
derived from the lines by `claude_session`. Seen: 1.0, 2.0 and 2.1; entries of unknown types are kept and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from tracer.collectors.claude_session import NAME, SAID, runs_from_lines
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.collectors.json_values import Document
from tracer.collectors.times import nanoseconds, utc
from tracer.records import Pointer, Span, content_hash

_KEYS = ("sessionId", "uuid", "parentUuid", "type")
_SAMPLE = 200
"""A session may open with as many lines of bookkeeping."""
_BULKY = ("toolUseResult", "snapshot")
"""What a tool brought stands in the message, too; of the structured copy only the links are kept."""
_LINKS = ("agentId", "status", "interrupted")


def detect(container: Container) -> str | None:
    """Ours when an entry has the keys of the tree and of the session."""
    values = [each.value for each in container.documents[:_SAMPLE] if isinstance(each.value, Mapping)]
    if not values:
        return "no JSON object"
    if any(all(key in value for key in _KEYS) for value in values):
        return None
    if all(value.get("type") == "summary" and "leafUuid" in value for value in values):
        return None
    return "no line with 'sessionId', 'uuid' and 'parentUuid'"


def read(container: Container) -> Batch:
    """The spans of one file, which is one session's: the one it is named after, else the one that most lines name.

    A session that was resumed begins with lines of the one before.
    """
    counted = Counter(
        value["sessionId"]
        for value in (each.value for each in container.documents)
        if isinstance(value, Mapping) and str(value.get("type")) in SAID and isinstance(value.get("sessionId"), str)
    )
    if not counted:
        return Batch()
    stem = PurePath(container.source).name.partition(".")[0]
    session = stem if stem in counted else counted.most_common(1)[0][0]
    spans = _spans(container, session)
    return Batch(spans=spans, heads=any(not span.attributes["side"] for span in spans if span.name in SAID))


def _spans(container: Container, session: str) -> tuple[Span, ...]:
    """Each line once; an identifier that comes back with other content stands for another line."""
    found: dict[str, Span] = {}
    for document in container.documents:
        span = _span(document, session, container.source)
        known = found.get(span.span_id)
        if known is not None and known.attributes != span.attributes:
            span = span.model_copy(update={"span_id": f"{span.span_id} {content_hash(document.value)[:8]}"})
        found.setdefault(span.span_id, span)
    return tuple(found.values())


def _span(document: Document, session: str, source: str) -> Span:
    """One line; what is no object, or has no identifier, is known by its content."""
    line = document.value if isinstance(document.value, Mapping) else {"type": "?", "value": document.value}
    kind, parent = line.get("type"), line.get("parentUuid")
    time = nanoseconds(utc(line.get("timestamp")))
    agent = line.get("agentId")
    return Span(
        trace_id=session,
        span_id=_text(line.get("uuid")) or content_hash(line)[:16],
        parent_id=_text(parent),
        name=kind if isinstance(kind, str) else "?",
        started_ns=time,
        ended_ns=time,
        attributes={
            "line": _slim(line),
            "side": line.get("isSidechain") is True,
            "agent": agent if isinstance(agent, str) else None,
            "order": document.line or 1,
        },
        format=NAME,
        pointer=Pointer(file=source, line=document.line),
    )


def _slim(line: Mapping[str, Any]) -> dict[str, Any]:
    """The line without what it says twice."""
    slim = {key: value for key, value in line.items() if key not in _BULKY}
    result = line.get("toolUseResult")
    if isinstance(result, str):
        slim["toolUseResult"] = result[:200]
    elif isinstance(result, Mapping):
        slim["toolUseResult"] = {key: result[key] for key in _LINKS if key in result}
    return slim


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


COLLECTOR = Collector(NAME, detect, read, runs_from_lines)
