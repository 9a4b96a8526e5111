"""Servers of one model, asked many things at a time; what each answers comes as it is done.

Requests are started in the order in which they are given, so that those with a common beginning find it in the server's
prefix cache; each server takes the next one as soon as it has room. A server that is too busy is asked again after the
time that it names, else after longer and longer pauses; one that is gone is waited for, and where there are others they
take over. No redirect is followed.

The requests run in a thread of their own, so that a notebook, which has a loop of its own, may ask as well.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import httpx2
import stamina
from stamina.instrumentation import RetryDetails, RetryHook, get_on_retry_hooks, set_on_retry_hooks

from tracer.errors import TracerError
from tracer.lm.endpoint_address import is_local
from tracer.lm.endpoint_reply import MAX_BYTES, EndpointError, Raw, UnavailableError, read
from tracer.lm.endpoint_settings import USUAL, Settings
from tracer.text import clean

SHORT = 10.0
"""Seconds that a server is waited for while others are there."""
LONGEST = 600.0
"""A server that asks to be left alone for longer is not waited for."""
TRIES = 3
"""So often a request is sent that makes the server fail by itself."""
CONNECTING = 10.0
"""Seconds until a connection is given up."""
LISTING = 30.0
"""Seconds until what takes no thought of a model is given up."""
SILENCE = 10.0
"""Seconds after which it is told that a server has not answered yet, if it never did."""
NOTICED = 2.0
"""Seconds of waiting that are told."""
_log = logging.getLogger("tracer.lm")
_T = TypeVar("_T")
_ours: ContextVar[bool] = ContextVar("ours", default=False)


class Request(NamedTuple):
    """One thing to ask."""

    path: str
    """Behind the base URL, such as /completions."""
    body: Mapping[str, Any]


class _Ways(NamedTuple):
    """How to ask."""

    concurrency: int
    tries: int


class _Server:
    """One of the servers, as far as it is known."""

    def __init__(self, url: str, key: str | None, settings: Settings) -> None:
        self.url, self._key, self._settings = url, key, settings
        self.gone: TracerError | None = None
        self.answered = False
        """Whether it ever said anything to what takes a model."""
        self._told = False
        self.client = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {key}"} if key else {},
            limits=httpx2.Limits(max_connections=settings.concurrency + 1),
            follow_redirects=False,
            verify=url.startswith("https:")
            or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # certificates take time to load
            trust_env=not is_local(url),  # a proxy is no way to this machine
        )

    async def once(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """Ask once."""
        where, seconds = self.url + path, self._settings.timeout if body else min(LISTING, self._settings.timeout)
        words = f"{clean(where)} has not answered yet: it is given up after {seconds:g} s"
        silence = None if self.answered else asyncio.get_running_loop().call_later(SILENCE, _log.warning, words)
        try:
            raw = await self._sent(method, where, body, seconds)
        finally:
            if silence:
                silence.cancel()
        self.answered = self.answered or body is not None
        if self._key:  # some servers repeat it when they refuse it
            raw = raw._replace(body=raw.body.replace(self._key.encode(), b"***"))
        found = read(raw, where, body)
        self._told = False
        return found

    async def _sent(self, method: str, where: str, body: Mapping[str, Any] | None, seconds: float) -> Raw:
        """The answer as it came."""
        timeout = httpx2.Timeout(seconds, connect=min(CONNECTING, seconds))
        try:
            async with self.client.stream(method, where, json=body, timeout=timeout) as answer:
                return Raw(answer.status_code, answer.headers, await _limited(answer, where))
        except httpx2.TimeoutException as error:
            longer = ", or set TRACER_LM_TIMEOUT" if body else ""
            words = f"{clean(where)} does not answer within {seconds:g} s: look at the server{longer}"
            raise UnavailableError(words, hopeless=not self.answered) from error
        except (httpx2.ConnectError, ConnectionError) as error:
            raise UnavailableError(
                f"no server answers at {clean(self.url)}: is it running, and is that its address?"
            ) from error
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise UnavailableError(f"{clean(where)} broke off its answer: look at the server") from error
        except httpx2.HTTPError as error:  # an answer that cannot be unpacked
            raise EndpointError(f"{clean(where)} answers with something that cannot be read") from error

    def tell(self, error: UnavailableError, seconds: float) -> None:
        """Say that the server is waited for, once until it answers again."""
        if not self._told:
            self._told = True
            _log.warning("%s; it is asked again for up to %g s (TRACER_LM_PATIENCE)", error, seconds)


async def _limited(answer: httpx2.Response, where: str) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_BYTES:
            raise EndpointError(f"{clean(where)} sends more than {MAX_BYTES >> 20} MB in one answer: not read")
    return bytes(body)


class Pool:
    """The servers at some base URLs."""

    def __init__(self, urls: Sequence[str], settings: Settings = USUAL) -> None:
        if not urls:
            raise TracerError("no address of a server: give one such as http://host:8000/v1")
        self.urls, self.settings = tuple(urls), settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tracer-endpoint", daemon=True)
        self._thread.start()
        self._servers = [_Server(url, settings.key, settings) for url in urls]
        clients = [each.client for each in self._servers]
        self._end = weakref.finalize(self, _end, self._loop, self._thread, clients)

    def close(self) -> None:
        """Let go of all connections; so it goes, too, when nobody holds the pool any more."""
        self._end()

    def get(self, path: str, place: int = 0) -> dict[str, Any]:
        """What one server says at a path: one that is there and busy is waited for, all else is told at once."""
        return self._run(self._got(self._servers[place], path))

    def ask(self, request: Request, tries: int = TRIES) -> dict[str, Any]:
        """Ask one thing."""
        [(_, found)] = self.ask_all([request], tries=tries)
        return found

    def ask_all(
        self, requests: Sequence[Request], concurrency: int | None = None, tries: int = TRIES
    ) -> Generator[tuple[int, dict[str, Any]], None, None]:
        """(place of the request, answer) of each, as they come; what will not pass by itself raises.

        Closing the iterator, or Ctrl-C, gives up what is under way.
        """
        told: SimpleQueue[tuple[int, dict[str, Any]] | BaseException | None] = SimpleQueue()
        work = self._all(deque(enumerate(requests)), _Ways(concurrency or self.settings.concurrency, tries), told.put)
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while (each := told.get()) is not None:
                if isinstance(each, BaseException):
                    raise each
                yield each
        finally:
            running.cancel()

    async def _all(self, left: deque[tuple[int, Request]], ways: _Ways, tell: Callable[[Any], None]) -> None:
        """Requests that a server leaves undone when it goes are taken on by the others."""
        _ours.set(True)
        for server in self._servers:
            server.gone = None
        try:
            while left:
                async with asyncio.TaskGroup() as group:
                    for server in self._servers:
                        for _ in range(0 if server.gone else min(ways.concurrency, len(left))):
                            group.create_task(self._work(server, left, ways.tries, tell))
            tell(None)
        except BaseExceptionGroup as errors:
            tell(_first(errors))
        except BaseException as error:  # the thread ends here; whoever waits is told
            tell(error)
            raise

    async def _work(
        self, server: _Server, left: deque[tuple[int, Request]], tries: int, tell: Callable[[Any], None]
    ) -> None:
        while left and not server.gone:
            place, request = left.popleft()
            try:
                tell((place, await self._patiently(server, request, tries)))
            except UnavailableError as error:
                left.appendleft((place, request))
                server.gone = error
                if all(each.gone for each in self._servers):
                    raise

    async def _got(self, server: _Server, path: str) -> dict[str, Any]:
        _ours.set(True)
        patience = _Patience(server, self.settings.patience, 1, busy=True)
        async for attempt in stamina.retry_context(patience, attempts=None, timeout=None, wait_initial=0.2):
            with attempt:
                return await server.once("GET", path, None)
        raise AssertionError("retrying ends with an answer or an error")

    async def _patiently(self, server: _Server, request: Request, tries: int) -> dict[str, Any]:
        others = any(each is not server and not each.gone for each in self._servers)
        seconds = min(SHORT, self.settings.patience) if others else self.settings.patience
        patience = _Patience(server, seconds, tries)
        async for attempt in stamina.retry_context(patience, attempts=None, timeout=None, wait_initial=0.2):
            with attempt:
                return await server.once("POST", *request)
        raise AssertionError("retrying ends with an answer or an error")

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread, clients: Sequence[httpx2.AsyncClient]) -> None:
    """Give up what is under way, hang up, and end the thread."""

    async def end() -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        for client in clients:
            await client.aclose()

    ending = asyncio.run_coroutine_threadsafe(end(), loop)
    ending.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
    if threading.current_thread() is not thread:  # which may be the one that lets go of the pool last
        thread.join()
        loop.close()


class _Patience:
    """Whether to ask again: as long as the trouble may pass, and has not lasted for so many seconds.

    A server that fails by itself gets so many tries; `busy`: only one that is there, and says so.
    """

    def __init__(self, server: _Server, seconds: float, tries: int, busy: bool = False) -> None:
        self._server, self._seconds, self._tries, self._busy = server, seconds, tries, busy
        self._since: float | None = None

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, UnavailableError) or error.hopeless or (self._busy and error.status is None):
            return False
        self._tries -= error.internal
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if self._tries < 1 or now - self._since > self._seconds or (error.after or 0) > LONGEST:
            return False
        if max(error.after or 0, now - self._since) >= NOTICED:
            self._server.tell(error, self._seconds)
        return True if error.after is None else error.after


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group that is no group."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _unheard(hook: RetryHook) -> RetryHook:
    """The hook, deaf to retries of ours: they are no news, and one of the usual hooks writes to stdout."""

    def heard(details: RetryDetails) -> Any:
        return None if _ours.get() else hook(details)

    return heard


set_on_retry_hooks([_unheard(hook) for hook in get_on_retry_hooks()])
