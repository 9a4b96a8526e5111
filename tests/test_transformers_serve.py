"""A real server, `transformers serve` with the pocket model on loopback: sampling, resuming, and a kill in the middle.

It says 200 to n, echo and logprobs and heeds none, draws nothing unless it is told so in a field of its own, and mixes
up the seeds of requests that come together. Starting it takes some seconds, so all tests share one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate", reason="transformers[serving] is not installed")

from tracer.analyses.sampler import engine
from tracer.cli import main
from tracer.lm import load
from tracer.lm.endpoint import Endpoint
from tracer.lm.endpoint_settings import Settings
from tracer.lm.ledger import Ledger
from tracer.lm.local import LocalLM
from tracer.lm.pocket import FOLDER
from tracer.lm.rollouts import Request, Sampling, digest

PROMPT = "Q: Mia: Jon +1. Jon: Kim +5. Kim: Ben +7. Ben: 1. What is Mia?\n<think>"
CHAIN = f"{PROMPT} We need Mia. Mia: Jon +1. Jon: Kim +5. Kim: Ben +7. Ben: 1. Kim = 1 +7 = 8."
TALK = (("West", "Planner: Ana: Hal +5."), ("East", "Planner: Hal: 3."), ("Planner", "Solver: Ana: Hal +5. Hal: 3."))
FALSE_ALARM = 0.001
"""So often the test below would be wrong to say that two samplers differ."""
PERMUTATIONS = 4000
FEWEST = 5
"""Texts that are expected less often in the smaller sample count as one."""


class Server:
    """`transformers serve` in a process of its own, at a port that it keeps when it is started again."""

    def __init__(self, model: Path) -> None:
        self.model = model
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port: int = held.getsockname()[1]
        self.process: subprocess.Popen[bytes]
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1#{self.model}"

    def start(self) -> None:
        """Start it; it is not there at once."""
        command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(self.model)]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"]
        quiet = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self.process = subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Until it answers."""
        deadline = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, "the server has died"
                assert time.monotonic() < deadline, "the server does not come up"
                time.sleep(0.2)

    def kill(self) -> None:
        """As a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The pocket model as any other Hugging Face folder, with a chat template beside."""
    folder = tmp_path_factory.mktemp("served") / "pocket"
    shutil.copytree(FOLDER, folder)
    (folder / "chat_template.jinja").write_text("{% for each in messages %}{{ each['content'] }}{% endfor %}")
    running = Server(folder)
    running.wait()
    yield running
    running.kill()


@pytest.fixture
def lm(server: Server) -> Iterator[Endpoint]:
    """The model behind it; a server that dies is waited for, for two minutes."""
    found = Endpoint.open(server.address, Settings(patience=300))
    yield found
    found.close()


def different(one: list[str], other: list[str], seed: int = 0) -> float:
    """The p-value of a permutation test on Pearson's chi-square of two samples of texts, the rare ones together."""
    seen, share = Counter([*one, *other]), len(one) / (len(one) + len(other))
    common = [text for text, count in seen.items() if count * share >= FEWEST]
    kinds = {text: k for k, text in enumerate(common, 1)}
    coded = np.array([kinds.get(each, 0) for each in [*one, *other]])
    total = np.bincount(coded, minlength=len(common) + 1)

    def statistic(chosen: np.ndarray) -> float:
        found = np.bincount(chosen, minlength=len(total))
        return float((((found - share * total) ** 2) / (share * (1 - share) * total)).sum())

    draw = np.random.default_rng(seed)
    own = statistic(coded[: len(one)])
    larger = sum(statistic(draw.permutation(coded)[: len(one)]) >= own - 1e-9 for _ in range(PERMUTATIONS))
    return (larger + 1) / (PERMUTATIONS + 1)


def test_the_check_tells_what_it_accepts_and_ignores(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """n, logprobs, echo and guided JSON are accepted with 200; stop strings make it fail with this tokenizer."""
    assert main(["lm", "check", server.address, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["name"]: each["has"] for each in told["capabilities"]} == {
        "completions": True, "chat": True, "greedy": True, "sampling": True, "seeds": True, "seeds_together": False,
        "n": False, "chat_n": False, "logprobs": False, "echo": False, "max_tokens": True, "stop": False, "json": False,
    }  # fmt: skip
    assert told["concurrency"] == 1


def test_what_it_writes_greedily_is_what_the_model_writes_in_this_process(lm: Endpoint) -> None:
    """Text, end and count of tokens; and the same text again for chat, whose template adds nothing."""
    [there] = lm.sample(PROMPT, 1, max_tokens=80, temperature=0)
    [here] = load().sample(PROMPT, 1, max_tokens=80, temperature=0)
    assert there == here
    assert lm.chat([{"role": "user", "content": PROMPT}], max_tokens=80, temperature=0) == [here]


def test_sampling_there_and_here_agree_in_distribution(lm: Endpoint) -> None:
    """300 draws against 2,000 of two tokens each, at T = 1.3 and top_p = 0.7, where more than 50 texts occur.

    A permutation test on chi-square, false alarm 1 in 1,000. That it can fail is shown by samplers at another
    temperature, and with another top_p.
    """
    prompt, here = "Q: Mia: Jon +1.", load()

    def drawn(model: Endpoint | LocalLM, n: int, seed: int, temperature: float = 1.3, top_p: float = 0.7) -> list[str]:
        found = model.sample(prompt, n, max_tokens=2, temperature=temperature, top_p=top_p, seed=seed)
        return [each.text for each in found]

    own = drawn(here, 2000, 2)
    assert len(Counter(own)) > 50
    assert different(drawn(lm, 300, 1), own) > FALSE_ALARM
    assert different(drawn(here, 300, 3, temperature=1.0), own) < FALSE_ALARM
    assert different(drawn(here, 300, 3, top_p=0.9), own) < FALSE_ALARM


def test_the_same_seed_gives_the_same_and_more_samples_begin_with_the_same(lm: Endpoint) -> None:
    """Though this server mixes up the seeds of requests that are on their way together."""
    few = lm.sample(PROMPT, 3, max_tokens=12, temperature=1.3, seed=7)
    more = lm.sample(PROMPT, 5, max_tokens=12, temperature=1.3, seed=7)
    assert more[:3] == few
    assert lm.sample(PROMPT, 3, max_tokens=12, temperature=1.3, seed=8) != few


def test_log_probabilities_are_refused_with_what_to_use_instead(lm: Endpoint) -> None:
    """It would have said 200."""
    with pytest.raises(
        Exception, match=r"heeds echo with logprobs, and .* does not .*: use vLLM or SGLang, or a model"
    ):
        lm.logprobs(PROMPT, [" We need Mia."])


def test_resampling_runs_resumes_and_says_what_other_methods_need(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line; the second time every rollout is in the store, and the answer, too."""
    chain, database = tmp_path / "chain.txt", tmp_path / "t.duckdb"
    chain.write_text(CHAIN)
    command = ["anchors", str(chain), "--db", str(database), "--lm", server.address, "--json"]
    asked = [*command, "--method", "resample", "--max-tokens", "40", "--similarity", "words"]
    assert main([*asked, "--rollouts", "30"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["model"] == str(server.model)
    assert 20 <= first["evidence"]["computed"] <= 40
    assert all(each is None for each in first["evidence"]["written"])  # no exact chances without log-probabilities
    assert main([*asked, "--rollouts", "31"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["evidence"]["computed"] <= 1
    assert main([*command, "--method", "receivers"]) == 5
    assert "--method receivers needs the model's attention" in capsys.readouterr().err


def test_cite_says_what_the_server_lacks_and_what_to_use_and_keeps_nothing(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says 200 to echo with logprobs; what it names instead, the same model's folder and `reuse`, does answer."""
    history = [{"role": "user", "name": who, "content": said} for who, said in TALK]
    log, database = tmp_path / "log.json", tmp_path / "t.duckdb"
    log.write_text(json.dumps({"question": "What is Ana?", "history": history}))
    assert main(["ingest", str(log), "--db", str(database)]) == 0
    capsys.readouterr()
    for method in ("leave-one-out", "context-cite"):
        assert main(["cite", "@last:2", "--db", str(database), "--lm", server.address, "--method", method]) == 5
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert f"--method {method} needs log-probabilities of given words (echo with logprobs)" in told.err
        assert "gives none (the text that is to be repeated is not): use vLLM or SGLang" in told.err
        assert "(--lm FOLDER), or --method reuse" in told.err
    with duckdb.connect(str(database), read_only=True) as store:
        assert store.execute("SELECT count(*) FROM citations").fetchall() == [(0,)]
    assert main(["cite", "@last:2", "--db", str(database), "--method", "reuse"]) == 0
    assert main(["cite", "@last:2", "--db", str(database), "--lm", str(server.model)]) == 0


def test_a_server_that_is_killed_and_started_again_in_the_middle_costs_nothing(server: Server, tmp_path: Path) -> None:
    """Sixty rollouts, a kill -9 after the tenth: each is there once, and those drawn later are what they would be."""
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=16, seed=3)
    wanted = [Request(PROMPT, k) for k in range(60)]
    lm = Endpoint.open(server.address, Settings(patience=300))
    found = []
    with Ledger.open(tmp_path / "t.duckdb", lm.name, lm.revision, sampling) as ledger:
        for rollout in engine(lm, PROMPT, sampling, ledger, [len(PROMPT)]).rollouts(wanted):
            ledger.add(rollout)
            found.append(rollout)
            if len(found) == 10:
                server.kill()
                threading.Timer(0.5, server.start).start()
        assert sorted(each.sample for each in found) == list(range(60))
        assert len(ledger.held(digest(PROMPT))) == 60
        texts = [ledger.held(digest(PROMPT))[k].text for k in range(60)]
    server.wait()
    assert Endpoint.open(server.address).revision == lm.revision
    again = [lm.sample(PROMPT, k + 1, max_tokens=16, temperature=1.0, seed=3)[k].text for k in (0, 3)]
    assert again == [texts[0], texts[3]]
    lm.close()
