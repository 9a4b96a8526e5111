"""The pocket model's own benchmark: what it counts, and that the shipped model is what its card says."""

import json
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from tracer.analyses.bench_pocket import GATES, bench, operations
from tracer.data.problems import Fact, Problem
from tracer.viz.bench import pocket_report

BY_HAND = Problem(
    0,
    (
        Fact("Ana", 6, ("Hal",), "+5"),
        Fact("Hal", 1),
        Fact("Leo", 8, ("Hal",), "+7"),
        Fact("Cal", 7, ("Ana", "Hal")),
        Fact("Hal", 3, rumor=True),
    ),
    "Cal",
)


def test_operations_are_the_computations_on_the_way_to_the_answer() -> None:
    """Cal and Ana are computed; Hal is a number, and nobody needs Leo."""
    assert operations(BY_HAND) == 2
    assert operations(BY_HAND._replace(target="Hal")) == 0


def test_an_untrained_model_solves_nothing_and_the_result_says_so() -> None:
    """Shares of 0, with their intervals."""
    pytest.importorskip("torch")
    from tracer.data.pocket_model import build

    result = bench(1, 0, build(0))
    assert {name: result[name] for name in ("n", "greedy", "sampled", "team_greedy")} == {
        "n": 1, "greedy": 0.0, "sampled": 0.0, "team_greedy": 0.0,
    }  # fmt: skip
    assert result["intervals"]["greedy"][0] == 0.0
    assert "greedy: 0 % [0, " in str(pocket_report(result))
    assert sum(of for _, of in result["by_operations"].values()) == 1


@pytest.fixture(name="shipped")
def _shipped() -> Traversable:
    """The folder of the shipped model."""
    folder = files("tracer.data").joinpath("pocket")
    if not folder.joinpath("model.safetensors").is_file():
        pytest.skip("no pocket model is shipped")
    return folder


def test_the_card_is_true(shipped: Traversable) -> None:
    """On 40 fresh problems and teams each share agrees with that of the 500 on the card, as far as 40 can say."""
    pytest.importorskip("torch")
    told, found = json.loads(shipped.joinpath("bench.json").read_text(encoding="utf-8")), bench(40, 7)
    assert told["n"] == 500
    for name in GATES:
        low, high = found["intervals"][name]
        assert low - 0.05 <= told[name] <= high + 0.05, (name, told[name], found[name])


@pytest.mark.parametrize("name", list(GATES))
def test_the_shipped_model_meets_its_gates(shipped: Traversable, name: str) -> None:
    """Alone, sampled, and in teams."""
    told = json.loads(shipped.joinpath("bench.json").read_text(encoding="utf-8"))
    low, high = GATES[name]
    assert low <= told[name] <= high


def test_the_shipped_model_is_small_and_has_a_card(shipped: Traversable) -> None:
    """At most 8 MB with its tokenizer; the card tells how it was made."""
    folder = shipped
    sizes = {file.name: len(file.read_bytes()) for file in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md", "bench.json", "curve.json"} <= set(sizes)
    assert sum(sizes.values()) <= 8 * 10**6
    card = folder.joinpath("README.md").read_text(encoding="utf-8")
    assert "python -m tracer.data.train" in card
