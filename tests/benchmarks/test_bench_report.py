"""What a reader of a report waits for: writing it, opening it, scrolling through it; and how large it is.

Limits in seconds, bytes and frames a second, on two cores, for runs of 10 to 10,000 steps of 1 kB with two edges each.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tracer.records import Candidate, Edge, Finding, PathStep, Run, Step, TextSpan
from tracer.viz.html import write_html
from tracer.viz.layout import layout

Window = Callable[..., Any]

SIZES = [10, 200, 2_000, 10_000]
LAYOUT_LIMIT = 0.1
"""Of 2,000 steps."""
WRITE_LIMIT = 3.0
"""Of 2,000 steps."""
PAINT_LIMIT = 2.0
"""Until something stands there, whatever the size."""
READY_LIMIT = 4.0
"""Until everything can be used."""
FRAMES = 30
"""A second, while one scrolls; from afar, where all steps are on view at once, up to MANY steps."""
MANY = 2_000
BYTES_LIMIT = 10_000_000
SCROLL = """
async (step) => {
  const scroller = document.querySelector(".scroller");
  const times = [];
  let [last, top] = [performance.now(), 0];
  for (const end = last + 2000; last < end; ) {
    scroller.scrollTop = top = (top + step) % Math.max(1, scroller.scrollHeight - scroller.clientHeight);
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
  }
  return times;
}
"""
"""Scrolls for two seconds; the time of each frame in milliseconds."""


class Case(NamedTuple):
    """A run with everything that its page is made of."""

    run: Run
    steps: list[Step]
    edges: list[Edge]
    finding: Finding


def made_up(count: int) -> Case:
    """Eight agents; each step has 1 kB of text and takes from two others, mostly near ones."""
    chance = random.Random(count)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(20_000)]
    steps = [
        Step(
            index=index,
            agent=f"Agent {chance.randrange(8)}",
            kind="message",
            content=" ".join(chance.choices(words, k=170))[:1_000],
            marks=("instruction",) if index % 17 == 0 else (),
        )
        for index in range(count)
    ]
    edges = [edge(chance, target) for target in range(1, count) for _ in range(2)]
    path = tuple(PathStep(step=k, agent=steps[k].agent, text="w", origin="reused") for k in (count // 3, count - 1))
    cause = Candidate(rank=1, step=path[0].step, agent=path[0].agent, probability=0.4, cues=("a cue",), path=path)
    run = Run(id="a" * 12, content_hash="a" * 12, source="x.json", format="chat", task="A task.", outcome="failure")
    finding = Finding(
        run=run.id,
        analysis="blame",
        version=1,
        verdict="root_cause",
        method="ranker",
        probability_basis="in-domain",
        symptom=count - 1,
        candidates=(cause,),
    )
    return Case(run, steps, edges, finding)


def edge(chance: random.Random, target: int) -> Edge:
    near = chance.random() < 0.9
    return Edge(
        source=chance.randrange(max(0, target - 40) if near else 0, target),
        target=target,
        origin=chance.choice(("declared", "reused", "similar")),
        weight=round(chance.random(), 2),
        reason="reuses something",
        source_spans=(TextSpan(start=3, end=9, text=""),),
        target_spans=(TextSpan(start=5, end=11, text=""),),
    )


@pytest.fixture(scope="module", name="pages")
def _pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The page of a run of that many steps, written once."""
    folder, kept = tmp_path_factory.mktemp("pages"), dict[int, Path]()

    def page(count: int) -> Path:
        if count not in kept:
            kept[count] = write_html(folder / f"{count}.html", *made_up(count))
        return kept[count]

    return page


def test_layout_of_2000_steps(benchmark: BenchmarkFixture) -> None:
    """Lanes, phases and main edges."""
    case = made_up(2_000)
    benchmark.pedantic(lambda: layout(case.steps, case.edges), rounds=10)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    assert benchmark.stats["min"] <= LAYOUT_LIMIT


def test_writing_2000_steps(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """From the records to the file."""
    case = made_up(2_000)
    benchmark.pedantic(lambda: write_html(tmp_path / "r.html", *case), rounds=3)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    assert benchmark.stats["min"] <= WRITE_LIMIT


@pytest.mark.parametrize("count", SIZES)
def test_opening(benchmark: BenchmarkFixture, window: Window, pages: Callable[[int], Path], count: int) -> None:
    """From the click on the file until everything can be used; the first paint comes earlier. The best of three."""
    path = pages(count)
    painted: list[float] = []

    def opened() -> None:
        page = window().open(path)
        painted.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"))
        page.close()

    benchmark.pedantic(opened, rounds=3)  # type: ignore[no-untyped-call]
    benchmark.extra_info.update(bytes=path.stat().st_size, first_paint=min(painted))
    print(f"\n{count} steps: {path.stat().st_size / 1e6:.2f} MB, first paint after {min(painted):.2f} s")
    assert path.stat().st_size <= BYTES_LIMIT
    assert min(painted) <= PAINT_LIMIT
    assert benchmark.stats is not None
    assert benchmark.stats["min"] <= READY_LIMIT


@pytest.mark.parametrize("count", SIZES)
def test_scrolling(benchmark: BenchmarkFixture, window: Window, pages: Callable[[int], Path], count: int) -> None:
    """Frames a second while the run passes by, near with its texts and from afar; the better of two."""
    page = window().open(pages(count))
    rates = {}
    for view, keys in (("near", ""), ("far", "f+")):
        for key in keys:
            page.keyboard.press(key)
        times = [page.evaluate(SCROLL, 60) for _ in range(2)]
        rates[view] = max(1000 * len(each) / sum(each) for each in times)
        print(f"\n{count} steps, {view}: {rates[view]:.0f} frames/s, median {median(min(times, key=sum)):.1f} ms")
    benchmark.extra_info.update(rates)
    benchmark.pedantic(lambda: None)  # type: ignore[no-untyped-call]
    assert rates["near"] >= FRAMES
    assert rates["far"] >= FRAMES or count > MANY
