"""The problem folders that the authors of Thought Anchors published (arXiv 2506.19143): labels, figures, replacements.

A folder holds `chunks_labeled.json` (one entry for each sentence), `chunks_resampled.json` (the sentences that
rollouts said in its place), `step_importance.json` and `base_solution.json`. Only the first is needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tracer.errors import BadInputError

LABELS, RESAMPLED, IMPACTS, BASE = (
    "chunks_labeled.json",
    "chunks_resampled.json",
    "step_importance.json",
    "base_solution.json",
)


class Sentence(NamedTuple):
    """One entry of the labels."""

    text: str
    number: int
    """Its number before too short ones were dropped."""
    tag: str
    """The first function tag; "" without one."""
    figures: Mapping[str, float]
    """Every field that holds a finite number."""
    replacements: tuple[str, ...] | None
    """What rollouts said in its place; None where no list is stored."""


class Trace(NamedTuple):
    """One problem folder."""

    name: str
    """MODEL/OUTCOME/PROBLEM, below the folder that was asked for."""
    sentences: tuple[Sentence, ...]
    text: str | None
    """Prompt and solution with the think tags, where stored."""
    impacts: Mapping[tuple[int, int], float]
    """(source, target) by original number -> importance"""

    @property
    def problem(self) -> str:
        """Traces of one problem share it."""
        return self.name.rpartition("/")[2]

    @property
    def labelled(self) -> int:
        """Sentences with a tag."""
        return sum(bool(sentence.tag) for sentence in self.sentences)


def traces(folder: Path) -> list[Trace]:
    """Every problem folder in and below a folder, by name; raises BadInputError where there is none."""
    found = sorted(path.parent for path in folder.rglob(LABELS))
    if not found:
        raise BadInputError(f"{folder}: no {LABELS} in it or below it; give a folder of published problems")
    return [read(each, each.relative_to(folder).as_posix()) for each in found]


def read(folder: Path, name: str) -> Trace:
    """One problem folder; raises BadInputError where a file is damaged or the labels are no list of sentences."""
    labels, lists = _json(folder / LABELS), _json(folder / RESAMPLED)
    if not isinstance(labels, list) or not all(isinstance(_of(each, "chunk"), str) for each in labels):
        raise BadInputError(f"{folder / LABELS}: not a list of sentences that each have a text 'chunk'")
    numbers = [_number(each, place) for place, each in enumerate(labels)]
    sentences = (_sentence(each, number, lists) for each, number in zip(labels, numbers, strict=True))
    text = _of(_json(folder / BASE), "full_cot")
    return Trace(
        name, tuple(sentences), text if isinstance(text, str) else None, dict(_impacts(_json(folder / IMPACTS)))
    )


def _json(path: Path) -> Any:
    """None where there is no such file."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path}: no whole JSON document; copy it again") from error


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _number(label: Any, place: int) -> int:
    index = _of(label, "chunk_idx")
    return index if isinstance(index, int) else place


def _sentence(label: Mapping[str, Any], number: int, lists: Any) -> Sentence:
    tags, stored = label.get("function_tags"), _of(lists, str(number))
    return Sentence(
        text=label["chunk"],
        number=number,
        tag=str(tags[0]) if isinstance(tags, list) and tags else "",
        figures={key: float(value) for key, value in label.items() if _finite(value)},
        replacements=tuple(t for t in stored if isinstance(t, str)) if isinstance(stored, list) else None,
    )


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _impacts(value: Any) -> Iterator[tuple[tuple[int, int], float]]:
    for source in value if isinstance(value, list) else []:
        targets = _of(source, "target_impacts")
        for target in targets if isinstance(targets, list) else []:
            pair, score = (
                (_of(source, "source_chunk_idx"), _of(target, "target_chunk_idx")),
                _of(target, "importance_score"),
            )
            if _finite(score) and isinstance(pair[0], int) and isinstance(pair[1], int):
                yield (pair[0], pair[1]), float(score)
