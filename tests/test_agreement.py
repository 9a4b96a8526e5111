"""How far methods agree on one chain of thought: small answers whose figures can be worked out by hand."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console
from scipy import stats

from tracer.analyses.agreement import compare
from tracer.errors import TracerError
from tracer.records import Anchors, AnchorSentence
from tracer.viz.agreement import agreement_report

Matrix = Sequence[Sequence[float]]


def anchors(
    method: str, weights: Sequence[float | None], matrix: Matrix | None = None, *, prompt: int = 1, **more: Any
) -> Anchors:
    """A method's answer: sentences of the prompt, which it weighs most of all, then those of the chain."""
    every = [*[1000.0 + k for k in range(prompt)], *weights]
    sentences = tuple(
        AnchorSentence(
            index=k, start=10 * k, end=10 * k + 10, text=f"S{k}. ", part="prompt" if k < prompt else "chain", weight=w
        )
        for k, w in enumerate(every)
    )
    rows = None if matrix is None else tuple(tuple(map(float, row)) for row in matrix)
    named = {"content": "c", "target": "@last:1", "score": "words", "model": "m", "revision": "1", **more}
    return Anchors(method=method, sentences=sentences, matrix=rows, **named)


ONE, TWO, THREE = (anchors(name, w) for name, w in {"a": [4, 3, 2, 1], "b": [4, 3, 1, 2], "c": [1, 2, 3, 4]}.items())


def test_two_orders_that_differ_in_one_place() -> None:
    """Ranks differ by 0, 0, 1, 1: rho = 1 - 6 * 2 / (4 * 15) = .8, and its interval tanh(1.099 -+ 1.96 sqrt(1.32))."""
    [pair] = compare([ONE, TWO])["pairs"]
    assert (pair["methods"], pair["n"]) == (["a", "b"], 4)
    assert [pair[name] for name in ("rho", "low", "high")] == pytest.approx([0.8, -0.8188, 0.9975], abs=1e-4)


def test_the_top_sentences_are_compared_with_what_chance_gives() -> None:
    """The first is the same; of the first three two are; of four sentences five cannot be chosen."""
    [pair] = compare([ONE, TWO])["pairs"]
    assert pair["top"]["1"] == {"overlap": 1.0, "chance": 0.25}
    assert pair["top"]["3"] == {"overlap": pytest.approx(2 / 3, abs=1e-6), "chance": 0.75}
    assert pair["top"]["5"] == {"overlap": None, "chance": None}


def test_all_methods_together_have_kendalls_w() -> None:
    """Rank sums 9, 8, 6, 7 of three methods: S = 5, W = 12 * 5 / (9 * 60) = 1/9, less than chance's 1/3."""
    found = compare([ONE, TWO, THREE])
    assert len(found["pairs"]) == 3
    assert found["concordance"] == {
        "methods": ["a", "b", "c"],
        "n": 4,
        "w": pytest.approx(1 / 9, abs=1e-6),
        "chance": pytest.approx(1 / 3, abs=1e-6),
    }
    assert found["notes"] == []


def test_only_sentences_that_both_weigh_count() -> None:
    """The prompt's never do, though they weigh the most; of six sentences five are weighed twice, in one order."""
    [pair] = compare([anchors("a", [6, 5, 4, 3, 2, None]), anchors("b", [60, 50, 40, 30, 20, 10])])["pairs"]
    assert (pair["n"], pair["rho"], pair["low"], pair["high"]) == (5, 1.0, 1.0, 1.0)


def test_a_method_without_weights_leaves_the_others_their_figures() -> None:
    """It is named in a note, and takes no part in W: (.8 + 1) / 2 for two methods."""
    found = compare([ONE, TWO, anchors("mute", [None] * 4)])
    assert found["concordance"]["w"] == pytest.approx(0.9, abs=1e-6)
    assert found["concordance"]["methods"] == ["a", "b"]
    assert [pair["rho"] for pair in found["pairs"]] == [0.8, None, None]
    assert found["notes"] == ["mute weighs no sentence of the chain"]


@pytest.mark.parametrize("weights", [[], [1.0], [1.0, 2.0, 3.0]])
def test_too_few_sentences_give_nulls_and_a_note(weights: list[float]) -> None:
    """An order of three proves nothing; the JSON stays valid."""
    found = compare([anchors("a", weights), anchors("b", weights)])
    [pair] = found["pairs"]
    assert (
        pair["rho"] is pair["low"] is pair["high"] is pair["top"]["1"]["overlap"] is found["concordance"]["w"] is None
    )
    assert found["notes"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_equal_weights_order_nothing() -> None:
    """No rank correlation is NaN in the JSON."""
    found = compare([ONE, anchors("flat", [0.5] * 4)])
    assert found["pairs"][0]["rho"] is None
    assert found["notes"] == ["flat weighs all sentences alike, so it orders nothing"]
    json.dumps(found, allow_nan=False)


def linked(method: str, far: int, size: int = 9, **more: Any) -> Anchors:
    """A matrix of which each cell (t, s) has another value, 10 t + s, with the sign `far` where t - s >= 5.

    Row and column 0 are the prompt's sentence.
    """
    cells = [
        [(10 * t + s) * (far if t - s >= 5 else 1) if s < t else 0 for s in range(-1, size)] for t in range(-1, size)
    ]
    return anchors(method, [float(k) for k in range(size)], cells, **more)


def test_links_are_compared_near_and_far_apart() -> None:
    """Of 36 pairs of nine sentences 26 are near, and the same; 10 are far, and the other way round."""
    [links] = compare([linked("a", 1), linked("b", -1)])["links"]
    assert links["near"] == {"rho": 1.0, "low": 1.0, "high": 1.0, "n": 26}
    assert links["far"] == {"rho": -1.0, "low": -1.0, "high": -1.0, "n": 10}
    one = [10 * t + s for t in range(9) for s in range(t)]
    two = [(10 * t + s) * (-1 if t - s >= 5 else 1) for t in range(9) for s in range(t)]
    assert links["all"]["rho"] == pytest.approx(stats.spearmanr(one, two).statistic, abs=1e-6)
    assert links["all"]["low"] < links["all"]["rho"] < links["all"]["high"]
    assert links["all"]["n"] == 36


def test_an_interval_of_links_is_the_jackknifes_over_sentences() -> None:
    """Four sentences, six links in the orders 1 2 3 4 5 6 and 2 1 3 5 4 6: d^2 sums to 4, rho = 1 - 24 / 210.

    Without any sentence three links are left, on which nothing can be said: any rho is possible. With five sentences
    six of ten are left each time, and rho moves: worked out below by the definition.
    """
    four = [[0, 0, 0, 0], [1, 0, 0, 0], [2, 3, 0, 0], [4, 5, 6, 0]]
    other = [[0, 0, 0, 0], [2, 0, 0, 0], [1, 3, 0, 0], [5, 4, 6, 0]]
    [links] = compare([anchors(name, [1, 2, 3, 4], m, prompt=0) for name, m in {"a": four, "b": other}.items()])[
        "links"
    ]
    assert links["all"] == {"rho": pytest.approx(1 - 24 / 210, abs=1e-6), "low": -1.0, "high": 1.0, "n": 6}
    five, swapped = ([*m, [7, 8, 9, last]] for m, last in ((four, 10), (other, 10)))
    five, swapped = ([[*row, 0][:5] for row in [*m[:4], [*m[4], 0]]] for m in (five, swapped))
    [links] = compare([anchors(n, [1, 2, 3, 4, 5], m, prompt=0) for n, m in {"a": five, "b": swapped}.items()])["links"]
    cells = [(t, s) for t in range(5) for s in range(t)]
    z = []
    for gone in range(5):
        kept = [(t, s) for t, s in cells if gone not in (t, s)]
        rho = stats.spearmanr([five[t][s] for t, s in kept], [swapped[t][s] for t, s in kept]).statistic
        z.append(math.atanh(min(rho, 1 - 1e-9)))
    half = 1.959964 * math.sqrt(4 / 5 * sum((each - sum(z) / 5) ** 2 for each in z))
    middle = math.atanh(links["all"]["rho"])
    assert links["all"]["low"] == pytest.approx(math.tanh(middle - half), abs=1e-5)
    assert links["all"]["high"] == pytest.approx(math.tanh(middle + half), abs=1e-5)


def test_methods_without_a_matrix_have_no_links() -> None:
    """Two with one make one pair, whatever else was run."""
    assert compare([ONE, TWO])["links"] == []
    assert compare([linked("a", 1), anchors("s", [1.0] * 8 + [2.0])])["links"] == []
    assert len(compare([linked("a", 1), anchors("s", [1.0] * 8 + [2.0]), linked("b", 1)])["links"]) == 1


def test_short_chains_have_no_far_links() -> None:
    """Five sentences: none is five behind another."""
    [links] = compare([linked("a", 1, 5), linked("b", 1, 5)])["links"]
    assert links["far"] == {"rho": None, "low": None, "high": None, "n": 0}
    assert links["near"]["n"] == links["all"]["n"] == 10


def test_chains_that_were_split_differently_are_matched_by_place() -> None:
    """The prompt counted in by one of them: where the places agree, weights are compared; matrices are not."""
    found = compare([linked("a", 1), linked("b", 1, prompt=0)])
    assert found["pairs"][0]["n"] == 8
    assert found["links"][0]["all"] == {"rho": None, "low": None, "high": None, "n": 0}
    assert found["notes"] == ["a and b split the chain differently: their links are not compared"]


def test_a_method_that_was_run_twice_is_told_apart() -> None:
    """By its model, and by a number where the model is the same."""
    names = compare([ONE, anchors("a", [1, 2, 3, 4], model="big"), anchors("a", [1, 2, 4, 3], model="big"), TWO])
    assert [each["name"] for each in names["methods"]] == ["a m", "a big #1", "a big #2", "b"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "nothing was run on this chain of thought: run `tracer anchors TARGET --method`"),
        ([ONE], "only a was run"),
        ([ONE, anchors("b", [1], content="other")], "on one chain of thought"),
    ],
)
def test_what_cannot_be_compared_is_refused(found: list[Anchors], words: str) -> None:
    """In one line that says what to do."""
    with pytest.raises(TracerError, match=words) as caught:
        compare(found)
    assert "\n" not in str(caught.value)


def printed(result: dict[str, Any]) -> str:
    console = Console(width=80, record=True, color_system=None)
    with console.capture() as capture:
        console.print(agreement_report(result))
    return capture.get()


def test_the_report_reads_at_eighty_columns() -> None:
    """Every figure whole, whatever a model is called; a name can neither style nor move anything."""
    hostile = "\x1b[31m" + "x" * 300 + "[/]"
    result = compare([linked("suppress", 1), linked("receivers", -1), linked("a", 1), linked("a", 1, model=hostile)])
    text = printed(result)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "+1.00 [+1.00, +1.00]" in text
    assert "-1.00 [-1.00, -1.00]" in text
    assert "Kendall's W of 4 methods on 9 sentences: 1.00" in text


def test_the_report_of_too_little_has_dashes_and_the_reason() -> None:
    """No figure is made up."""
    text = printed(compare([anchors("a", [1.0]), anchors("b", [1.0])]))
    assert "–" in text
    assert "a and b weigh 1 sentences in common: 4 are needed" in text
    assert "Links" not in text
