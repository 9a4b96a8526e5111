"""The detection cascade: which collector reads which container."""

from __future__ import annotations

from tracer.collectors import (
    ag2,
    agentops,
    chat,
    harmony,
    jaeger,
    langfuse,
    langsmith,
    magentic,
    openai_agents,
    otel_python,
    otlp,
    provider,
    r1_text,
    tau_bench,
    tempo,
    thought_anchors,
    whowhen,
)
from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.errors import BadInputError, UnknownFormatError

COLLECTORS: tuple[Collector, ...] = (
    otlp.COLLECTOR,
    tempo.COLLECTOR,
    jaeger.COLLECTOR,
    otel_python.COLLECTOR,
    langfuse.COLLECTOR,
    agentops.COLLECTOR,
    langsmith.COLLECTOR,
    openai_agents.COLLECTOR,
    tau_bench.COLLECTOR,
    whowhen.COLLECTOR,
    magentic.COLLECTOR,
    ag2.COLLECTOR,
    thought_anchors.COLLECTOR,
    harmony.COLLECTOR,
    r1_text.COLLECTOR,
    provider.COLLECTOR,
    chat.COLLECTOR,
)
"""In the order of the cascade: formats with telling keys first, the forms that much else contains last."""

__all__ = ["COLLECTORS", "Batch", "Collector", "recognise"]


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
