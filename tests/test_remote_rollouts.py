"""Rollouts over a server that tells log-probabilities, against the engine that reads the same model in this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch")

from tracer.analyses.resampling import borders
from tracer.analyses.sampler import engine
from tracer.lm.endpoint import Endpoint
from tracer.lm.ledger import Ledger
from tracer.lm.pocket import FOLDER
from tracer.lm.remote_rollouts import RemoteEngine
from tracer.lm.rollouts import STEP, Engine, Request, Sampling, digest

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

PROMPT = "Q: Mia: Jon +1. Jon: Kim +5. Kim: Ben +7. Ben: 1. What is Mia?\n<think>"
SENTENCES = (" We need Mia.", " Mia: Jon +1.", " Jon: Kim +5.", " Kim: Ben +7.", " Ben: 1.", " Kim = 1 +7 = 8.")
TEXT = PROMPT + "".join(SENTENCES)
BORDERS = [len(PROMPT) + sum(map(len, SENTENCES[:k])) for k in range(len(SENTENCES) + 1)]
SAMPLING = Sampling(temperature=1.0, top_p=0.95, max_tokens=12, seed=4)
Open = Callable[..., tuple[Endpoint, Any]]


@pytest.fixture(scope="module")
def pocket() -> LocalLM:
    """The model behind the server; unlike the shipped one it reads what the probes ask."""
    from tracer.lm.local import LocalLM

    return LocalLM.load(str(FOLDER), device="cpu")


@pytest.fixture
def opened(pocket: LocalLM, open_server: Callable[..., Any], served: Callable[[Any], str]) -> Iterator[Open]:
    """`opened("echo")`: the pocket model behind a server that ignores these fields, and that server."""
    models: list[Endpoint] = []

    def build(*ignores: str, window: int | None = None) -> tuple[Endpoint, Any]:
        server = open_server(pocket, *ignores, window=window)
        models.append(Endpoint.open(served(server.app)))
        return models[-1], server

    yield build
    for each in models:
        each.close()


def remote(lm: Endpoint, ledger: Ledger, sampling: Sampling = SAMPLING) -> RemoteEngine:
    """What continues the prefixes of TEXT."""
    made = engine(lm, TEXT, sampling, ledger, BORDERS)
    assert isinstance(made, RemoteEngine)
    return made


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty one."""
    with Ledger.open(tmp_path / "t.duckdb", "tiny", "r", SAMPLING) as made:
        yield made


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.6, 0.95), (1.0, 0.9), (0.0, 1.0)])
def test_chances_are_those_of_the_model_itself(
    temperature: float, top_p: float, pocket: LocalLM, opened: Open, ledger: Ledger
) -> None:
    """The engine in this process sums over the whole vocabulary, the server tells 20 tokens."""
    sampling = SAMPLING._replace(temperature=temperature, top_p=top_p)
    known = Engine(pocket, TEXT, sampling, borders=BORDERS).chances()
    found = remote(opened()[0], ledger, sampling).chances()
    assert sum(not math.isnan(each) for each in found) >= 5
    for there, here in zip(found, known, strict=True):
        assert math.isnan(there) or there == pytest.approx(here, rel=5e-3, abs=1e-6)


def test_prefixes_end_where_the_tokens_of_the_server_end(pocket: LocalLM, opened: Open) -> None:
    """As they do in this process; and before the blanks where it does not tell its tokens."""
    spans = list(pairwise(BORDERS))
    here = borders(pocket, TEXT, len(PROMPT), spans)
    assert borders(opened()[0], TEXT, len(PROMPT), spans) == here
    assert borders(opened("echo")[0], TEXT, len(PROMPT), spans) == here == tuple(BORDERS)


def test_a_rollout_that_repeats_the_text_is_kept_for_the_later_prefixes(opened: Open, ledger: Ledger) -> None:
    """The same words from there on, no longer than others, and told again after a restart without asking anyone."""
    lm, server = opened()
    made = remote(lm, ledger)
    wanted = [Request(prefix, k) for prefix in made.prefixes[:3] for k in range(40)]
    drawn = list(made.rollouts(wanted))
    for each in drawn:
        ledger.add(each)
    assert {(each.prefix, each.sample) for each in drawn} == {(digest(each.prefix), each.sample) for each in wanted}
    follows = {each: made.follows(each) for each in wanted}
    assert sum(map(bool, follows.values())) > 40
    for request, later in follows.items():
        place, own = made.places[request.prefix], ledger.held(digest(request.prefix))[request.sample]
        assert own.tokens <= SAMPLING.max_tokens
        for k in range(1, later + 1):
            there = ledger.held(digest(made.prefixes[place + k]))[request.sample + k * STEP]
            whole, handed = request.prefix + own.text, made.prefixes[place + k] + there.text
            assert handed.startswith(whole) or whole.startswith(handed)
            assert there.tokens <= SAMPLING.max_tokens
        assert own.text.startswith("".join(SENTENCES[place : place + later])[: len(own.text)])
    heard = len(server.heard)
    again = remote(lm, ledger)
    assert {each: again.follows(each) for each in wanted} == follows
    assert [each for each in server.heard[heard:] if each["max_tokens"] > 1] == []


def test_as_many_rollouts_follow_as_the_chance_says(opened: Open, ledger: Ledger) -> None:
    """Of 300; within 3.3 standard errors, a false alarm in 1,000."""
    made = remote(opened()[0], ledger)
    place, first = next((k, each) for k, each in enumerate(made.chances()) if 0.2 < each < 0.98)
    wanted = [Request(made.prefixes[place], k) for k in range(300)]
    for each in made.rollouts(wanted):
        ledger.add(each)
    share = sum(made.follows(each) > 0 for each in wanted) / 300
    assert abs(share - first) < 3.3 * math.sqrt(first * (1 - first) / 300)


@pytest.mark.parametrize("ignored", ["echo", "logprobs"])
def test_without_log_probabilities_every_prefix_has_its_own_rollouts(
    ignored: str, opened: Open, ledger: Ledger
) -> None:
    """No chance is known, and nothing is handed on."""
    made = remote(opened(ignored)[0], ledger)
    assert all(map(math.isnan, made.chances()))
    for each in made.rollouts([Request(made.prefixes[0], k) for k in range(20)]):
        ledger.add(each)
    assert [made.follows(Request(made.prefixes[0], k)) for k in range(20)] == [0] * 20
    assert all(not ledger.held(digest(prefix)) for prefix in made.prefixes[1:])


def test_a_server_that_may_cut_the_vocabulary_gives_no_chances(opened: Open, ledger: Ledger) -> None:
    """A top_k of its own would change them."""
    assert all(map(math.isnan, remote(opened("top_k")[0], ledger).chances()))


def test_many_samples_are_one_request_and_prefixes_come_in_order(opened: Open, ledger: Ledger) -> None:
    """16 at once, and what shares a beginning next to each other."""
    lm, server = opened()
    made = remote(lm, ledger)
    lm.concurrency = 1
    list(made.rollouts([Request(prefix, k) for k in range(20) for prefix in reversed(made.prefixes)]))
    asked = [each for each in server.heard if each["prompt"] in made.places and each["max_tokens"] > 1]
    assert [each.get("n") for each in asked] == [16, 4] * len(BORDERS)
    assert [each["prompt"] for each in asked] == [each for each in made.prefixes for _ in range(2)]
    assert len({each["seed"] for each in asked}) == len(asked)


def test_where_the_window_ends_fewer_tokens_are_drawn(opened: Open, pocket: LocalLM) -> None:
    """As in this process; a text that fills it is refused."""
    size = len(pocket.prompt(TEXT))
    lm, server = opened("echo", window=size + 5)
    assert lm.window == size + 5
    [found] = lm.sample(TEXT, 1, max_tokens=12)
    assert found.tokens <= 5
    assert server.asked(prompt=TEXT)[-1]["max_tokens"] == 5
    with pytest.raises(Exception, match=r"reads|longer than the model"):
        lm.sample(TEXT + " So Mia is 14.", 1, max_tokens=12)
