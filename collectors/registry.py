"""The detection cascade: which collector reads which container."""

from __future__ import annotations

from collections.abc import Sequence

from tracer.collectors import plugins
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.errors import TRIED, BadInputError, UnknownFormatError
from tracer.records import Recording, Span

BUILT_IN = (
    "otlp",
    "tempo",
    "jaeger",
    "otel_python",
    "langfuse",
    "agentops",
    "langsmith",
    "openai_agents",
    "atif",
    "swe_agent",
    "mini_swe_agent",
    "inspect_ai",
    "tau2_bench",
    "tau_bench",
    "whowhen",
    "magentic",
    "openhands",
    "claude_code",
    "codex_cli",
    "gemini_cli",
    "ag2",
    "thought_anchors",
    "langchain",
    "autogen",
    "crewai",
    "smolagents",
    "chatdev",
    "harmony",
    "r1_text",
    "provider",
    "chat",
)
"""The modules of the formats, in the order of the cascade: those with telling keys first, the forms that much else
contains last. A new format is one module here, and one line."""
COLLECTORS: tuple[Collector, ...] = tuple(map(plugins.built_in, BUILT_IN))

__all__ = ["COLLECTORS", "Batch", "Collector", "cascade", "derive", "recognise", "troubles"]


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

    Formats that refuse for the same reason stand before it together. A member of an archive that could not be opened
    raises BadInputError here, so that the others still load.
    """
    if container.defect:
        raise BadInputError(container.defect)
    names: dict[str, list[str]] = {}
    for collector in cascade():
        refusal = collector.detect(container)
        if refusal is None:
            return collector
        names.setdefault(refusal, []).append(collector.name)
    tried = "; ".join(f"{', '.join(each)} ({reason})" for reason, each in names.items())
    raise UnknownFormatError(f"{container.source}: not a format we know{TRIED}{tried}")


def derive(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """The runs in the spans of whole traces: each format's by its own rules, the rest as telemetry."""
    own = {collector.name: collector.derive for collector in cascade() if collector.derive}
    found = []
    for name, each in own.items():
        if mine := [span for span in spans if span.format == name]:
            found += each(mine)
    if rest := [span for span in spans if span.format not in own]:
        from tracer.collectors.spans import runs_from_spans

        found += runs_from_spans(rest)
    return found
