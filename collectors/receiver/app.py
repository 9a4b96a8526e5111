"""The HTTP side of the receiver: POST /v1/traces and /v1/logs, as the OTLP specification says.

200 means on disk. 429 and 503 come with Retry-After: 1, because the SDK gives up a batch that it would have to hold
longer than its own deadline of 10 s; every other refusal is final, and a client does not send it again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tracer.collectors.receiver.bodies import BodyError, read_body
from tracer.collectors.receiver.guard import Guard
from tracer.collectors.receiver.requests import JSON, PROTOBUF, Redact, Taken, refusal, reply, take
from tracer.collectors.receiver.segments import FullError, Segments
from tracer.errors import BadInputError

MAX_REQUESTS = 128
"""Requests in work at once; each may hold two bodies of the largest size."""
MAX_BYTES = 64 << 20
"""Bytes that the bodies in work may hold together."""
_BRIEF = 1 << 16
"""A body of up to so many bytes is parsed at once; a longer one in a thread, so that others are answered meanwhile."""


class Counts(NamedTuple):
    """What was received."""

    spans: int = 0
    events: int = 0
    rejected: int = 0
    refused: int = 0
    """Requests that were turned away."""


class Receiver:
    """The two routes, and what they counted."""

    def __init__(self, segments: Segments, guard: Guard, redact: Redact | None = None) -> None:
        self.segments = segments
        self.guard = guard
        self.redact = redact
        self.counts = Counts()
        self._requests = 0
        self._bytes = 0

    def app(self) -> Starlette:
        """The application to serve."""
        return Starlette(routes=[Route("/v1/{signal}", self.export, methods=["POST"])])

    async def export(self, request: Request) -> Response:
        """One request of a client."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        kind = kind if kind in {PROTOBUF, JSON} else JSON
        if self._requests >= MAX_REQUESTS or self._bytes >= MAX_BYTES:
            return self._refuse(kind, 429, "too many requests at once: send it again")
        self._requests += 1
        try:
            return await self._answer(request, kind)
        except BodyError as error:
            return self._refuse(kind, error.code, str(error))
        except FullError as error:
            return self._refuse(kind, 429, str(error))
        except BadInputError as error:
            return self._refuse(kind, 400, str(error))
        except ClientDisconnect:
            return Response(status_code=499)
        finally:
            self._requests -= 1

    async def _answer(self, request: Request, kind: str) -> Response:
        if refused := self.guard.refusal(request.headers):
            return self._refuse(kind, *refused)
        signal = request.path_params["signal"]
        if signal not in {"traces", "logs"}:
            return self._refuse(kind, 404, f"{signal} are not collected here, only traces and logs")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
            return self._refuse(kind, 415, f"the Content-Type must be {PROTOBUF} or {JSON}")
        body = await read_body(request.stream(), request.headers.get("content-encoding", "").strip().lower())
        self._bytes += len(body)
        try:
            taken = await self._take(signal, kind, body)
            if taken.line:
                await self.segments.append(taken.line)
        finally:
            self._bytes -= len(body)
        self._count(signal, taken)
        return Response(reply(signal, kind, taken), media_type=kind)

    async def _take(self, signal: str, kind: str, body: bytes) -> Taken:
        if len(body) <= _BRIEF:
            return take(signal, kind, body, self.redact)
        return await asyncio.to_thread(take, signal, kind, body, self.redact)

    def _count(self, signal: str, taken: Taken) -> None:
        was = self.counts
        spans, events = (taken.kept, 0) if signal == "traces" else (0, taken.kept)
        self.counts = was._replace(
            spans=was.spans + spans, events=was.events + events, rejected=was.rejected + taken.rejected
        )

    def _refuse(self, kind: str, code: int, message: str) -> Response:
        self.counts = self.counts._replace(refused=self.counts.refused + 1)
        headers = {"Retry-After": "1"} if code in {429, 503} else {}
        if code == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if code in {408, 413}:
            headers["Connection"] = "close"
        logging.getLogger(__name__).info("refused with %d: %s", code, message)
        return Response(refusal(kind, code, message), code, headers, kind)
