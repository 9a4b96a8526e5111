"""What a sentence leads to: by hand, against the published formula, and on rollouts that prefixes share."""

import numpy as np
import pytest

from tracer.analyses.onward import Continuation, onward
from tracer.analyses.paper import steps
from tracer.analyses.similarity import by_words

TRACE = ["Take the left road.", "It leads to a river.", "Swim."]
LEFT, RIGHT = " Take the left road. It leads to a river. Swim.", " Take the right road. There is a bridge. Walk."


def drawn(prefix: int, text: str, count: int, follows: int = 0) -> list[Continuation]:
    """So many rollouts that say the same."""
    return [Continuation(prefix, text, follows)] * count


def test_a_sentence_leads_to_those_that_are_written_because_of_it() -> None:
    """Without the left road 5 of 20 come to the river, with it all 20: 1 - 1/4."""
    without = [*drawn(0, LEFT, 5), *drawn(0, RIGHT, 15)]
    given = [*drawn(1, " It leads to a river. Swim.", 20), *drawn(2, " Swim.", 20)]
    found = onward(TRACE, without + given, by_words)
    assert found.matrix[1, 0] == pytest.approx(0.75)
    assert found.matrix[2, 0] == pytest.approx(0.75)
    assert found.matrix[2, 1] == 0
    assert np.isnan(found.matrix[np.triu_indices(3)]).all()
    assert {(link.source, link.target) for link in found.links} == {(0, 1), (0, 2)}
    first = found.links[0]
    assert (first.before, first.after) == (0.25, 1.0)
    assert 0 < first.effect.low < 0.75 < first.effect.high <= 1
    assert first.q < 0.001


def test_shared_rollouts_give_the_same_shares_as_separate_ones() -> None:
    """Of 20 rollouts 5 repeat the first sentence: they are rollouts of the second prefix as well, all at the river."""
    found = onward(TRACE, [*drawn(0, LEFT, 5, follows=1), *drawn(0, RIGHT, 15)], by_words)
    assert np.isnan(found.matrix[1, 0])  # 5 cases behind the first sentence are too few to say anything
    more = onward(TRACE, [*drawn(0, LEFT, 10, follows=1), *drawn(0, RIGHT, 30)], by_words)
    assert more.matrix[1, 0] == pytest.approx(0.75)


def test_it_is_the_published_figure_where_each_prefix_has_its_own_rollouts() -> None:
    """Random rollouts of four sentences; the reference takes the best cosine of each rollout's sentences."""
    rng = np.random.default_rng(0)
    words = ["one is red", "two is blue", "three is green", "four is dark", "five is loud"]
    trace = [f"{text}." for text in words[:4]]
    rollouts = [
        Continuation(prefix, "".join(f" {words[k]}." for k in rng.choice(5, size=3)), 0)
        for prefix in range(4)
        for _ in range(25)
    ]
    best = [
        [
            by_words([f"{part.strip()}." for part in each.text.split(".") if part.strip()], trace).max(axis=0)
            for each in rollouts
            if each.prefix == prefix
        ]
        for prefix in range(4)
    ]
    expected = steps([np.array(rows) for rows in best])
    found = onward(trace, rollouts, by_words).matrix
    for source in range(3):
        for target in range(source + 1, 4):
            assert found[target, source] == pytest.approx(expected[source, target]), (source, target)


def test_chance_alone_makes_few_links() -> None:
    """Forty traces of six sentences whose rollouts are coin tosses: 600 pairs, of which hardly one may seem linked."""
    rng = np.random.default_rng(1)
    trace = [f"Word {name}." for name in ("ana", "ben", "cal", "dan", "eva", "fay")]
    links = 0
    for _ in range(40):
        rollouts = [
            Continuation(prefix, "".join(f" {text}" for text in trace if rng.random() < 0.5), 0)
            for prefix in range(6)
            for _ in range(20)
        ]
        links += len(onward(trace, rollouts, by_words, threshold=0.99).links)
    assert links <= 4


@pytest.mark.parametrize("sentences", [[], ["Alone."]])
def test_without_two_sentences_there_is_nothing_to_link(sentences: list[str]) -> None:
    """No pair, no link, no error."""
    assert onward(sentences, drawn(0, " Alone.", 12), by_words).links == ()


def test_empty_rollouts_write_nothing() -> None:
    """A model that stops at once."""
    assert onward(TRACE, [*drawn(0, "", 20), *drawn(1, "", 20)], by_words).matrix[1, 0] == 0
