"""ATIF, the Agent Trajectory Interchange Format of Harbor: versions 1.0 to 1.8.

Before 1.7 a sub-agent's trajectory is a file of its own, which the parent's names by its path. So a document becomes a
span, and each path in it another one that binds the two files together, in whatever order they come; the runs are
derived from the documents by `atif_run`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from tracer.collectors.atif_run import DOCUMENT, NAME, Source, references_of, runs_from_documents, trajectories
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.records import Pointer, Span, content_hash

_PREFIX = "ATIF-"


def detect(container: Container) -> str | None:
    """Ours when the first value names a version of the format and has steps."""
    if not container.documents or not isinstance(value := container.documents[0].value, Mapping):
        return "no JSON object"
    version = value.get("schema_version")
    if not isinstance(version, str) or not version.startswith(_PREFIX):
        return f"no 'schema_version' that starts with {_PREFIX}"
    return None if "steps" in value else "no key 'steps'"


def read(container: Container) -> Batch:
    """The spans of each document."""
    return Batch(spans=tuple(_spans(container)), heads=True)


def _spans(container: Container) -> Iterator[Span]:
    """The document, known by the path of its file, and the paths that it refers to."""
    for document in container.documents:
        digest = content_hash(document.value)
        at = Pointer(file=container.source, line=document.line)
        line = f"#{document.line}" if document.line else ""
        file = os.path.normpath(os.path.abspath(container.source)) + line  # noqa: PTH100
        found = trajectories(Source(document.value, at, digest[:16], file), {})
        paths = {name for each in found for reference in references_of(each) for name in reference.names}
        for number, path in enumerate((file, *sorted(path for path in paths if os.path.isabs(path)))):  # noqa: PTH117
            held = {"document": document.value, "file": file} if number == 0 else {}
            yield Span(
                trace_id=digest[:32],
                span_id=digest[:16] if number == 0 else f"{digest[:16]} {number}",
                name=DOCUMENT if number == 0 else "reference",
                attributes={"session.id": path, **held},
                format=NAME,
                pointer=at,
            )


COLLECTOR = Collector(NAME, detect, read, runs_from_documents)
