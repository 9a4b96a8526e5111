"""`tracer cite` over a server that repeats texts with log-probabilities, against the same model in this process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.cite import Question, cite
from tracer.analyses.echo_reading import EchoReading
from tracer.analyses.log_odds import logprob
from tracer.analyses.reading import Reading, heard
from tracer.analyses.statement import statement
from tracer.errors import TracerError
from tracer.lm import load, load_served
from tracer.lm.echoed import Echoed
from tracer.lm.local import LocalLM
from tracer.records import Run, Step

RUN = Run(id="0" * 12, content_hash="0" * 64, source="here", format="here")
SAID = [
    ("user", "Ana: West. Hal: East. What is Ana?", None),
    ("Planner", "to West: Ana?", "We need Ana. Ana: West."),
    ("West", "to Planner: Ana: Hal +5.", "Ana: Hal +5."),
    ("East", "to Planner: Hal: 3.", "Hal: 3."),
    ("Planner", "to Solver: Ana: Hal +5. Hal: 3. What is Ana?", "Hal: 3. All facts are here."),
]
FOREIGN = [
    ("user", "Où est Zoë? 🎉🎉 — “Kyiv”", None),
    ("North", "to Desk: Zoë is in Kyiv 🎉.\n\nSince 2024…", "Look it up."),
    ("Desk", "to user: Zoë: Kyiv 🎉, since 2024.", "North said so. 🙂"),
]


def steps(said: list[tuple[str, str, str | None]]) -> list[Step]:
    return [Step(index=k, agent=a, kind="message", content=c, reasoning=r) for k, (a, c, r) in enumerate(said)]


@pytest.fixture(scope="module")
def pocket() -> LocalLM:
    """The shipped model; behind a server it reads any text, so here it does, too."""
    lm = load()
    lm.max_unknown = 1.0
    return lm


@pytest.fixture
def echoed(open_server: Callable[..., Any], served: Callable[[Any], str]) -> Iterator[Callable[[LocalLM], Echoed]]:
    """`echoed(lm)`: the same model behind a server."""
    opened = []

    def build(lm: LocalLM) -> Echoed:
        opened.append(load_served(served(open_server(lm).app)))
        return Echoed(opened[-1])

    yield build
    for each in opened:
        each.close()


@pytest.mark.parametrize("method", ["leave-one-out", "context-cite"])
def test_scores_are_those_of_the_model_in_this_process(
    pocket: LocalLM, echoed: Callable[[LocalLM], Echoed], method: str
) -> None:
    """Claims, sources, intervals, values that are made up, and the check."""
    asked = Question(RUN, steps(SAID), 4, method)
    here, there = cite(pocket, asked), cite(echoed(pocket), asked)
    assert [each.text for each in there.claims] == [each.text for each in here.claims]
    for near, far in zip([here.whole, *here.claims], [there.whole, *there.claims], strict=True):
        assert (far.rests_on, far.unsupported) == (near.rests_on, near.unsupported)
        assert {each.step for each in far.sources} == {each.step for each in near.sources}
        own = {each.step: each for each in near.sources}
        for each in far.sources:
            assert each.score == pytest.approx(own[each.step].score, abs=1e-4)
            assert each.words == pytest.approx(own[each.step].words, abs=1e-3)
    assert here.check is not None
    assert there.check is not None
    assert there.check.drop == pytest.approx(here.check.drop, abs=1e-3)
    assert there.cost["rows"] == here.cost["rows"]
    assert there.cost["tokens"] > here.cost["tokens"]  # a server reads each row from its beginning


@pytest.mark.parametrize("kind", ["bytes", "metaspace"])
@pytest.mark.parametrize("said", [SAID, FOREIGN], ids=["world", "foreign"])
def test_a_row_is_the_log_probability_of_the_step_behind_what_is_left(
    tiny_lm: Callable[..., LocalLM], echoed: Callable[[LocalLM], Echoed], kind: str, said: Any
) -> None:
    """By hand, in this process: nothing, each source, and all of them taken out of the text.

    The characters of some words take several tokens, and one tokenizer does not show blanks.
    """
    lm, told = tiny_lm("llama", kind), steps(said)
    stated = statement(told, len(told) - 1)
    reading = EchoReading(echoed(lm), stated)
    rows = [(), *((k,) for k in range(reading.count)), range(reading.count)]
    found = logprob(reading.erased(rows)).sum(axis=1)
    for row, value in zip(rows, found, strict=True):
        kept = [stated.text[each.start : each.end] for k, each in enumerate(stated.sources) if k not in row]
        before = "".join(kept) + f"{stated.speaker}:"
        [own] = lm.logprobs(before, [stated.text[stated.own :]])
        assert value == pytest.approx(own.logprob, abs=1e-3)


def test_whether_the_talk_is_public_is_told_from_outside_as_from_inside(
    tiny_lm: Callable[..., LocalLM], echoed: Callable[[LocalLM], Echoed]
) -> None:
    lm = tiny_lm("llama", "bytes")
    assert heard(echoed(lm), steps(SAID), 4) == heard(lm, steps(SAID), 4)


def test_a_sentence_that_is_erased_has_no_probability(pocket: LocalLM, echoed: Callable[[LocalLM], Echoed]) -> None:
    """The thought goes, the claims stay: the same places are empty as in this process."""
    stated = statement(steps(SAID), 4)
    near, far = Reading(pocket, stated), EchoReading(echoed(pocket), stated)
    rows = [(near.count,), (near.count, near.count + 1)]
    np.testing.assert_allclose(logprob(far.erased(rows)), logprob(near.erased(rows)), atol=1e-4)
    assert np.isnan(far.erased(rows)).any(axis=1).all()


def test_what_was_read_is_not_asked_for_again(
    pocket: LocalLM, open_server: Callable[..., Any], served: Callable[[Any], str]
) -> None:
    """Twice the same rows, and two that leave the same text, cost what they cost once."""
    twice = [*SAID[:3], SAID[2], *SAID[3:]]
    server = open_server(pocket)
    lm = load_served(served(server.app))
    reading = EchoReading(Echoed(lm), statement(steps(twice), 5))
    before = len(server.heard)
    rows = [(1,), (2,), (1,)]
    odds = reading.erased(rows)
    assert len(server.heard) - before == 1
    np.testing.assert_array_equal(odds[0], odds[1])
    reading.erased(rows)
    assert len(server.heard) - before == 1
    lm.close()


def test_a_word_that_a_server_calls_certain_is_as_likely_as_float32_tells(
    tiny_lm: Callable[..., LocalLM], open_server: Callable[..., Any], served: Callable[[Any], str]
) -> None:
    """ln p of 0 would be infinite odds; 1 - 2^-23 has ln(2^23 - 1) = 15.94, and a source then moves nothing."""

    class Certain(open_server):  # type: ignore[misc, valid-type]
        def _scores(self, prompt: tuple[int, ...], count: int) -> Iterator[tuple[float | None, dict[str, float]]]:
            yield from ((0.0, each) if value is not None else (None, {}) for value, each in super()._scores(prompt, 1))

    lm = load_served(served(Certain(tiny_lm("llama", "bytes")).app))
    odds = EchoReading(Echoed(lm), statement(steps(SAID), 4)).erased([(), (0,)])
    assert np.allclose(odds, 15.9424, atol=1e-3)
    lm.close()


def test_words_that_the_server_does_not_show_are_refused(
    tiny_lm: Callable[..., LocalLM], echoed: Callable[[LocalLM], Echoed]
) -> None:
    """Its tokenizer has one token for all unknown words, so no one can say where they end."""
    with pytest.raises(TracerError, match=r"in tokens that do not make it up.*--lm FOLDER"):
        echoed(tiny_lm("llama", "words")).read("Hello world. Zebra.")


LOG = {
    "question": "What is Ana?",
    "history": [{"role": "user", "name": a, "content": c.removeprefix("to ")} for a, c, _ in SAID[2:]],
    "mistake_agent": "West",
    "mistake_step": "0",
}


def test_from_the_command_line_without_torch(
    pocket: LocalLM, open_server: Callable[..., Any], served: Callable[[Any], str], tmp_path: Path
) -> None:
    """In a process that cannot import torch; the second time the answer is in the store, and no row is read."""
    server = open_server(pocket)
    (tmp_path / "log.json").write_text(json.dumps(LOG))
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    (tmp_path / "transformers.py").write_text("raise ImportError('no transformers here')")
    url = served(server.app)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tracer", *arguments, "--db", str(tmp_path / "t.duckdb")]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": "."}
        )

    assert run("ingest", "log.json").returncode == 0
    done = run("cite", "@last:2", "--lm", url, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["model"] == "tiny"
    assert max(source["score"] for source in told["whole"]["sources"]) > 1
    rows = len(server.asked(echo=True, logprobs=1))
    again = run("cite", "@last:2", "--lm", url, "--json", "--add")
    assert again.stdout == done.stdout
    assert len(server.asked(echo=True, logprobs=1)) == rows


@pytest.mark.parametrize("ignored", ["echo", "logprobs"])
def test_a_server_that_ignores_one_of_both_is_told_in_one_line_and_nothing_is_stored(
    lm: LocalLM,
    open_server: Callable[..., Any],
    served: Callable[[Any], str],
    call: Callable[..., Any],
    tmp_path: Path,
    ignored: str,
) -> None:
    """It says 200 all the same."""
    (tmp_path / "log.json").write_text(json.dumps(LOG))
    call("ingest", "log.json")
    done = call("cite", "@last:2", "--lm", served(open_server(lm, ignored).app))
    assert (done.code, done.out, done.err.count("\n")) == (5, "", 1)
    assert "echo with logprobs" in done.err
    assert "--method reuse" in done.err
    with duckdb.connect(str(tmp_path / "t.duckdb"), read_only=True) as store:
        assert store.execute("SELECT count(*) FROM citations").fetchall() == [(0,)]


def test_ctrl_c_leaves_the_database_whole(
    pocket: LocalLM, open_server: Callable[..., Any], served: Callable[[Any], str], tmp_path: Path
) -> None:
    """Exit code 130 and one line while rows are on their way; nothing is stored, and asking again answers."""
    server, database = open_server(pocket), tmp_path / "t.duckdb"
    read = server._body

    async def slow(request: Any) -> Any:
        body = await read(request)
        await asyncio.sleep(0.2 if body.get("logprobs") == 1 and body.get("echo") else 0)
        return body

    server._body = slow
    (tmp_path / "log.json").write_text(json.dumps(LOG))
    ask = [sys.executable, "-m", "tracer", "cite", "@last:2", "--lm", served(server.app), "--db", str(database)]
    command = [*ask[:3], "ingest", str(tmp_path / "log.json"), "--db", str(database)]
    subprocess.run(command, check=True, capture_output=True)
    one = os.environ | {"TRACER_LM_CONCURRENCY": "1"}
    with subprocess.Popen(ask, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=one) as process:
        deadline = time.monotonic() + 100
        while len(server.asked(echo=True, logprobs=1)) < 4:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    with duckdb.connect(str(database), read_only=True) as store:
        assert store.execute("SELECT count(*) FROM citations").fetchall() == [(0,)]
    server._body = read
    assert subprocess.run(ask, capture_output=True, check=False).returncode == 0
