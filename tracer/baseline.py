"""What a gate compares with: how often runs failed in which way, counted once and kept in a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationError, model_validator

from tracer.errors import BadInputError
from tracer.files import write_whole
from tracer.records import Record, StepKind


class Trouble(Record):
    """A sign of trouble, and the failed runs that have it."""

    kind: str
    names: tuple[str, ...]
    failed: int


class Place(Record):
    """Where failed runs broke, as far as blame can tell."""

    agent: str
    kind: StepKind
    tool: str | None
    sign: str
    failed: int


class Baseline(Record):
    """Counts of some runs whose end is known."""

    format: Literal["blametrace baseline 1"] = "blametrace baseline 1"
    runs: int
    failed: int
    troubles: tuple[Trouble, ...] = ()
    places: tuple[Place, ...] = ()

    @model_validator(mode="after")
    def _is_of_its_runs(self) -> Self:
        """No count is negative or more than all runs; a run breaks at one place at most."""
        broke = [place.failed for place in self.places]
        counts = [self.failed, *broke, *(trouble.failed for trouble in self.troubles)]
        if min(counts) < 0 or max(*counts, sum(broke)) > self.runs:
            raise ValueError("counts that no runs have")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file; BadInputError says what to do where it is none."""
        how = "`tracer gate LOGS --write-baseline FILE` makes one"
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise BadInputError(f"{path}: cannot be read: {error.strerror}; {how}") from error
        except ValidationError as error:
            raise BadInputError(f"{path}: no baseline; {how}") from error

    def save(self, path: Path) -> Path:
        """Write the file, whole or not at all."""
        return write_whole(path, self.model_dump_json(indent=1).encode() + b"\n")
