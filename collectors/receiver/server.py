"""The receiver as a whole: the socket, the segments, the importing process, and what is told of them."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
import uvicorn

from tracer.collectors.receiver import importer
from tracer.collectors.receiver.app import Counts, Receiver
from tracer.collectors.receiver.guard import make_guard
from tracer.collectors.receiver.requests import Redact
from tracer.collectors.receiver.segments import Segments, folder_of
from tracer.errors import TracerError
from tracer.store import Store

Tell = Callable[[Literal["listening", "imported", "trouble", "stopped"], dict[str, Any]], None]
"""Told what happens, with its figures."""
_RESTART = 1.0


class Address(NamedTuple):
    """Where to listen; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 4318


def collect(
    database: Path, address: Address, token: str | None = None, redact: Redact | None = None, tell: Tell | None = None
) -> Counts:
    """Receive until interrupted, and return what was received. Whatever was acknowledged is in the store then, or waits
    beside it for the next receiver."""
    guard = make_guard(address.host, token)
    Store.open(database).close()  # refuse here what is no database of ours, not at the first import
    listener = _listen(address)
    with listener, suppress(KeyboardInterrupt):
        receiver = Receiver(Segments(folder_of(database)), guard, redact)
        server = _Server(database, listener, receiver, tell or (lambda what, figures: None))
        asyncio.run(server.run())
    return receiver.counts


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)  # from here on clients wait in line until the server is up
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise TracerError(
            f"cannot listen on {address.host}, port {address.port} ({reason}): choose another --port or --host"
        ) from error
    return listener


class _Http(uvicorn.Server):
    """uvicorn, which would end the process by the signal that stopped it, before the last segment is imported."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready
        """Called when it answers, and a signal ends it in good order."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self.ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The first signal ends it in good order, the second one at once."""
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError):  # Windows, or not the main thread
                loop.add_signal_handler(sign, self.handle_exit, sign, None)
        yield


class _Server:
    """One life of the receiver."""

    def __init__(self, database: Path, listener: socket.socket, receiver: Receiver, tell: Tell) -> None:
        self.database = database
        self.listener = listener
        self.receiver = receiver
        self.segments = receiver.segments
        self.tell = tell
        self.ended = False

    async def run(self) -> None:
        """Serve until a signal, then write and import what is left."""
        config = uvicorn.Config(
            self.receiver.app(),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
        )
        host, port = self.listener.getsockname()[:2]
        told = {"host": host, "port": port, "waiting_bytes": self.segments.recovered}
        writing = asyncio.create_task(self.segments.run())
        importing = asyncio.create_task(self._import())
        try:
            await _Http(config, lambda: self.tell("listening", told)).serve(sockets=[self.listener])
        finally:
            writing.cancel()
            await self.segments.close()
            self.ended = True
            self.segments.fresh.set()
            await importing
            self.tell("stopped", self.receiver.counts._asdict())

    async def _import(self) -> None:
        """Keep an importing process alive, and wake it whenever a segment is finished."""
        while not self.ended:
            child = importer.start(self.segments.folder, self.database)
            waking = asyncio.create_task(self._wake(child))
            await asyncio.to_thread(self._listen_to, child, asyncio.get_running_loop())
            waking.cancel()
            code = child.wait()
            if not self.ended:
                self.tell("trouble", {"error": f"the importing process ended with {code}; a new one takes over"})
                self.segments.fresh.set()
                await asyncio.sleep(_RESTART)

    async def _wake(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        with suppress(BrokenPipeError):
            while not self.ended:
                await self.segments.fresh.wait()
                self.segments.fresh.clear()
                child.stdin.write(b"\n")
                child.stdin.flush()
            child.stdin.close()

    def _listen_to(self, child: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: pass on what the child reports, until it ends."""
        assert child.stdout is not None
        with child.stdout:
            for line in child.stdout:
                loop.call_soon_threadsafe(self._reported, orjson.loads(line))

    def _reported(self, found: dict[str, Any]) -> None:
        self.segments.settled()
        if "error" in found:
            self.tell("trouble", found)
        else:
            for trouble in found.pop("trouble"):
                self.tell("trouble", {"error": trouble})
            self.tell("imported", found)
