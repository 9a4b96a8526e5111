"""The detection cascade: which collector reads which container."""

from __future__ import annotations

from collections.abc import Sequence

from tracer.collectors import (
    ag2,
    agentops,
    atif,
    autogen,
    chat,
    chatdev,
    claude_code,
    codex_cli,
    crewai,
    gemini_cli,
    harmony,
    inspect_ai,
    jaeger,
    langchain,
    langfuse,
    langsmith,
    magentic,
    mini_swe_agent,
    openai_agents,
    openhands,
    otel_python,
    otlp,
    provider,
    r1_text,
    smolagents,
    swe_agent,
    tau2_bench,
    tau_bench,
    tempo,
    thought_anchors,
    whowhen,
)
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.errors import BadInputError, UnknownFormatError
from tracer.records import Recording, Span

COLLECTORS: tuple[Collector, ...] = (
    otlp.COLLECTOR,
    tempo.COLLECTOR,
    jaeger.COLLECTOR,
    otel_python.COLLECTOR,
    langfuse.COLLECTOR,
    agentops.COLLECTOR,
    langsmith.COLLECTOR,
    openai_agents.COLLECTOR,
    atif.COLLECTOR,
    swe_agent.COLLECTOR,
    mini_swe_agent.COLLECTOR,
    inspect_ai.COLLECTOR,
    tau2_bench.COLLECTOR,
    tau_bench.COLLECTOR,
    whowhen.COLLECTOR,
    magentic.COLLECTOR,
    openhands.COLLECTOR,
    claude_code.COLLECTOR,
    codex_cli.COLLECTOR,
    gemini_cli.COLLECTOR,
    ag2.COLLECTOR,
    thought_anchors.COLLECTOR,
    langchain.COLLECTOR,
    autogen.COLLECTOR,
    crewai.COLLECTOR,
    smolagents.COLLECTOR,
    chatdev.COLLECTOR,
    harmony.COLLECTOR,
    r1_text.COLLECTOR,
    provider.COLLECTOR,
    chat.COLLECTOR,
)
"""In the order of the cascade: formats with telling keys first, the forms that much else contains last."""

__all__ = ["COLLECTORS", "Batch", "Collector", "derive", "recognise"]


def recognise(container: Container) -> Collector:
    """The first collector that calls the container its own; else one line that says why each did not.

    A member of an archive that could not be opened raises BadInputError here, so that the others still load.
    """
    if container.defect:
        raise BadInputError(container.defect)
    refusals = []
    for collector in COLLECTORS:
        refusal = collector.detect(container)
        if refusal is None:
            return collector
        refusals.append(f"{collector.name} ({refusal})")
    raise UnknownFormatError(f"{container.source}: not a format we know; tried {', '.join(refusals)}")


def derive(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """The runs in the spans of whole traces: each format's by its own rules, the rest as telemetry."""
    own = {collector.name: collector.derive for collector in COLLECTORS if collector.derive}
    found = []
    for name, each in own.items():
        if mine := [span for span in spans if span.format == name]:
            found += each(mine)
    if rest := [span for span in spans if span.format not in own]:
        from tracer.collectors.spans import runs_from_spans

        found += runs_from_spans(rest)
    return found
