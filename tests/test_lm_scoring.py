"""Log-probabilities of given continuations, against one plain forward pass over the whole text."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tracer.errors import DoesNotFitError
from tracer.lm.scoring import BLOCK, score

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

FAMILIES = ["llama", "qwen3", "mixtral", "gpt_neox", "gpt_oss", "gpt_oss_sliding", "gemma2", "gemma3", "mistral"]


def plain(model: Any, context: list[int], rest: list[int]) -> list[float]:
    """ln p of each token of the rest, from one pass without a cache."""
    logs = model(torch.tensor([context + rest])).logits[0].log_softmax(-1)
    return [float(logs[len(context) - 1 + place, token]) for place, token in enumerate(rest)]


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_those_of_a_plain_pass(family: str, tiny_model: Callable[..., Any]) -> None:
    """Rests of 7, 0, 1 and 12 tokens after a context that is longer than any window, in one batch."""
    model = tiny_model(family)
    context = [1, 17, 40, 5, 62, 33, 8, 90, 21]
    rests = [[5, 6, 7, 8, 9, 10, 11], [], [44], [60, 3, 3, 9, 80, 12, 31, 5, 77, 8, 2, 15]]
    for found, rest in zip(score(model, context, rests), rests, strict=True):
        assert found == pytest.approx(plain(model, context, rest), abs=2e-4)


def test_long_rests_are_scored_in_blocks(tiny_model: Callable[..., Any]) -> None:
    """Two blocks and a bit, with a context of a single token; and the window goes on over the border of a block."""
    for family in ("llama", "mistral"):
        model = tiny_model(family, max_position_embeddings=1024)
        rest = [3 + (place * 37) % 90 for place in range(2 * BLOCK + 5)]
        assert score(model, [1], [rest, rest[:3]])[0] == pytest.approx(plain(model, [1], rest), abs=1e-3)


def test_one_token_continuations_add_up_to_one(tiny_model: Callable[..., Any]) -> None:
    """Over the whole vocabulary."""
    found = score(tiny_model("llama"), [1, 5, 9], [[token] for token in range(96)])
    assert sum(math.exp(each[0]) for each in found) == pytest.approx(1, abs=1e-5)


def test_a_continuation_is_scored_after_its_prefix(tiny_lm: Callable[..., Any]) -> None:
    """ "Kim: Leo" is three words; the score is the sum over the continuation's tokens only."""
    lm = tiny_lm()
    near, empty = lm.logprobs("What is Kim?", [" Kim: Leo", ""])
    prefix, whole = lm.encode("What is Kim?").ids, lm.encode("What is Kim? Kim: Leo").ids
    assert near.logprobs == pytest.approx(plain(lm.model, prefix, whole[len(prefix) :]), abs=1e-4)
    assert len(near.logprobs) == 2
    assert near.logprob == pytest.approx(sum(near.logprobs))
    assert (empty.text, empty.logprob, empty.logprobs) == ("", 0, ())
    assert lm.logprobs("What is Kim?", []) == []


def test_continuations_that_break_the_prefix_s_last_token_are_compared_from_a_common_border(
    tiny_lm: Callable[..., Any],
) -> None:
    """After "Hello wor", "ld" makes the token " world" and " Kim" does not: all are scored from behind "Hello"."""
    lm = tiny_lm(kind="bytes")
    hello = lm.encode("Hello").ids
    for found, text in zip(lm.logprobs("Hello wor", ["ld", " Kim"]), ["Hello world", "Hello wor Kim"], strict=True):
        assert found.logprobs == pytest.approx(plain(lm.model, hello, lm.encode(text).ids[1:]), abs=1e-4)


def test_a_prefix_of_nothing_is_scored_from_the_end_token(tiny_lm: Callable[..., Any]) -> None:
    """As sampling begins there, too."""
    lm = tiny_lm(kind="words")
    assert lm.opening == []
    ids = lm.encode("Hello world").ids
    assert lm.logprobs("", ["Hello world"])[0].logprobs == pytest.approx(plain(lm.model, [2], ids), abs=1e-4)


def test_scores_do_not_depend_on_the_batch(tiny_lm: Callable[..., Any]) -> None:
    """Ten continuations at once, or at most three."""
    lm = tiny_lm(kind="bytes")
    texts = [" Kim" * count for count in range(10)]
    whole = [each.logprob for each in lm.logprobs("What is", texts)]
    lm.batches.rows = 3
    assert [each.logprob for each in lm.logprobs("What is", texts)] == pytest.approx(whole, abs=1e-4)


def test_a_text_beyond_the_models_context_is_refused(tiny_lm: Callable[..., Any]) -> None:
    """With both numbers."""
    with pytest.raises(DoesNotFitError, match="the text has 11 tokens, tiny llama reads 10"):
        tiny_lm(max_position_embeddings=10).logprobs("Hello", [" world" * 10])
