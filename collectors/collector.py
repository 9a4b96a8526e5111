"""What a log format is to the rest of the program: a name, a detector and a reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tracer.collectors.container import Container
from tracer.records import Recording, Span


class Batch(NamedTuple):
    """What one container held: whole runs, or spans that join the runs of their trace."""

    recordings: tuple[Recording, ...] = ()
    spans: tuple[Span, ...] = ()
    events: tuple[tuple[tuple[str, str], dict[str, Any]], ...] = ()
    """Events of spans that the container does not hold: (trace id, span id), and the event as `Span.events` has it."""
    part_of: str | None = None
    """The file of which this one is a part, where the format says so."""


class Collector(NamedTuple):
    """A log format.

    `detect` looks at the path and the first values of a container and returns None when the format is its own, else
    in a few words why not ("no key 'history'"). `read` turns the container into records; it raises BadInputError
    with one line when the content breaks its own format. `divide` says how many of the first values can be read
    without those that follow, or -1 where none ever can; without it, a file is always read as a whole.
    """

    name: str
    detect: Callable[[Container], str | None]
    read: Callable[[Container], Batch]
    divide: Callable[[Container], int] | None = None
