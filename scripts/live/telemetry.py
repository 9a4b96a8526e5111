"""The OpenTelemetry SDK as its documentation sets it up: a batch processor and an OTLP/HTTP exporter.

Where to send is in OTEL_EXPORTER_OTLP_ENDPOINT, as ever; OTEL_EXPORTER_OTLP_PROTOCOL says `http/protobuf` or
`http/json`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from live.team import SCENARIO


def exporter() -> SpanExporter:
    """The SDK's own exporter for the protocol that is asked for."""
    kind = "json" if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "http/json" else "proto"
    made: SpanExporter = import_module(f"opentelemetry.exporter.otlp.{kind}.http.trace_exporter").OTLPSpanExporter()
    return made


def record(service: str, instrument: Callable[[TracerProvider], Any], work: Callable[[], str]) -> None:
    """Instrument, do the work inside one span, let a checker judge the answer there, and send everything."""
    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter()))
    instrument(provider)
    with provider.get_tracer("live").start_as_current_span(f"invoke_workflow {service}") as span:
        span.set_attributes({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": service})
        answer = work()
        span.add_event("gen_ai.evaluation.result", evaluation(answer))
    provider.shutdown()


def evaluation(answer: str) -> dict[str, Any]:
    """The checker's verdict, as OpenTelemetry's GenAI conventions put it into an event."""
    right = SCENARIO.expected in answer
    return {
        "gen_ai.evaluation.name": "answer_check",
        "gen_ai.evaluation.score.value": float(right),
        "gen_ai.evaluation.score.label": "pass" if right else "fail",
    }
