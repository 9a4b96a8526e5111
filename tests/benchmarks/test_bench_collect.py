"""What the receiver bears: spans a second from the SDK's exporter, time until it acknowledges, and kills.

TRACER_BENCH_SECONDS (60) is how long the load lasts, TRACER_BENCH_KILLS (20) how often the receiver is killed. The
client and the receiver, with its importing process, share the machine.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from pytest_benchmark.fixture import BenchmarkFixture

from tracer.store import Store

SECONDS = int(os.environ.get("TRACER_BENCH_SECONDS") or 60)
KILLS = int(os.environ.get("TRACER_BENCH_KILLS") or 20)
RATE = 2_000
ACKNOWLEDGED_WITHIN = 0.2
"""Seconds, for 99 of 100 requests."""
PER_TRACE = 20
MESSAGE = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "There are 157 bikes. " * 20}]}])


class Timed(OTLPSpanExporter):
    """The SDK's exporter, with a watch: what it delivered, and how long each request took."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint=endpoint)
        self.seconds: list[float] = []
        self.delivered = 0

    def export(self, spans: Any) -> SpanExportResult:
        began = time.perf_counter()
        result = super().export(spans)
        self.seconds.append(time.perf_counter() - began)
        self.delivered += len(spans) if result is SpanExportResult.SUCCESS else 0
        return result


class Collector:
    """A `tracer collect` of its own."""

    def __init__(self, database: Path) -> None:
        command = [sys.executable, "-m", "tracer", "collect", "--port", "0", "--db", str(database), "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = json.loads(self.process.stdout.readline())["port"]
        self._reading = threading.Thread(target=self.process.stdout.read)
        self._reading.start()

    def end(self, sign: int = signal.SIGTERM) -> None:
        """Stop it, and wait for the last import."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        self.process.wait(timeout=900)
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Collector]]:
    """Receivers on one database, ended with the test."""
    started: list[Collector] = []

    def build() -> Collector:
        started.append(Collector(tmp_path / "load.duckdb"))
        return started[-1]

    yield build
    for each in started:
        each.end(signal.SIGKILL)


def test_two_thousand_spans_a_second(
    benchmark: BenchmarkFixture, start: Callable[[], Collector], tmp_path: Path
) -> None:
    """None lost, and 99 of 100 requests acknowledged within 200 ms."""
    collector = start()
    exporter = Timed(f"http://127.0.0.1:{collector.port}/v1/traces")
    offered, lasted = benchmark.pedantic(lambda: load(exporter), rounds=1)  # type: ignore[no-untyped-call]
    began = time.monotonic()
    collector.end()
    times = sorted(exporter.seconds)
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    with Store.open(tmp_path / "load.duckdb", read_only=True) as store:
        [(stored,)] = store.database.all("SELECT count(DISTINCT (trace_id, span_id)) FROM spans")
    print(
        f"\noffered {offered:,} spans in {lasted:.1f} s ({offered / lasted:,.0f}/s), acknowledged "
        f"{exporter.delivered:,}, stored {stored:,}; {len(times)} requests, "
        f"p50 {times[len(times) // 2] * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, "
        f"longest {times[-1] * 1000:.0f} ms; imported {time.monotonic() - began:.1f} s after"
    )
    assert exporter.delivered == offered == stored
    assert offered / lasted >= 0.98 * RATE
    assert p99 <= ACKNOWLEDGED_WITHIN


def load(exporter: Timed) -> tuple[int, float]:
    """Make spans at the rate, as model calls of a run; how many, and how long that took with the last delivery."""
    provider = TracerProvider(shutdown_on_exit=False)
    processor = BatchSpanProcessor(exporter, max_queue_size=1 << 16, schedule_delay_millis=200)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("bench")
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "planner", "gen_ai.output.messages": MESSAGE}
    began = time.perf_counter()
    offered = 0
    while offered < RATE * SECONDS:
        with tracer.start_as_current_span("invoke_agent planner"):
            for _ in range(PER_TRACE - 1):
                tracer.start_span("chat", attributes=attributes).end()
        offered += PER_TRACE
        ahead = offered / RATE - (time.perf_counter() - began)
        if ahead > 0:
            time.sleep(ahead)
    lasted = time.perf_counter() - began
    provider.shutdown()
    return offered, lasted


def test_kills_lose_nothing_that_was_acknowledged(
    benchmark: BenchmarkFixture, start: Callable[[], Collector], tmp_path: Path
) -> None:
    """`kill -9` at random points of a steady stream."""
    acknowledged = benchmark.pedantic(lambda: kill_often(start, random.Random(1)), rounds=1)  # type: ignore[no-untyped-call]
    start().end()
    with Store.open(tmp_path / "load.duckdb", read_only=True) as store:
        stored = [found for (found,) in store.database.all("SELECT span_id FROM spans")]
        problems = store.verify()
    print(
        f"\n{KILLS} kills, {len(acknowledged):,} spans acknowledged, {len(acknowledged - set(stored))} lost, "
        f"{len(stored) - len(set(stored))} stored twice"
    )
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))
    assert problems == []


def kill_often(start: Callable[[], Collector], chance: random.Random) -> set[str]:
    """The ids of the spans that were acknowledged while receivers were killed and replaced."""
    acknowledged: set[str] = set()
    number = 0
    for _ in range(KILLS):
        collector = start()
        killer = threading.Timer(chance.uniform(0.05, 3), collector.process.kill)
        killer.start()
        while collector.process.poll() is None:
            number += 1
            if post(collector.port, number):
                acknowledged.add(f"{number:016x}")
        killer.join()
    return acknowledged


def post(port: int, number: int) -> bool:
    """Send one span; whether it was acknowledged."""
    said = {"gen_ai.operation.name": "chat", "gen_ai.output.messages": MESSAGE}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    span = {"traceId": f"{number // PER_TRACE + 1:032x}", "spanId": f"{number:016x}", "attributes": attributes}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
