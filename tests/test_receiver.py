"""A live `tracer collect`, posted to by the OpenTelemetry SDK and by hand: what it takes, refuses, keeps and joins."""

from __future__ import annotations

import gzip
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
from typing import Any, NamedTuple

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode, Tracer

from tracer.collectors.receiver.segments import folder_of
from tracer.schemas import CollectEvent
from tracer.store import Store

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
JSON, PROTOBUF = "application/json", "application/x-protobuf"


class Reply(NamedTuple):
    """What came back."""

    code: int
    headers: dict[str, str]
    body: bytes


class Collector:
    """A `tracer collect` in a process of its own."""

    def __init__(self, database: Path, *arguments: str, **environment: str) -> None:
        self.database = database
        command = [sys.executable, "-m", "tracer", "collect", "--port", "0", "--db", str(database), "--json"]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        assert self.process.stdout is not None
        self.told: list[dict[str, Any]] = [json.loads(self.process.stdout.readline())]
        assert self.told[0]["event"] == "listening"
        self.port = int(self.told[0]["port"])
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str, body: bytes, **headers: str) -> Reply:
        """POST with these headers; underscores in their names stand for hyphens."""
        return self.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def end(self, sign: int = signal.SIGTERM) -> dict[str, Any]:
        """Stop it, and return the last thing that it told."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        self.process.wait(timeout=60)
        self._listening.join(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        for each in self.told:
            CollectEvent.model_validate(each)
        return self.told[-1]

    def imported(self, spans: int) -> None:
        """Wait until so many spans were told to be in the database."""
        deadline = time.monotonic() + 60
        while sum(each.get("spans", 0) for each in self.told if each["event"] == "imported") < spans:
            assert time.monotonic() < deadline, self.told
            time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """`start("--token", "x")`: a receiver on a free port and a database of the test's own, ended with the test."""
    started: list[Collector] = []

    def build(*arguments: str, **environment: str) -> Collector:
        started.append(Collector(tmp_path / "live.duckdb", *arguments, **environment))
        return started[-1]

    yield build
    for each in started:
        each.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One receiver for all tests that only ask for replies."""
    collector = Collector(tmp_path_factory.mktemp("shared") / "live.duckdb")
    yield collector
    collector.end()


def span(**fields: Any) -> dict[str, Any]:
    """A model call that says something, as OTLP/JSON."""
    said = [{"role": "assistant", "parts": [{"type": "text", "content": fields.pop("text", "157 bikes")}]}]
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": "planner"}
    attributes["gen_ai.output.messages"] = json.dumps(said)
    listed = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    times = {"startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000"}
    return {"traceId": TRACE, "spanId": SPAN, "name": "chat", **times, "attributes": listed, **fields}


def traces(*spans: dict[str, Any]) -> bytes:
    """A request that holds them, as JSON."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def logs(**fields: Any) -> bytes:
    """A request with one GenAI event of the span."""
    body = {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "how many bikes?"}}]}}
    record = {"traceId": TRACE, "spanId": SPAN, "eventName": "gen_ai.user.message", "timeUnixNano": "9", "body": body}
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record | fields]}]}]}).encode()


def sdk(url: str, processor: Any = BatchSpanProcessor) -> tuple[TracerProvider, Tracer]:
    """The SDK with its own exporter."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    return provider, provider.get_tracer("test")


def say(tracer: Tracer, agent: str, text: str, error: str | None = None) -> None:
    """One model call of an agent."""
    said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text}]}])
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.agent.name": agent, "gen_ai.output.messages": said}
    with tracer.start_as_current_span(f"chat {agent}", attributes=attributes) as made:
        if error:
            made.set_status(Status(StatusCode.ERROR, error))


def test_the_sdks_exporter_ends_up_as_a_run_that_can_be_blamed(start: Callable[..., Collector]) -> None:
    """Two agents and a root that fails; `tracer blame` answers while the receiver runs."""
    collector = start()
    provider, tracer = sdk(collector.url)
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}
    with tracer.start_as_current_span("invoke_agent planner", attributes=attributes) as root:
        say(tracer, "planner", "There are 157 bikes in the hall.")
        say(tracer, "clerk", "So the answer is 157 bikes.")
        root.set_status(Status(StatusCode.ERROR, "wrong answer"))
    provider.shutdown()
    collector.imported(3)
    blame = [sys.executable, "-m", "tracer", "blame", "--db", str(collector.database), "--json"]
    found = json.loads(subprocess.run(blame, capture_output=True, check=True).stdout)
    assert found["outcome"] == "failure"
    assert {each["agent"] for each in found["candidates"]} == {"planner", "clerk"}
    assert collector.end() == {"event": "stopped", "spans": 3, "events": 0, "rejected": 0, "refused": 0}


def test_late_and_unordered_spans_and_events_join_their_run(start: Callable[..., Collector]) -> None:
    """The event comes before its span, the parent last of all, in requests of their own."""
    collector = start()
    other = "00f067aa0ba902b7"
    for path, body in (
        ("/v1/logs", logs()),
        ("/v1/traces", traces(span(parentSpanId=other))),
        ("/v1/traces", traces(span(spanId=other, name="root", attributes=[], status={"code": 2, "message": "boom"}))),
    ):
        assert collector.post(path, body, content_type=JSON).code == 200
        time.sleep(1.2)  # so that each is in a segment of its own
    collector.end()
    with Store.open(collector.database, read_only=True) as store:
        [run] = store.runs()
        assert [(step.role, step.content) for step in store.steps(run.id)] == [
            ("user", "how many bikes?"),
            ("assistant", "157 bikes"),
        ]
        assert store.database.all("SELECT * FROM loose_events") == []
        assert store.verify() == []


def test_a_span_that_is_sent_again_does_not_lose_its_event(start: Callable[..., Collector]) -> None:
    """A client that saw no reply repeats a batch; the event that joined the span in between stays."""
    collector = start()
    for path, body in (("/v1/traces", traces(span())), ("/v1/logs", logs()), ("/v1/traces", traces(span()))):
        assert collector.post(path, body, content_type=JSON).code == 200
        time.sleep(1.2)
    collector.end()
    with Store.open(collector.database, read_only=True) as store:
        [run] = store.runs()
        assert [step.content for step in store.steps(run.id)] == ["how many bikes?", "157 bikes"]
        assert [len(each.events) for each in store.spans(run.id)] == [1]


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
@pytest.mark.parametrize("packed", [False, True])
def test_the_reply_is_in_the_requests_content_type(shared: Collector, content_type: str, packed: bool) -> None:
    """An accepted request is answered by an empty response, gzipped or not."""
    body = traces(span()) if content_type == JSON else protobuf(span()).SerializeToString()
    headers = {"content_encoding": "gzip"} if packed else {}
    found = shared.post("/v1/traces", gzip.compress(body) if packed else body, content_type=content_type, **headers)
    assert (found.code, found.headers["content-type"]) == (200, content_type)
    assert found.body == (b"{}" if content_type == JSON else b"")


@pytest.mark.parametrize(("content_type", "body"), [(JSON, b"{}"), (JSON, b""), (PROTOBUF, b"")])
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs"])
def test_an_empty_request_succeeds(shared: Collector, path: str, content_type: str, body: bytes) -> None:
    """The protocol demands it."""
    assert shared.post(path, body, content_type=content_type).code == 200


def protobuf(*spans: dict[str, Any]) -> service.ExportTraceServiceRequest:
    """The same request in protobuf."""
    request = service.ExportTraceServiceRequest()
    added = request.resource_spans.add().scope_spans.add().spans
    for each in spans:
        made = added.add(trace_id=bytes.fromhex(each["traceId"]), span_id=bytes.fromhex(each["spanId"]))
        made.name = each["name"]
        made.start_time_unix_nano = int(each["startTimeUnixNano"])
    return request


def test_a_partial_success_counts_exactly_and_keeps_the_rest(start: Callable[..., Collector]) -> None:
    """Two of three spans break the protocol: an id of seven bytes, and one of zeros."""
    collector = start()
    bad = span(spanId="00f067aa0ba902"), span(traceId="0" * 32)
    reply = collector.post("/v1/traces", traces(bad[0], span(), bad[1]), content_type=JSON)
    assert reply.code == 200
    partial = json.loads(reply.body)["partialSuccess"]
    assert partial["rejectedSpans"] == "2"
    assert "id" in partial["errorMessage"]
    binary = collector.post("/v1/traces", protobuf(*bad).SerializeToString(), content_type=PROTOBUF)
    response = service.ExportTraceServiceResponse.FromString(binary.body)
    assert MessageToDict(response)["partialSuccess"]["rejectedSpans"] == "2"
    assert collector.end() == {"event": "stopped", "spans": 1, "events": 0, "rejected": 4, "refused": 0}
    with Store.open(collector.database, read_only=True) as store:
        assert store.database.all("SELECT span_id FROM spans") == [(SPAN,)]


@pytest.mark.parametrize(
    ("path", "body", "headers", "code"),
    [
        ("/v1/traces", b"{", {"content_type": JSON}, 400),
        ("/v1/traces", b"[1]", {"content_type": JSON}, 400),
        ("/v1/traces", b'{"resourceSpans": 7}', {"content_type": JSON}, 400),
        ("/v1/traces", b'{"resourceSpans": [7]}', {"content_type": JSON}, 400),
        ("/v1/traces", b"\xff\xfe bad", {"content_type": JSON}, 400),
        ("/v1/traces", b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", {"content_type": JSON}, 400),
        ("/v1/traces", b"\x0a\xff\xff\xff", {"content_type": PROTOBUF}, 400),
        ("/v1/traces", b"not gzip", {"content_type": JSON, "content_encoding": "gzip"}, 400),
        ("/v1/traces", gzip.compress(b"{}")[:-6], {"content_type": JSON, "content_encoding": "gzip"}, 400),
        ("/v1/traces", b"{}", {"content_type": JSON, "content_encoding": "br"}, 415),
        ("/v1/traces", b"{}", {"content_type": "text/plain"}, 415),
        ("/v1/traces", b"{}", {}, 415),
        ("/v1/metrics", b"{}", {"content_type": JSON}, 404),
        ("/v1/traces", b" " * ((20 << 20) + 1), {"content_type": JSON}, 413),
        ("/v1/traces", b"{}", {"content_type": JSON, "origin": "https://evil.example"}, 403),
        ("/v1/traces", b"{}", {"content_type": JSON, "host": "evil.example:4318"}, 403),
        ("/v1/traces", b"{}", {"content_type": JSON, "host": "127.0.0.1.evil.example"}, 403),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_line(
    shared: Collector, path: str, body: bytes, headers: dict[str, str], code: int
) -> None:
    """With a code that tells the client not to send it again, and a status message."""
    reply = shared.post(path, body, **headers)
    assert reply.code == code
    assert "retry-after" not in reply.headers
    if headers.get("content_type") != PROTOBUF:
        message = json.loads(reply.body)["message"]
        assert message
        assert "\n" not in message
    assert shared.post("/v1/traces", traces(span()), content_type=JSON).code == 200


def test_only_post_is_served(shared: Collector) -> None:
    """Anything else is the wrong method or the wrong place."""
    assert shared.request("GET", "/v1/traces", b"", {}).code == 405
    assert shared.request("GET", "/", b"", {}).code == 404


def test_a_gzip_bomb_costs_no_more_than_an_honest_body(shared: Collector) -> None:
    """10 GiB of zeros in 10 MiB: refused with 413 after 20 MiB, while the process grows by less than 64 MiB."""
    piece = gzip.compress(bytes(1 << 28), 9)  # 256 MiB in 256 KiB, forty times over
    before = resident(shared.process.pid)
    reply = shared.post("/v1/traces", piece * 40, content_type=JSON, content_encoding="gzip")
    assert reply.code == 413
    assert resident(shared.process.pid) - before < 64 << 20
    assert shared.post("/v1/traces", traces(span()), content_type=JSON).code == 200


def resident(pid: int) -> int:
    """Bytes of memory that a process holds now."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("no /proc: memory cannot be read")
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) << 10


def test_a_token_is_asked_for_and_compared_whole(start: Callable[..., Collector]) -> None:
    """With one, the Host header may be any; without it, nothing passes."""
    collector = start("--token", "correct horse")
    body = traces(span())
    for given in ({}, {"authorization": "Bearer correct"}, {"authorization": "correct horse"}):
        reply = collector.post("/v1/traces", body, content_type=JSON, **given)
        assert (reply.code, reply.headers["www-authenticate"]) == (401, "Bearer")
    right = {"authorization": "Bearer correct horse", "host": "collector.internal:4318"}
    assert collector.post("/v1/traces", body, content_type=JSON, **right).code == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--host", "0.0.0.0"), "0.0.0.0 can be reached from other machines: give --token"),
        (("--host", "::"), ":: can be reached from other machines: give --token"),
        (("--token", " "), "the token is empty"),
        (("--port", "70000"), "choose another --port"),
    ],
)
def test_an_unsafe_or_impossible_address_is_refused(call: Callable[..., Any], arguments: Any, words: str) -> None:
    """Before anything listens."""
    result = call("collect", *arguments)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_port_in_use_and_a_database_in_use_are_told(
    start: Callable[..., Collector], call: Callable[..., Any]
) -> None:
    """One receiver per port, and one per database."""
    collector = start()
    result = call("collect", "--port", collector.port)
    assert (result.code, "choose another --port" in result.err) == (2, True)
    result = call("collect", "--port", 0, "--db", collector.database)
    assert (result.code, "already collects into this database" in result.err) == (4, True)


def test_back_pressure_asks_for_a_second_and_the_sdk_delivers_all_the_same(start: Callable[..., Collector]) -> None:
    """While another process holds the database and the backlog is full, 429 with Retry-After: 1; nothing is lost."""
    collector = start(TRACER_COLLECT_BACKLOG="20000")
    provider, tracer = sdk(collector.url, SimpleSpanProcessor)
    with Store.open(collector.database):
        deadline = time.monotonic() + 30
        while (reply := collector.post("/v1/traces", traces(span(text="x" * 9000)), content_type=JSON)).code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        assert (reply.code, reply.headers["retry-after"]) == (429, "1")
        sending = threading.Thread(target=say, args=(tracer, "clerk", "late but safe"))
        sending.start()
        time.sleep(1)
    sending.join(timeout=60)
    provider.shutdown()
    collector.end()
    with Store.open(collector.database, read_only=True) as store:
        names = [name for (name,) in store.database.all("SELECT name FROM spans ORDER BY name")]
    assert names == ["chat", "chat clerk"]


def test_whoever_is_told_that_it_listens_may_end_it_in_good_order(start: Callable[..., Collector]) -> None:
    """At that very moment, eight times: it says that it stopped, and is not ended by the signal itself."""
    for _ in range(8):
        collector = start()
        assert collector.end()["event"] == "stopped"
        assert collector.process.returncode == 0


def test_what_was_acknowledged_survives_kills(start: Callable[..., Collector]) -> None:
    """`kill -9` at random points of a steady stream, three times: every acknowledged span is there once, and no other
    twice. The benchmark kills twenty times."""
    acknowledged = kill_and_restart(start, 3, random.Random(7))
    assert len(acknowledged) > 3
    collector = start()
    collector.end()
    with Store.open(collector.database, read_only=True) as store:
        stored = [found for (found,) in store.database.all("SELECT span_id FROM spans")]
        assert store.verify() == []
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
    assert [path.name for path in folder_of(collector.database).iterdir()] == ["lock"]


def kill_and_restart(start: Callable[..., Collector], kills: int, chance: random.Random) -> set[str]:
    """Post spans without pause while receivers are killed and replaced; the ids of those that were acknowledged."""
    acknowledged: set[str] = set()
    number = 0
    for _ in range(kills):
        collector = start()
        killer = threading.Timer(chance.uniform(0.05, 1.5), collector.process.kill)
        killer.start()
        while collector.process.poll() is None:
            number += 1
            made = span(traceId=f"{number // 5 + 1:032x}", spanId=f"{number:016x}")
            try:
                if collector.post("/v1/traces", traces(made), content_type=JSON).code == 200:
                    acknowledged.add(made["spanId"])
            except (OSError, http.client.HTTPException):
                break
        killer.join()
    return acknowledged


def test_redaction_comes_before_the_disk(start: Callable[..., Collector]) -> None:
    """While the database is held, the segment is all there is: nothing of the value stands in it."""
    collector = start("--redact")
    with Store.open(collector.database):
        made = span(text="write to jane.doe@example.com")
        made["attributes"].append({"key": "db.password", "value": {"stringValue": "tulip"}})
        assert collector.post("/v1/traces", traces(made), content_type=JSON).code == 200
        assert collector.post("/v1/traces", protobuf(made).SerializeToString(), content_type=PROTOBUF).code == 200
        kept = b"".join(path.read_bytes() for path in folder_of(collector.database).iterdir())
    assert SPAN.encode() in kept
    assert b"hid_mail_" in kept
    assert b"jane" not in kept
    assert b"tulip" not in kept
    collector.end()
    with Store.open(collector.database, read_only=True) as store:
        [run] = store.runs()
        assert store.steps(run.id)[0].content.startswith("write to hid_mail_")


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "opentelemetry", "google.protobuf"])
def test_without_its_extra_the_command_says_what_to_install_and_still_helps(package: str, tmp_path: Path) -> None:
    """In the one wording that all extras have."""
    for arguments, code in (("collect", 5), ("collect --help", 0)):
        script = f"import sys\nsys.modules[{package!r}] = None\nfrom tracer.cli import main\n"
        script += f"sys.exit(main({arguments.split()!r}))"
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code
        if code:
            assert (
                done.stderr == "error: collecting from running agents needs an extra: pip install 'blametrace[serve]'\n"
            )
