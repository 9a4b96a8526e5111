"""The ledger under many kills, most of which fall into a merge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tracer.lm.journal import journals
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Sampling, digest
from tracer.store import Store

KILLS = 300
LIVES = """
import os, pathlib, random, signal, sys, time
import pyarrow
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Rollout, Sampling, digest

database, kills = pathlib.Path(sys.argv[1]), int(sys.argv[2])
moments = random.Random(20)

def life(out):
    with Ledger.open(database, "tiny", "r1", Sampling(), wait=60) as ledger:
        sample = len(ledger.held(digest("a")))
        while True:
            for sample in range(sample, sample + 20):
                ledger.add(Rollout(digest("a"), sample, f"{sample} " * 2000, "stop", 3, -3.0))
                os.write(out, f"{sample}\\n".encode())
            sample += 1
            ledger.merge()

for _ in range(kills):
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        life(write)
    os.close(write)
    time.sleep(moments.uniform(0, 0.6))
    os.kill(child, signal.SIGKILL)
    with open(read) as kept:
        sys.stdout.writelines(kept)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
"""


def test_kills_in_the_middle_of_merges_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    """Each life adds twenty rollouts, merges them, and so on until it is killed; the next goes on where it stopped."""
    database = tmp_path / "t.duckdb"
    command = [sys.executable, "-c", LIVES, str(database), str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept = [int(line) for line in done.stdout.split()]
    assert len(kept) == len(set(kept)) > KILLS
    with Ledger.open(database, "tiny", "r1", Sampling()) as ledger:
        held = ledger.held(digest("a"))
        assert ledger.notes == []
    assert list(held) == list(range(len(held)))
    assert held.keys() >= set(kept)
    assert all(each.text == f"{sample} " * 2000 for sample, each in held.items())
    assert journals(database) == []
    with Store.open(database, read_only=True) as store:
        assert store.verify() == []
        assert store.database.all("SELECT count(*) FROM rollouts") == [(len(held),)]
