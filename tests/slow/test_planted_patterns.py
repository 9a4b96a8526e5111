"""How often planted patterns come first, and how often chance is taken for a pattern: the figures of the docs."""

from __future__ import annotations

import random
import runpy
from pathlib import Path
from typing import Any

from tracer.analyses.elements import spectrum
from tracer.analyses.patterns import suspects
from tracer.analyses.spectra import tabulate
from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.fleet import Suspect
from tracer.records import Recording

OFFICE: dict[str, Any] = runpy.run_path(str(Path(__file__).parent.parent / "planted_runs.py"))


def recordings(folder: Path, seed: int) -> tuple[Recording, ...]:
    """200 generated runs with both faults, as a collector reads them."""
    path = OFFICE["write"](folder, OFFICE["planted_runs"](seed))
    [container] = open_containers(path)
    return recognise(container).read(container).recordings


def told(runs: tuple[Recording, ...], failed: list[bool]) -> list[Suspect]:
    """The suspects, by the default measure."""
    table = tabulate([spectrum(each.steps) for each in runs], failed)
    return suspects(table, [each.run.id for each in runs], "ochiai").suspects


def test_planted_patterns_come_first(tmp_path: Path) -> None:
    """60 seeds: both in front in all, and the branch named in 59."""
    first, named = 0, 0
    for seed in range(60):
        runs = recordings(tmp_path, seed)
        words = [each.words for each in told(runs, [each.run.outcome == "failure" for each in runs])[:2]]
        first += sorted(each[:12] for each in words) == ["lookup fails", "pricer drops"]
        named += any(each.startswith("lookup fails for export") for each in words)
    print(first, named)
    assert first == 60
    assert named >= 57


def test_chance_is_rarely_taken_for_a_pattern(tmp_path: Path) -> None:
    """300 times, outcomes drawn at random over real structure: a pattern in at most 5 %."""
    claims = 0
    for seed in range(15):
        runs = recordings(tmp_path, seed)
        for again in range(20):
            draw = random.Random(100 * seed + again)
            claims += told(runs, [draw.random() < 0.3 for _ in runs])[0].status == "pattern"
    print(claims)
    assert claims <= 15
