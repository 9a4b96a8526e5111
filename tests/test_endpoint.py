"""A model behind a server as any other: found by its address, sampled, scored, chatted with, and broken off."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

pytest.importorskip("torch")

from tracer.errors import MissingExtraError, TracerError
from tracer.lm import load, load_inside
from tracer.lm.endpoint import Endpoint
from tracer.lm.endpoint_address import Address, parse
from tracer.lm.endpoint_reply import EndpointError
from tracer.lm.endpoint_settings import settings
from tracer.lm.journal import journals

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

Serve = Callable[[Any], str]
Open = Callable[..., Any]


def test_an_address_names_servers_and_a_model() -> None:
    """A host alone gets its /v1; a server named twice is one."""
    assert parse("http://a:8000") == Address(("http://a:8000/v1",), None)
    assert parse("http://a:1/v1/,https://b/x#Qwen/Qwen3-8B") == Address(
        ("http://a:1/v1", "https://b/x"), "Qwen/Qwen3-8B"
    )
    assert parse("http://a,http://a/v1#m").urls == ("http://a/v1",)


@pytest.mark.parametrize("route", ["/models", "/completions", "/chat/completions", "/chat/completions/"])
def test_an_address_that_was_copied_with_a_route_is_taken_without(route: str) -> None:
    """As the documentation of most servers shows it."""
    assert parse(f"http://a:8000/v1{route}#m").urls == ("http://a:8000/v1",)
    assert parse(f"http://a:8000/x/v1{route}").urls == ("http://a:8000/x/v1",)


@pytest.mark.parametrize("wrong", ["http://", "http://a:x", "http://a,ftp://b", "http://a/v1?key=1", "http://me:pw@a"])
def test_what_is_no_address_is_refused_without_repeating_a_password(wrong: str) -> None:
    """In one line."""
    with pytest.raises(TracerError, match="address") as caught:
        parse(wrong)
    assert "pw" not in str(caught.value)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is no number is told."""
    monkeypatch.setenv("TRACER_LM_CONCURRENCY", "3")
    assert settings().concurrency == 3
    monkeypatch.setenv("TRACER_LM_TIMEOUT", "soon")
    with pytest.raises(TracerError, match=r"TRACER_LM_TIMEOUT must be a number from 0\.1 on, and is 'soon'"):
        settings()


def test_it_samples_and_scores_as_the_model_does_in_this_process(
    lm: LocalLM, open_server: Open, served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedily the same text; of continuations the same log-probabilities; the key goes along."""
    monkeypatch.setenv("TRACER_API_KEY", "sesame")
    server = open_server(lm)
    there = load(served(server.app))
    assert there.name == "tiny"
    text, ends = "The end is near. 3.14", [" and x", " is 4"]
    assert there.sample(text, 1, max_tokens=8, temperature=0) == lm.sample(text, 1, max_tokens=8, temperature=0)
    for far, near in zip(there.logprobs(text, ends), lm.logprobs(text, ends), strict=True):
        assert far.logprob == pytest.approx(near.logprob, abs=1e-4)
        assert len(far.logprobs) == len(near.logprobs)
    assert set(server.keys) == {"Bearer sesame"}


def test_a_text_is_cut_before_the_stop_string_whether_or_not_the_server_does(
    lm: LocalLM, open_server: Open, served: Serve
) -> None:
    """The same text either way."""
    found = []
    for ignores in ((), ("stop",)):
        there = Endpoint.open(served(open_server(lm, *ignores).app))
        whole = there.sample("The end", 1, max_tokens=12, temperature=0)[0].text
        found.append(there.sample("The end", 1, max_tokens=12, temperature=0, stop=[whole[6:9]])[0])
        assert found[-1].text == whole[: whole.index(whole[6:9])]
        assert found[-1].finish == "stop"
    assert found[0].text == found[1].text


def test_a_schema_goes_along_only_where_it_is_heeded(lm: LocalLM, open_server: Open, served: Serve) -> None:
    """Elsewhere the caller parses; pictures that messages name stay text."""
    schema = {"properties": {"step": {"enum": [7]}}}
    messages = [{"role": "user", "content": "![x](http://127.0.0.1:9/x.png)"}]
    heeds, ignores = open_server(lm), open_server(lm, "response_format")
    there = Endpoint.open(served(heeds.app))
    told = there.chat(messages, 3, max_tokens=8, schema=schema)
    assert [json.loads(each.text) for each in told] == [{"step": 7}] * 3
    assert heeds.heard[-1]["messages"] == messages
    Endpoint.open(served(ignores.app)).chat(messages, max_tokens=8, schema=schema)
    assert "response_format" not in ignores.heard[-1]


def test_a_server_of_several_models_wants_a_name(served: Serve) -> None:
    """It is told which there are."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    listed = Starlette(routes=[Route("/v1/models", lambda _: JSONResponse({"data": [{"id": "a"}, {"id": "b"}]}))])
    with pytest.raises(EndpointError, match="lists these models: a, b; name one as URL#MODEL"):
        load(served(listed))


def chat_only(status: int, listing: bool = False) -> Any:
    """A server with no route but the one for messages; it refuses the others with this status."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def chat(request: Any) -> JSONResponse:
        said = (await request.json())["messages"][-1]["content"]
        return JSONResponse({"choices": [{"index": 0, "message": {"content": f"You said {said}"}}]})

    async def refuse(_: Any) -> JSONResponse:
        return JSONResponse({"detail": "Not Found"}, status)

    routes = [Route("/v1/chat/completions", chat, methods=["POST"])]
    if listing:
        routes.append(Route("/v1/models", lambda _: JSONResponse({"data": [{"id": "talker"}]})))
    return Starlette(routes=[*routes, Route("/{path:path}", refuse, methods=["GET", "POST"])])


@pytest.mark.parametrize(
    ("status", "listing"), [(404, False), (405, False), (501, False), (400, True), (404, True), (422, True)]
)
def test_a_server_for_messages_only_needs_no_revision(
    served: Serve, call: Callable[..., Any], status: int, listing: bool
) -> None:
    """Its weights are known by its answers; `lm check` says what it cannot do, and it is usable."""
    url = served(chat_only(status, listing)) + ("" if listing else "#talker")
    first, again = load(url), load(url)
    assert first.revision == again.revision
    assert len(first.revision) == 12
    done = call("lm", "check", url, "--json")
    assert done.code == 0, done.err
    told = {each["name"]: each for each in done.json["capabilities"]}
    assert (told["chat"]["has"], told["completions"]["has"]) == (True, False)
    assert {each["found"] for name, each in told.items() if name in {"n", "echo", "seeds"}} == {"needs completions"}
    assert f"tracer blame @last --judge --lm {shlex.quote(url)}" in call("lm", "check", url).err


def test_sampling_from_a_server_for_messages_says_what_it_needs(
    served: Serve, call: Callable[..., Any], tmp_path: Path
) -> None:
    """Not that the address may be wrong."""
    (tmp_path / "chain.txt").write_text("The end is near. Hello world. So 4.")
    done = call("anchors", "chain.txt", "--method", "resample", "--lm", served(chat_only(404, listing=True)))
    assert (done.code, done.out, done.err.count("\n")) == (5, "", 1)
    assert "sampling needs a server that goes on with a text (/completions), and talker at" in done.err
    assert "use vLLM, SGLang or `transformers serve`, or a model in this process: --lm FOLDER" in done.err


def test_a_server_that_lists_no_models_wants_a_name_or_another_address(served: Serve) -> None:
    """The one or the other may be what is wrong; a name mends it here."""
    url = served(chat_only(404))
    with pytest.raises(EndpointError, match=r"/v1 does not list its models \(404\): name one as URL#MODEL, or mend"):
        load(url)
    with pytest.raises(EndpointError, match=r"/v2/chat/completions is not there \(404\): Not Found: .* ends in /v1"):
        load(url.replace("/v1", "/v2") + "#talker")


def test_what_reads_a_model_from_inside_says_so() -> None:
    """Without asking the server."""
    with pytest.raises(MissingExtraError, match=r"--drill reads a model from inside.*--lm FOLDER"):
        load_inside("http://127.0.0.1:9/v1", "--drill")


def test_ctrl_c_keeps_every_rollout_that_was_drawn(
    lm: LocalLM, open_server: Open, served: Serve, tmp_path: Path
) -> None:
    """Exit code 130, and the store, or the journal beside it, has what the server had answered."""
    server, chain, database = open_server(lm, "n", "echo"), tmp_path / "chain.txt", tmp_path / "t.duckdb"
    chain.write_text("The end is near. Hello world. x = y. Then we check it.")
    command = [sys.executable, "-m", "tracer", "anchors", str(chain), "--db", str(database), "--method", "resample"]
    command += ["--lm", served(server.app), "--rollouts", "5000", "--ci-width", "0.01", "--max-tokens", "5"]
    quiet = os.environ | {"TRACER_LM_CONCURRENCY": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet) as process:
        timer = threading.Timer(100, process.kill)  # or a test that fails would wait for ever
        timer.start()
        while len([each for each in server.heard if each["max_tokens"] == 5]) < 60:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate()
        timer.cancel()
    assert process.returncode == 130
    held = sum(len(path.read_bytes().splitlines()) for path in journals(database))
    with duckdb.connect(str(database), read_only=True) as store:
        [(stored,)] = store.execute("SELECT count(*) FROM rollouts").fetchall()
    assert held + stored >= 50
