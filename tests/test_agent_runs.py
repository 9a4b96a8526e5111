"""Runs of the agent world in number, and the ones that come with the package."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest

from tracer.analyses.world_labels import read_labels
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_faults import KINDS
from tracer.data.agent_runs import FIRST, MOST, STEPS, first_lives, runs, shipped, steps, worlds
from tracer.data.agent_steps import seed_of, turns_of
from tracer.data.agents import solved, world
from tracer.records import Recording


@pytest.fixture(scope="module")
def read() -> list[Recording]:
    """The shipped runs, read like anybody's."""
    if not shipped()[0].is_file():
        pytest.skip("no runs of the agent world are shipped yet")
    found, skipped = read_recordings([shipped()[0]])
    assert not skipped
    return found


def test_two_seeds_draw_from_different_worlds() -> None:
    """Ten thousand each, none of which was looked at while the world was made."""
    one, two = worlds(0), worlds(1)
    assert (next(one), next(one), next(two)) == (FIRST, FIRST + 1, FIRST + 10_000)


def test_a_few_runs_are_the_first_that_fit() -> None:
    """Of the first worlds of a seed, lived one after the other, the same come out as of many at once."""
    pytest.importorskip("torch")
    kept = runs(3, 0, 2, jobs=1)
    first = first_lives([FIRST + 30_000 + number for number in range(8)])
    fit = [told for told in first if solved(told.world, told.turns) and steps(told) in STEPS]
    assert [told.world.seed for told in kept] == [told.world.seed for told in fit[:2]]
    assert [told.turns for told in kept] == [told.turns for told in fit[:2]]


def test_no_run_is_asked_for_and_none_is_lived() -> None:
    """Not even a model is loaded."""
    assert runs(0, 0, 0) == []


def test_forty_failed_runs_ship_and_ten_successful_ones(read: list[Recording]) -> None:
    """Of 8 to 40 steps, of the first seed, and each ended as the world says."""
    assert Counter(each.run.outcome for each in read) == {"failure": 40, "success": 10}
    for each in read:
        seed = seed_of(each.steps)
        assert seed is not None
        assert FIRST <= seed < FIRST + 10_000
        assert solved(world(seed), turns_of(world(seed), each.steps)) == (each.run.outcome == "success")
        assert len(each.steps) in STEPS


def test_the_shipped_labels_belong_to_the_failed_runs(read: list[Recording]) -> None:
    """One each; no topology is more frequent than it may be, no run's label stands in its log."""
    labels = {label["run"]: label for label in read_labels(shipped()[1])}
    failed = [each for each in read if each.run.outcome == "failure"]
    assert labels.keys() == {each.run.id for each in failed}
    most = {name: ceil(share * len(failed)) for name, share in MOST.items()}
    assert all(count <= most[name] for name, count in Counter(each["topology"] for each in labels.values()).items())
    for each in failed:
        label = labels[each.run.id]
        assert each.run.labels == ()
        assert [point["step"] for point in label["curve"]] == [
            step.index for step in each.steps if step.kind != "system"
        ]
        assert label["status"] == "diffuse" or label["agent"] in world(label["seed"]).agents


def test_the_shipped_failures_are_of_every_kind_and_mostly_of_one_step() -> None:
    """At most 30 % are diffuse; of the others each kind is 8 % or more, of all each topology 20 % or more."""
    labels = read_labels(shipped()[1])
    faults = Counter(each["fault"] for each in labels if each["status"] == "decisive")
    topologies = Counter(each["topology"] for each in labels)
    assert faults.total() >= 0.7 * len(labels)
    assert set(faults) == set(KINDS)
    assert min(faults.values()) >= 0.08 * faults.total()
    assert min(topologies.values()) >= 0.2 * len(labels)
