"""Servers that misbehave, each on a real socket: what is waited for, what is told, and what never happens."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tracer.errors import DoesNotFitError, TracerError
from tracer.lm.endpoint_pool import Pool, Request
from tracer.lm.endpoint_reply import EndpointError, UnavailableError
from tracer.lm.endpoint_settings import Settings

QUICK = Settings(concurrency=4, timeout=5.0, patience=5.0)
Serve = Callable[[Any], str]
Answer = Callable[[dict[str, Any]], Response]


def ask(text: str = "a") -> Request:
    """A request for a continuation."""
    return Request("/completions", {"model": "m", "prompt": text})


def written(text: str) -> JSONResponse:
    """What a server says that has gone on with a text."""
    return JSONResponse({"choices": [{"text": text}]})


class Script:
    """A server that answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        """The last answer is given from then on."""
        self.answers = list(answers)
        self.heard: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.app = Starlette(routes=[Route("/v1/completions", self.answer, methods=["POST"])])

    async def answer(self, request: Asked) -> Response:
        body = await request.json()
        self.heard.append(body)
        self.keys.append(request.headers.get("authorization"))
        await asyncio.sleep(0)
        return self.answers.pop(0)(body) if len(self.answers) > 1 else self.answers[0](body)


@pytest.fixture
def pool() -> Iterator[Callable[..., Pool]]:
    """`pool(url, ..., settings=QUICK)`, closed with the test."""
    opened: list[Pool] = []

    def build(*urls: str, settings: Settings = QUICK) -> Pool:
        opened.append(Pool(urls, settings))
        return opened[-1]

    yield build
    for each in opened:
        each.close()


def good(body: dict[str, Any]) -> Response:
    """The prompt, once more."""
    return written(body["prompt"])


def unused_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def texts(found: dict[int, dict[str, Any]]) -> list[str]:
    """What was written for each request."""
    return [found[k]["choices"][0]["text"] for k in sorted(found)]


def test_every_request_gets_its_own_answer(served: Serve, pool: Callable[..., Pool]) -> None:
    """However many are on their way together."""
    asked = [ask(str(k)) for k in range(40)]
    found = dict(pool(served(Script(good).app)).ask_all(asked))
    assert texts(found) == [str(k) for k in range(40)]


def test_requests_start_in_their_order(served: Serve, pool: Callable[..., Pool]) -> None:
    """So that a prefix finds what it shares with the one before it in the server's cache."""
    script = Script(good)
    dict(pool(served(script.app)).ask_all([ask("a" * k) for k in range(1, 30)], concurrency=1))
    assert [each["prompt"] for each in script.heard] == ["a" * k for k in range(1, 30)]


def test_no_more_requests_than_allowed_are_on_their_way(served: Serve, pool: Callable[..., Pool]) -> None:
    """Eight are asked; three at a time."""
    live, most = 0, 0

    async def slow(request: Asked) -> Response:
        nonlocal live, most
        live += 1
        most = max(most, live)
        await asyncio.sleep(0.05)
        live -= 1
        return written("x")

    url = served(Starlette(routes=[Route("/v1/completions", slow, methods=["POST"])]))
    assert len(dict(pool(url).ask_all([ask()] * 8, concurrency=3))) == 8
    assert most == 3


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(served: Serve, pool: Callable[..., Pool]) -> None:
    """Retry-After: 1 is a second, not the usual fraction of one."""
    script = Script(lambda _: Response(status_code=429, headers={"retry-after": "1"}), good)
    began = time.monotonic()
    assert pool(served(script.app)).ask(ask("x"))["choices"] == [{"text": "x"}]
    assert 1.0 <= time.monotonic() - began < 4.0
    assert len(script.heard) == 2


def test_a_server_that_wants_an_hour_is_not_waited_for(served: Serve, pool: Callable[..., Pool]) -> None:
    """It is said instead."""
    script = Script(lambda _: Response(status_code=503, headers={"retry-after": "3600"}))
    with pytest.raises(UnavailableError, match="answers 503: look at the server"):
        pool(served(script.app)).ask(ask())
    assert len(script.heard) == 1


def test_503_twice_is_waited_out(served: Serve, pool: Callable[..., Pool]) -> None:
    """As while a model loads."""
    script = Script(*[lambda _: Response(status_code=503)] * 2, good)
    assert pool(served(script.app)).ask(ask("x"))["choices"] == [{"text": "x"}]
    assert len(script.heard) == 3


def test_a_request_that_makes_the_server_fail_is_sent_a_few_times_only(
    served: Serve, pool: Callable[..., Pool]
) -> None:
    """500 has no patience: the same request fails again."""
    script = Script(lambda _: JSONResponse({"error": {"message": "CUDA error"}}, 500))
    with pytest.raises(UnavailableError, match="answers 500: CUDA error"):
        pool(served(script.app)).ask(ask())
    assert len(script.heard) == 3


def test_an_answer_that_is_cut_off_is_asked_for_again(served: Serve, pool: Callable[..., Pool]) -> None:
    """Half a JSON document, then a whole one; with halves for ever it is told."""
    half = b'{"choices": [{"text": "x'
    script = Script(lambda _: Response(half), good)
    assert pool(served(script.app)).ask(ask("x"))["choices"] == [{"text": "x"}]
    ever = Script(lambda _: Response(half))
    with pytest.raises(UnavailableError, match="cut its answer off after 24 characters"):
        pool(served(ever.app), settings=QUICK._replace(patience=0.5)).ask(ask())


def test_a_redirect_is_not_followed(served: Serve, pool: Callable[..., Pool]) -> None:
    """The other host hears nothing, not even the key."""
    other = Script(good)
    there = served(other.app)
    script = Script(lambda _: RedirectResponse(f"{there}/completions", 307))
    with pytest.raises(EndpointError, match=r"sends on to http://127.0.0.1:\d+: not followed"):
        pool(served(script.app), settings=QUICK._replace(key="sesame")).ask(ask())
    assert script.keys == ["Bearer sesame"]
    assert other.heard == []


REFUSALS: dict[str, tuple[Answer, type[TracerError], str]] = {
    "html": (lambda _: HTMLResponse("<html>hi</html>"), EndpointError, "answers with a web page, not JSON"),
    "html error": (lambda _: HTMLResponse("<html>no</html>", 404), EndpointError, r"is not there \(404\): the address"),
    "plain": (lambda _: Response("hello"), EndpointError, "answers with something that is not JSON"),
    "a list": (lambda _: JSONResponse([1]), EndpointError, "JSON that is no object"),
    "401": (
        lambda _: JSONResponse({"error": {"message": "key?"}}, 401),
        EndpointError,
        r"wants a key, or another one \(401\): set TRACER",
    ),
    "no model": (
        lambda _: JSONResponse({"object": "error", "message": "The model `m` does not exist."}, 404),
        EndpointError,
        "has no model 'm': The model `m` does not exist: name another as URL#MODEL",
    ),
    "pinned": (
        lambda _: JSONResponse({"detail": "Server is pinned to 'x'; requested 'm'."}, 400),
        EndpointError,
        "has no model 'm': Server is pinned to 'x'; requested 'm'",
    ),
    "too long": (
        lambda _: JSONResponse({"error": {"message": "This model's maximum context length is 8 tokens."}}, 400),
        DoesNotFitError,
        "longer than the model at .* reads: This model's maximum context length is 8 tokens: shorten it",
    ),
    "422": (
        lambda _: JSONResponse({"detail": "Unexpected fields in the request: {'top_k'}"}, 422),
        EndpointError,
        r"refuses the request \(422\): Unexpected fields",
    ),
    "200 and an error": (lambda _: JSONResponse({"error": "bad luck"}), EndpointError, r"refuses .*: bad luck"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_will_not_pass_is_told_in_one_line_and_asked_once(
    name: str, served: Serve, pool: Callable[..., Pool]
) -> None:
    """With what to do about it."""
    answer, error, words = REFUSALS[name]
    script = Script(answer)
    with pytest.raises(error, match=words) as caught:
        pool(served(script.app)).ask(ask())
    assert "\n" not in str(caught.value)
    assert len(script.heard) == 1


def test_a_hostile_message_is_made_safe(served: Serve, pool: Callable[..., Pool]) -> None:
    """Control characters are taken out, the key is hidden, and a novel is cut short."""
    words = "sesame is wrong\x1b[2J\u202e" + "x" * 9000
    script = Script(lambda _: JSONResponse({"error": {"message": words}}, 400))
    with pytest.raises(EndpointError) as caught:
        pool(served(script.app), settings=QUICK._replace(key="sesame")).ask(ask())
    told = str(caught.value)
    assert "*** is wrong" in told
    assert "sesame" not in told + repr(caught.value)
    assert len(told) < 400
    assert not set(told) & {"\x1b", "\u202e", "\n"}


def test_an_answer_without_an_end_is_given_up(served: Serve, pool: Callable[..., Pool], monkeypatch: Any) -> None:
    """A server that sends and sends does not fill the memory."""
    monkeypatch.setattr("tracer.lm.endpoint_pool.MAX_BYTES", 1 << 16)
    script = Script(lambda _: Response(b" " * (1 << 20)))
    with pytest.raises(EndpointError, match="in one answer: not read"):
        pool(served(script.app)).ask(ask())


def test_a_server_that_never_answers_is_given_up(served: Serve, pool: Callable[..., Pool]) -> None:
    """After TRACER_LM_TIMEOUT, once: where nothing ever came back, patience would only wait for more of it."""
    heard = 0

    async def never(request: Asked) -> Response:
        nonlocal heard
        heard += 1
        await asyncio.sleep(60)
        return Response()

    url = served(Starlette(routes=[Route("/v1/completions", never, methods=["POST"])]))
    with pytest.raises(UnavailableError, match=r"does not answer within 0\.3 s: .* TRACER_LM_TIMEOUT"):
        pool(url, settings=QUICK._replace(timeout=0.3, patience=60.0)).ask(ask())
    assert heard == 1


def test_a_server_that_has_answered_before_is_asked_again_after_a_timeout(
    served: Serve, pool: Callable[..., Pool]
) -> None:
    """It hangs once, in the middle."""
    heard = 0

    async def second_hangs(request: Asked) -> Response:
        nonlocal heard
        heard += 1
        await asyncio.sleep(60 if heard == 2 else 0)
        return written("x")

    url = served(Starlette(routes=[Route("/v1/completions", second_hangs, methods=["POST"])]))
    asking = pool(url, settings=QUICK._replace(timeout=0.5))
    for _ in range(2):
        assert asking.ask(ask())["choices"] == [{"text": "x"}]
    assert heard == 3


def test_it_is_told_that_a_server_is_silent_or_waited_for(
    served: Serve, pool: Callable[..., Pool], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for four requests that are on their way together; an answer that comes at once is no news."""
    monkeypatch.setattr("tracer.lm.endpoint_pool.SILENCE", 0.1)
    dict(pool(served(Script(good).app)).ask_all([ask()] * 4))
    assert caplog.messages == []

    async def late(request: Asked) -> Response:
        await asyncio.sleep(0.4)
        return written("x")

    slow = pool(served(Starlette(routes=[Route("/v1/completions", late, methods=["POST"])])))
    slow.ask(ask())
    [told] = caplog.messages
    assert told.endswith("/v1/completions has not answered yet: it is given up after 5 s")
    slow.ask(ask())
    assert len(caplog.messages) == 1
    busy = [lambda _: JSONResponse({"error": "slow down"}, 429, headers={"retry-after": "2"})] * 4
    dict(pool(served(Script(*busy, good).app)).ask_all([ask()] * 4))
    [_, told] = caplog.messages
    assert "answers 429: slow down" in told
    assert told.endswith("it is asked again for up to 5 s (TRACER_LM_PATIENCE)")


def test_a_list_of_models_waits_for_a_busy_server_only(served: Serve, pool: Callable[..., Pool]) -> None:
    """429 and 503 pass; 500 is told at once."""
    heard = []

    async def listed(request: Asked) -> Response:
        heard.append(request.url.path)
        status = {1: 429, 2: 503, 4: 500}.get(len(heard), 200)
        return JSONResponse({"data": []}, status, headers={"retry-after": "0"})

    asking = pool(served(Starlette(routes=[Route("/v1/models", listed)])))
    assert asking.get("/models") == {"data": []}
    assert len(heard) == 3
    with pytest.raises(UnavailableError, match="answers 500"):
        asking.get("/models")
    assert len(heard) == 4


def test_where_nobody_listens_that_is_said(pool: Callable[..., Pool]) -> None:
    """At once by `get`, and after some patience by `ask`."""
    gone = pool(f"http://127.0.0.1:{unused_port()}/v1", settings=QUICK._replace(patience=0.3))
    with pytest.raises(UnavailableError, match=r"no server answers at http://127\.0\.0\.1:"):
        gone.get("/models")
    with pytest.raises(UnavailableError, match=r"no server answers at http://127\.0\.0\.1:"):
        gone.ask(ask())


def test_others_take_over_when_one_server_is_gone(served: Serve, pool: Callable[..., Pool]) -> None:
    """Nothing is lost, and nothing is asked for twice of the one that is there."""
    script = Script(good)
    settings = QUICK._replace(patience=0.5)
    both = pool(f"http://127.0.0.1:{unused_port()}/v1", served(script.app), settings=settings)
    found = dict(both.ask_all([ask(str(k)) for k in range(20)]))
    assert texts(found) == [str(k) for k in range(20)]
    assert len(script.heard) == 20


def test_two_servers_share_the_work(served: Serve, pool: Callable[..., Pool]) -> None:
    """Each takes the next request when it has room."""
    scripts = [Script(good), Script(good)]
    found = dict(pool(*[served(each.app) for each in scripts]).ask_all([ask(str(k)) for k in range(40)]))
    assert texts(found) == [str(k) for k in range(40)]
    assert all(each.heard for each in scripts)


def test_an_error_does_not_lose_what_was_answered_before(served: Serve, pool: Callable[..., Pool]) -> None:
    """Five answers come, then the sixth request is refused."""
    script = Script(*[good] * 5, lambda _: JSONResponse({"error": "no"}, 400))
    found = []
    with pytest.raises(EndpointError, match="refuses"):  # noqa: PT012 - all that comes before is wanted
        for each in pool(served(script.app)).ask_all([ask(str(k)) for k in range(9)], concurrency=1):
            found.append(each)
    assert [place for place, _ in found] == [0, 1, 2, 3, 4]


def test_who_stops_listening_stops_the_asking(served: Serve, pool: Callable[..., Pool]) -> None:
    """As Ctrl-C does; the pool can be used again."""
    script = Script(good)
    mine = pool(served(script.app))
    answers = mine.ask_all([ask()] * 2000, concurrency=1)
    next(answers)
    answers.close()
    heard = len(script.heard)
    time.sleep(0.3)
    assert len(script.heard) <= heard + 3
    assert mine.ask(ask("x"))["choices"] == [{"text": "x"}]


def test_retries_say_nothing(
    served: Serve, pool: Callable[..., Pool], caplog: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """stdout is for JSON, and stamina would log each of them."""
    with caplog.at_level(logging.DEBUG, "stamina"):
        pool(served(Script(lambda _: Response(status_code=503), good).app)).ask(ask())
    assert [each.name for each in caplog.records if each.name == "stamina"] == []
    assert capfd.readouterr() == ("", "")


def test_it_asks_from_within_a_running_loop(served: Serve, pool: Callable[..., Pool]) -> None:
    """A notebook has one."""
    url = served(Script(good).app)

    async def cell() -> Any:
        return pool(url).ask(ask("x"))

    with ThreadPoolExecutor(1) as other:  # a browser's test may have left a loop running in this thread
        assert other.submit(asyncio.run, cell()).result()["choices"] == [{"text": "x"}]


def test_settings_do_not_show_the_key() -> None:
    """Not in a traceback's locals either."""
    assert "sesame" not in repr(Settings(key="sesame"))
