"""Sampling: the same as Hugging Face's greedy search, and the same whatever else is in the batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tracer.errors import DoesNotFitError, TracerError
from tracer.lm.sampling import Row, Rules, choose, continue_rows, key, uniform

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

FAMILIES = [
    "llama",
    "qwen2",
    "qwen3",
    "mixtral",
    "qwen2_moe",
    "gpt_neox",
    "gpt_oss",
    "gpt_oss_sliding",
    "gemma2",
    "gemma3",
    "mistral",
]
"""The last four have windows of 6 tokens, which is shorter than the prompts."""
PROMPTS = [(1, 17, 40, 5, 62, 33, 8, 90, 21), (1, 50, 3), (1, 9, 9, 71, 12, 30)]


def rules(temperature: float = 0.0, ends: frozenset[int] = frozenset({2}), top_p: float = 1.0) -> Rules:
    return Rules(temperature, top_p, ends, lambda drawn: False)


def rows(prompt: tuple[int, ...], n: int, max_tokens: int = 12) -> list[Row]:
    return [Row(prompt, key(7, str(prompt), number), max_tokens) for number in range(n)]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_is_what_transformers_generates(family: str, tiny_model: Callable[..., Any]) -> None:
    """Token for token, prompt by prompt, while ours reads the three prompts in one padded batch."""
    model = tiny_model(family)
    found = continue_rows(model, [row for prompt in PROMPTS for row in rows(prompt, 1, 20)], rules())
    for prompt, ours in zip(PROMPTS, found, strict=True):
        theirs = model.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False)[0, len(prompt) :]
        assert ours.ids == theirs.tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sample_does_not_depend_on_its_batch(family: str, tiny_model: Callable[..., Any]) -> None:
    """Four samples of each prompt, all in one batch, each prompt for itself, and each sample for itself."""
    model = tiny_model(family)
    wanted = [row for prompt in PROMPTS for row in rows(prompt, 4)]
    together = continue_rows(model, wanted, rules(1.0))
    by_prompt = [each for prompt in PROMPTS for each in continue_rows(model, rows(prompt, 4), rules(1.0))]
    alone = [continue_rows(model, [row], rules(1.0))[0] for row in wanted]
    assert [each.ids for each in together] == [each.ids for each in by_prompt] == [each.ids for each in alone]
    assert len({tuple(each.ids) for each in together}) > 6


def test_rows_that_finish_leave_the_batch(tiny_model: Callable[..., Any]) -> None:
    """The model is fed exactly the rows that have not ended: none for a last token, which nothing follows."""
    model = tiny_model("llama")
    sizes: list[int] = []
    handle = model.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    found = continue_rows(model, rows(PROMPTS[0], 8, 15), rules(1.0, ends=frozenset(range(0, 96, 8))))
    handle.remove()
    lengths = [len(each.ids) for each in found]
    assert len(set(lengths)) > 2
    assert sizes == [1] + [sum(length > step for length in lengths) for step in range(1, max(lengths))]


def test_a_row_may_have_a_limit_of_its_own(tiny_model: Callable[..., Any]) -> None:
    """Limits of 1, 5 and 3 tokens; the shorter rows are the beginnings of the longest."""
    model = tiny_model("llama")
    made = [Row(PROMPTS[0], key(0, "", 0), limit) for limit in (1, 5, 3)]
    short, long, middle = (each.ids for each in continue_rows(model, made, rules(1.0, frozenset())))
    assert [len(short), len(long), len(middle)] == [1, 5, 3]
    assert long[:1] == short
    assert long[:3] == middle


def test_the_token_is_where_the_cumulative_distribution_passes_u() -> None:
    """p = .5, .3, 0, .2: the borders are .5 and .8, and the token of probability 0 is never drawn."""
    logits = torch.tensor([[0.5, 0.3, 0.0, 0.2]]).log().expand(6, 4)
    u = torch.tensor([0.0, 0.49, 0.51, 0.79, 0.81, 0.999])
    assert choose(logits, u, 1.0, 1.0).tolist() == [0, 0, 1, 1, 3, 3]


def test_a_low_temperature_sharpens() -> None:
    """At T = 1/2 the probabilities .5, .3, .2 are squared: .25, .09, .04 of .38, so the borders are .658 and .895."""
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log().expand(4, 3)
    assert choose(logits, torch.tensor([0.65, 0.67, 0.89, 0.90]), 0.5, 1.0).tolist() == [0, 1, 1, 2]


def test_top_p_keeps_the_likeliest_tokens_only() -> None:
    """p = .2, .5, .3: for .45 the .5 is enough; for .6 the .3 joins, with the border at .5 / .8 = .625."""
    logits = torch.tensor([[0.2, 0.5, 0.3]]).double().log().expand(3, 3)
    u = torch.tensor([0.0, 0.62, 0.63])
    assert choose(logits, u, 1.0, 0.45).tolist() == [1, 1, 1]
    assert choose(logits, u, 1.0, 0.6).tolist() == [1, 1, 2]
    assert choose(logits, torch.tensor([0.1, 0.21, 0.99]), 1.0, 1.0).tolist() == [0, 1, 2]


def test_draws_follow_the_models_distribution(tiny_model: Callable[..., Any]) -> None:
    """First tokens of 4,000 samples against the softmax: chi-squared over the tokens that are expected 5 times."""
    model = tiny_model("llama")
    expected = model(torch.tensor([PROMPTS[0]])).logits[0, -1].double().softmax(-1).numpy() * 4000
    drawn = [each.ids[0] for each in continue_rows(model, rows(PROMPTS[0], 4000, 1), rules(1.0))]
    counts = np.bincount(drawn, minlength=96)
    often = expected >= 5
    table = np.append(counts[often], counts[~often].sum()), np.append(expected[often], expected[~often].sum())
    assert stats.chisquare(*table).pvalue > 0.001


def test_random_numbers_depend_on_seed_prefix_and_number_only() -> None:
    """Another of any of the three gives other numbers; a longer draw begins like a shorter one."""
    base = uniform(key(0, "a", 0), 5)
    assert np.array_equal(uniform(key(0, "a", 0), 9)[:5], base)
    others = [uniform(made, 5) for made in (key(1, "a", 0), key(0, "b", 0), key(0, "a", 1))]
    assert all(not np.intersect1d(other, base).size for other in others)
    assert ((base >= 0) & (base < 1)).all()


def test_more_samples_begin_with_the_same_ones(tiny_lm: Callable[..., Any]) -> None:
    """So a run may be continued."""
    lm = tiny_lm()
    assert lm.sample("What is Kim?", 6, max_tokens=8)[:2] == lm.sample("What is Kim?", 2, max_tokens=8)
    assert lm.sample("What is Kim?", 2, max_tokens=8, seed=1) != lm.sample("What is Kim?", 2, max_tokens=8)
    assert lm.sample("What is Kim?", 0, max_tokens=8) == []


def test_many_prefixes_at_once_are_the_same_as_one_after_the_other(tiny_lm: Callable[..., Any]) -> None:
    """In the order of the prefixes, though they are batched by length."""
    lm = tiny_lm(kind="bytes")
    prefixes = ["Kim", "What is Kim? Then we check it.", "Hello world.", "Kim"]
    each = lm.sample_each(prefixes, 3, max_tokens=10)
    assert each == [lm.sample(prefix, 3, max_tokens=10) for prefix in prefixes]
    assert each[0] == each[3]


def test_greedy_samples_are_all_the_same(tiny_lm: Callable[..., Any]) -> None:
    """And computed once."""
    one, two = tiny_lm().sample("Hello", 2, max_tokens=5, temperature=0)
    assert one == two


@pytest.mark.parametrize("kind", ["bytes", "metaspace", "words"])
def test_the_text_is_what_the_tokens_add_to_the_prefix(kind: str, tiny_lm: Callable[..., Any]) -> None:
    """A SentencePiece decoder would drop the blank that a continuation begins with."""
    lm = tiny_lm(kind=kind)
    ids = lm.encode("Hello world. Kim").ids
    prompt, rest = ids[:-1], ids[-1:]
    assert lm._continuation(prompt, rest).endswith(" Kim")
    assert lm._text(prompt) + lm._continuation(prompt, rest) == lm._text(ids)


def test_a_stop_string_ends_the_text_before_it(tiny_lm: Callable[..., Any]) -> None:
    """Cut at its first occurrence, and drawn no further."""
    lm = tiny_lm()
    long = lm.sample("Hello", 1, max_tokens=40, seed=3)[0]
    word = long.text.split()[2]
    stopped = lm.sample("Hello", 1, max_tokens=40, seed=3, stop=("never", word))[0]
    assert stopped.text == long.text[: long.text.index(word)]
    assert stopped.finish == "stop"
    assert stopped.tokens < long.tokens


def test_how_a_sample_ended_is_told(tiny_lm: Callable[..., Any]) -> None:
    """By the end token, which is counted and not shown, or by running out of tokens."""
    lm = tiny_lm()
    samples = lm.sample("Hello", 40, max_tokens=30)
    ended = [each for each in samples if each.finish == "stop"]
    assert ended
    assert all(each.tokens == 30 for each in samples if each.finish == "length")
    assert not any("<end>" in each.text for each in samples)


def test_a_sample_ends_where_the_models_context_does(tiny_lm: Callable[..., Any]) -> None:
    """A prefix of 6 tokens in a context of 10 leaves 4; one of 10 leaves none, and that is said."""
    lm = tiny_lm(max_position_embeddings=10)
    lm.model.generation_config.eos_token_id = lm.model.config.eos_token_id = lm.tokenizer.eos_token = None
    assert [each.tokens for each in lm.sample("Hello world. The end is", 3, max_tokens=50)] == [4, 4, 4]
    with pytest.raises(DoesNotFitError, match=r"the text has 11 tokens, tiny llama reads 10: shorten it"):
        lm.sample("Hello world. The end is near. What is", 1, max_tokens=5)


@pytest.mark.parametrize("kind", ["bytes", "metaspace", "words"])
def test_an_empty_prefix_is_begun_with_the_models_own_token(kind: str, tiny_lm: Callable[..., Any]) -> None:
    """Where there is no begin token, the end token separates texts."""
    assert len(tiny_lm(kind=kind).sample("", 2, max_tokens=3)) == 2


def test_arguments_that_make_no_sense_are_refused(tiny_lm: Callable[..., Any]) -> None:
    """In one line that says the ranges."""
    lm = tiny_lm()
    for wrong in ({"temperature": -1.0}, {"temperature": float("nan")}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(TracerError, match="sampling needs n >= 0"):
            lm.sample("Hello", 1, max_tokens=3, **wrong)
    with pytest.raises(TracerError, match="max_tokens >= 1"):
        lm.sample("Hello", 1, max_tokens=0)
