"""The detection cascade: which collector reads which container."""

from __future__ import annotations

from tracer.collectors import plugins
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.errors import BadInputError, UnknownFormatError

BUILT_IN = (
    "otlp",
    "tempo",
    "jaeger",
    "otel_python",
    "langfuse",
    "agentops",
    "langsmith",
    "openai_agents",
    "tau_bench",
    "whowhen",
    "magentic",
    "ag2",
    "thought_anchors",
    "harmony",
    "r1_text",
    "provider",
    "chat",
)
"""The modules of the formats, in the order of the cascade: those with telling keys first, the forms that much else
contains last. A new format is one module here, and one line."""
COLLECTORS: tuple[Collector, ...] = tuple(map(plugins.built_in, BUILT_IN))

__all__ = ["COLLECTORS", "Batch", "Collector", "cascade", "recognise", "troubles"]


def cascade() -> tuple[Collector, ...]:
    """Every collector in the order in which they are asked: the installed plug-ins, then the built-in ones."""
    return (*_plugins().collectors, *COLLECTORS)


def troubles() -> tuple[str, ...]:
    """One line for each installed plug-in that cannot be used."""
    return _plugins().troubles


def _plugins() -> plugins.Plugins:
    return plugins.installed(frozenset(collector.name for collector in COLLECTORS))


def recognise(container: Container) -> Collector:
    """The first collector that calls the container its own; else one line that says why each did not.

    A member of an archive that could not be opened raises BadInputError here, so that the others still load.
    """
    if container.defect:
        raise BadInputError(container.defect)
    refusals = []
    for collector in cascade():
        refusal = collector.detect(container)
        if refusal is None:
            return collector
        refusals.append(f"{collector.name} ({refusal})")
    raise UnknownFormatError(f"{container.source}: not a format we know; tried {', '.join(refusals)}")
