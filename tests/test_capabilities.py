"""What a server can do is believed when it has done it, and not before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

from tracer.cli import main
from tracer.lm import load
from tracer.lm.capabilities import PROBES
from tracer.lm.endpoint import Endpoint
from tracer.schemas import LmCheck

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

Serve = Callable[[Any], str]


@pytest.fixture
def opened(served: Serve) -> Iterator[Callable[[Any], Endpoint]]:
    """`opened(server)`: the only model that a server lists."""
    models: list[Endpoint] = []

    def build(server: Any) -> Endpoint:
        found = load(served(server.app))
        assert isinstance(found, Endpoint)
        models.append(found)
        return found

    yield build
    for each in models:
        each.close()


def test_a_server_that_heeds_everything_has_every_capability(
    lm: LocalLM, open_server: Callable[..., Any], opened: Callable[[Any], Endpoint]
) -> None:
    """All of them, each with what was seen."""
    found = opened(open_server(lm)).server.all()
    assert [each.name for each in found if not each.has] == []
    assert [each.name for each in found] == list(PROBES)


@pytest.mark.parametrize(
    ("ignored", "lacking"),
    [
        ("n", {"n", "chat_n"}),
        ("logprobs", {"logprobs", "echo"}),
        ("echo", {"echo"}),
        ("seed", {"seeds", "seeds_together"}),
        ("max_tokens", {"max_tokens"}),
        ("response_format", {"json"}),
        ("top_k", {"sampling"}),
    ],
)
def test_what_a_server_accepts_and_ignores_is_lacking(
    ignored: str,
    lacking: set[str],
    lm: LocalLM,
    open_server: Callable[..., Any],
    opened: Callable[[Any], Endpoint],
) -> None:
    """It says 200 to everything; only what came back tells."""
    server = opened(open_server(lm, ignored)).server
    assert {each.name for each in server.all() if not each.has} == lacking


def test_a_stop_string_that_is_ignored_is_found_out(
    lm: LocalLM, open_server: Callable[..., Any], opened: Callable[[Any], Endpoint]
) -> None:
    """The text goes on behind it."""
    asker = opened(open_server(lm, "stop")).server
    assert not asker.has("stop")
    assert "characters" in asker["stop"].found


def test_a_server_that_takes_the_likeliest_token_at_any_temperature_does_not_sample(
    lm: LocalLM, open_server: Callable[..., Any], opened: Callable[[Any], Endpoint]
) -> None:
    """As `transformers serve` does unless it is told otherwise."""

    server = open_server(lm)
    read = server._body

    async def greedy(request: Any) -> dict[str, Any]:
        return {**await read(request), "temperature": 0.0}

    server._body = greedy
    found = opened(server).server["sampling"]
    assert not found.has
    assert "it takes the likeliest token" in found.found


def test_a_capability_is_asked_for_once(
    lm: LocalLM, open_server: Callable[..., Any], opened: Callable[[Any], Endpoint]
) -> None:
    """And at first use only."""
    server = open_server(lm)
    asker = opened(server).server
    before = len(server.heard)
    assert asker.has("n")
    once = len(server.heard)
    assert asker.has("n")
    assert before < once == len(server.heard)


def test_the_command_prints_a_line_for_each_and_what_is_done_instead(
    lm: LocalLM, open_server: Callable[..., Any], served: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 0: a server that lacks something is usable."""
    assert main(["lm", "check", served(open_server(lm, "n", window=512).app)]) == 0
    told = capsys.readouterr()
    assert "tiny at http://127.0.0.1:" in told.out
    assert "512 tokens · 11 of 13 capabilities" in told.out
    assert "n: samples are drawn one by one" in told.out
    assert "json " in told.out


def test_the_command_prints_json_by_its_published_form(
    lm: LocalLM, open_server: Callable[..., Any], served: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing else goes to stdout."""
    assert main(["lm", "check", served(open_server(lm, "echo").app), "--json"]) == 0
    told = LmCheck.model_validate(json.loads(capsys.readouterr().out))
    assert [each.name for each in told.capabilities if not each.has] == ["echo"]
    assert told.usable


def test_without_the_extra_the_command_says_what_to_install() -> None:
    """One wording for all extras."""
    code = """
import sys
sys.modules["stamina"] = None
from importlib import util
found = util.find_spec
util.find_spec = lambda name, *rest: None if name == "stamina" else found(name, *rest)
from tracer.cli import main
sys.exit(main(["lm", "check", "http://127.0.0.1:9/v1"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 5
    assert done.stderr == "error: A model behind a server needs an extra: pip install 'blametrace[endpoint]'\n"
