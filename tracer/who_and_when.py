"""Runs in the form of Who&When (arXiv 2505.00212), as JSON files and as one Parquet table, so that others can use them.

A failure has `mistake_agent`, `mistake_step` (counted from 0, as text) and `mistake_reason`; a success has
`is_correct: true` and null in their places. One entry of `history` is one step: what was said, and on a new line the
arguments of its call. Reasoning is not part of the form and stays in the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tracer.errors import BadInputError, TracerError
from tracer.files import make_folder, write_whole
from tracer.records import Label, Recording
from tracer.rows import sane

TABLE = "synth.parquet"
"""Its presence says that a folder's numbered files are ours to replace."""
_USERS = frozenset({"user", "human"})

Entry = dict[str, Any]


def entry(recording: Recording, label: Label | None, more: Mapping[str, Any]) -> Entry:
    """One record; `more` are fields of our own beside those of the form."""
    run, steps = recording
    history = [
        {
            "content": sane(step.spoken),
            "role": "user" if step.agent.lower() in _USERS else "assistant",
            "name": sane(step.agent),
        }
        for step in steps
    ]
    return {
        "is_correct": label is None,
        "question": sane(run.task),
        "question_ID": run.group or run.parent or run.id,
        "ground_truth": run.expected,
        "history": history,
        "mistake_agent": None if label is None else sane(label.agent),
        "mistake_step": None if label is None else str(label.step),
        "mistake_reason": None if label is None else sane(label.reason),
        **more,
    }


def write(folder: Path, entries: Sequence[Entry]) -> list[Path]:
    """Write N.json for each entry, from 1, and all of them as one table; an earlier export there is replaced."""
    if not entries:
        raise TracerError("there is nothing to export")
    require(folder)
    make_folder(folder)
    table = write_whole(folder / TABLE, _parquet(entries))
    names = [folder / f"{number}.json" for number in range(1, len(entries) + 1)]
    for stale in set(_numbered(folder)) - set(names):
        stale.unlink()
    for path, each in zip(names, entries, strict=True):
        write_whole(path, orjson.dumps(each, option=orjson.OPT_INDENT_2) + b"\n")
    return [*names, table]


def require(folder: Path) -> None:
    """Refuse, before any work, a folder that holds something else than an earlier export."""
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is a file: name a folder for the runs")
    ours = {folder / TABLE, *_numbered(folder)} if (folder / TABLE).exists() else set()
    others = sorted(set(folder.iterdir()) - ours) if folder.is_dir() else []
    if others:
        raise BadInputError(f"{folder} holds {others[0].name}, which is no export of ours: name an empty or new folder")


def _numbered(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.json") if path.stem.isascii() and path.stem.isdigit()]


def _parquet(entries: Sequence[Entry]) -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(entries)), buffer)
    return buffer.getvalue()
