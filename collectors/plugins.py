"""Collectors of other packages, by the entry point group `tracer.collectors`; the built-in ones come through here, too.

A plug-in is foreign code that the user has installed: it is asked before the built-in formats. One that cannot be
loaded, or stumbles over a file, gives one line and stops nothing else.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.errors import BadInputError, TracerError

GROUP = "tracer.collectors"


class Plugins(NamedTuple):
    """What is installed."""

    collectors: tuple[Collector, ...]
    """In the order of their names, each guarded."""
    troubles: tuple[str, ...]
    """One line for each that cannot be used."""


def load(entry: EntryPoint) -> Collector:
    """The collector behind an entry point; BadInputError where there is none."""
    found = entry.load()
    if not isinstance(found, Collector):
        raise BadInputError(f"{entry.value} is {type(found).__name__}, not a tracer.collectors.Collector")
    return found


def built_in(module: str) -> Collector:
    """A collector of our own: an error in it is ours, and shows."""
    return load(EntryPoint(module, f"tracer.collectors.{module}:COLLECTOR", GROUP))


@cache
def installed(taken: frozenset[str]) -> Plugins:
    """The plug-ins of this environment, looked up once; `taken` are the names that they may not have."""
    collectors: dict[str, Collector] = {}
    troubles = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            collector = load(entry)
            if collector.name in taken or collector.name in collectors:
                raise BadInputError(f"there is a format {collector.name!r} already")
        except Exception as error:  # noqa: BLE001 (foreign code may fail in any way)
            troubles.append(f"plug-in {entry.name} ({_origin(entry)}) is left out: {_reason(error)}")
        else:
            collectors[collector.name] = guarded(collector, _origin(entry))
    return Plugins(tuple(collectors.values()), tuple(troubles))


def guarded(collector: Collector, origin: str) -> Collector:
    """The same collector, whose own errors are told in one line."""

    def detect(container: Container) -> str | None:
        try:
            return collector.detect(container)
        except Exception as error:  # noqa: BLE001 (foreign code may fail in any way)
            return f"the plug-in {origin} failed: {_reason(error)}"

    def read(container: Container) -> Batch:
        try:
            found = collector.read(container)
        except TracerError:
            raise
        except Exception as error:
            raise BadInputError(f"{container.source}: the plug-in {origin} failed: {_reason(error)}") from error
        if not isinstance(found, Batch):
            raise BadInputError(f"{container.source}: the plug-in {origin} gave {type(found).__name__}, not a Batch")
        return found

    return Collector(collector.name, detect, read)  # never cut: what foreign code says of its lines is not relied on


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _reason(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, TracerError) else f"{type(error).__name__}: {text}"
