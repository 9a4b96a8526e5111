"""`tracer collect`: receive telemetry from running agents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from tracer.cli.options import AsJson, Db, Redact, RedactPacks, RedactPatterns, redaction
from tracer.cli.output import hint, warn

Happening = Literal["listening", "imported", "trouble", "stopped"]


def collect(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port; 0 takes a free one.")] = 4318,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="TRACER_TOKEN",
            help="What clients must send as `Authorization: Bearer TOKEN`. Needed off this machine.",
        ),
    ] = None,
    redact: Redact = False,
    packs: RedactPacks = None,
    patterns: RedactPatterns = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Receive telemetry from running agents, until Ctrl-C.

    OTLP over HTTP, protobuf or JSON, on /v1/traces and /v1/logs. What is acknowledged is on disk, and enters the
    database within moments; `tracer watch`, `tracer blame` and all others work meanwhile. Needs the extra [serve].

    \b
    Example: OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python my_agents.py
    """
    import tracer

    def tell(what: Happening, figures: dict[str, Any]) -> None:
        _print_json(what, figures) if as_json else _print(what, figures)

    chosen = redaction(redact, packs, patterns)
    tracer.collect(db, host=host, port=port, token=token, redact=chosen, tell=tell)


def _print_json(what: Happening, figures: dict[str, Any]) -> None:
    """One object a line."""
    from tracer.schemas import CollectEvent
    from tracer.text import safe_json

    print(safe_json(CollectEvent(event=what, **figures).model_dump_json(exclude_none=True)), flush=True)


def _print(what: str, figures: dict[str, Any]) -> None:
    match what:
        case "listening":
            host, port = figures["host"], figures["port"]
            print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
            if figures["waiting_bytes"]:
                print(f"{figures['waiting_bytes']:,} bytes of an earlier receiver wait for the database", flush=True)
            hint("set OTEL_EXPORTER_OTLP_ENDPOINT to it for your agents; `tracer watch` shows their runs; Ctrl-C ends")
        case "imported":
            names = ("runs", "steps", "spans")
            print("added " + ", ".join(_counted(figures[name], name) for name in names), flush=True)
        case "trouble":
            warn(figures["error"])
        case "stopped":
            print(
                f"received {_counted(figures['spans'], 'spans')} and {_counted(figures['events'], 'events')}; "
                f"rejected {figures['rejected']:,}, refused {_counted(figures['refused'], 'requests')}",
                flush=True,
            )


def _counted(count: int, things: str) -> str:
    """`1 span`, `2,000 spans`"""
    return f"{count:,} {things.removesuffix('s') if count == 1 else things}"
