"""What stands between a client and the receiver, passes every request on as it is, and keeps it as OTLP/JSON.

Protobuf is turned into JSON by Google's own library, so what is kept does not depend on the receiver.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_IDS = {"traceId", "spanId", "parentSpanId"}


class Relay:
    """A relay to a port of this machine, on a free port of its own."""

    def __init__(self, port: int) -> None:
        self.requests: list[dict[str, Any]] = []
        self.refused: list[int] = []
        """Codes other than 200 that came back."""
        relay, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("POST", self.path, body, {**self.headers, "Host": f"127.0.0.1:{port}"})
                answer = connection.getresponse()
                content = answer.read()
                with lock:
                    relay.requests.append(as_json(self.headers["content-type"], body))
                    relay.refused += [answer.status] if answer.status != 200 else []
                self.send_response(answer.status)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Relay:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def as_json(kind: str, body: bytes) -> dict[str, Any]:
    """A request as the protocol's JSON: ids in hex, where Google's library writes base64."""
    if kind.startswith("application/json"):
        return dict(json.loads(body))
    return dict(_with_hex(MessageToDict(ExportTraceServiceRequest.FromString(body))))


def _with_hex(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hex(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64decode(item).hex() if key in _IDS and isinstance(item, str) else _with_hex(item)
        for key, item in value.items()
    }
