"""Hiding sentences: what is measured, what is not, and what the figures mean, on tiny random models."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.blocks import BLOCK_TOKENS, Block, Interval, blocks  # noqa: E402
from tracer.analyses.removal import Settings, Trace, effects, kept_end, whole  # noqa: E402
from tracer.analyses.suppression import (  # noqa: E402
    AGGREGATES,
    Suppression,
    row_centred,
    share,
    suppress,
    suppress_all,
)
from tracer.analyses.surprisal import log_probs, surprisal  # noqa: E402
from tracer.errors import BadInputError, MissingExtraError  # noqa: E402

SPANS = [(0, 5), (5, 12), (12, 20), (20, 30)]


def text(seed: int = 1, length: int = 30) -> Any:
    """Random token ids, (T,)."""
    return torch.randint(3, 96, (length,), generator=torch.Generator().manual_seed(seed))


def test_a_run_beside_itself_has_no_divergence(tiny_model: Any) -> None:
    """When what is hidden was never attended to, nothing changes: KL and loss are 0 within rounding."""
    found = effects(tiny_model("llama"), [Trace(text(), SPANS)], [[(0,), (1,), (2,)]], Settings(where={}))[0]
    assert found.kl.max() < 1e-6
    assert np.abs(found.drop).max() < 1e-5


def test_a_changed_token_moves_nothing_before_it(tiny_model: Any) -> None:
    """The alignment: with token 14 changed, the first log-probability that differs is that of token 14 itself."""
    model, ids = tiny_model("llama"), text()
    other = ids.clone()
    other[14] = 5 if int(ids[14]) != 5 else 6
    change = np.abs(log_probs(model, ids) - log_probs(model, other))
    assert change[:14].max() < 1e-6
    assert change[14:].min() > 1e-4


def test_each_effect_belongs_to_the_token_it_is_on(tiny_model: Any) -> None:
    """With a span for each token, moving every span by one moves the effects by one."""
    model, ids = tiny_model("llama"), text()
    source = (3, 8)
    singly = suppress(model, ids, [source, *((k, k + 1) for k in range(8, 30))])
    pairs = suppress(model, ids, [source, *((k, k + 2) for k in range(8, 30, 2))])
    np.testing.assert_allclose(pairs.kl[1:, 0], singly.kl[1:, 0].reshape(-1, 2).mean(axis=1), atol=1e-6)
    shifted = suppress(model, ids, [source, *((k, k + 2) for k in range(9, 29, 2))])
    np.testing.assert_allclose(shifted.kl[1:, 0], singly.kl[2:22, 0].reshape(-1, 2).mean(axis=1), atol=1e-6)


def test_the_first_token_of_the_next_sentence_is_measured(tiny_model: Any) -> None:
    """It is predicted from the last token of the hidden sentence, which is run again without the rest of it."""
    model, ids = tiny_model("llama"), text()
    spans = [(3, 8), (8, 9), (9, 20)]
    assert kept_end((3, 8)) == (3, 7)
    assert suppress(model, ids, spans).kl[1, 0] > 1e-3
    assert suppress(model, ids, spans, Settings(hide=whole)).kl[1, 0] == 0


def test_a_sentence_of_one_token_is_hidden_whole(tiny_model: Any) -> None:
    """There is nothing to keep of it; the very next token is not measured, later ones are."""
    found = suppress(tiny_model("llama"), text(), [(3, 4), (4, 5), (5, 12)])
    assert kept_end((3, 4)) == (3, 4)
    assert found.kl[1, 0] == 0
    assert found.kl[2, 0] > 1e-3


def test_sources_come_before_targets(tiny_model: Any) -> None:
    """On and above the diagonal everything is 0."""
    found = suppress(tiny_model("llama"), text(), SPANS)
    for values in (found.kl, found.log_kl, found.drop):
        assert not np.triu(values).any()
        assert np.tril(values, -1)[np.tri(4, k=-1, dtype=bool)].all()


def test_shares_of_a_target_sum_to_one() -> None:
    """Row by row; a target that nothing moves has no shares."""
    kl = np.array([[0, 0, 0], [0.5, 0, 0], [0.3, 0.1, 0]])
    np.testing.assert_allclose(share(kl), np.array([[0, 0, 0], [1, 0, 0], [0.75, 0.25, 0]]))


def test_rows_are_centred_over_the_sources_before() -> None:
    """Means of -4 and -3 are taken away; the first link of all is 0, as in the paper's figures."""
    log_kl = np.array([[0, 0, 0], [-4, 0, 0], [-1, -5, 0]])
    np.testing.assert_allclose(row_centred(log_kl), [[0, 0, 0], [0, 0, 0], [2, -2, 0]])


def test_every_aggregate_reads_one_matrix() -> None:
    """Share is the default, and stands first."""
    ones = np.tri(3, k=-1)
    found = Suppression(ones, -ones, 2 * ones)
    assert next(iter(AGGREGATES)) == "share"
    assert {name: float(read(found)[1, 0]) for name, read in AGGREGATES.items()} == {
        "share": 1,
        "kl": 1,
        "logkl": -1,
        "logprob": 2,
        "paper": 0,
    }


@pytest.mark.parametrize("settings", [Settings(tokens=7), Settings(rows=1), Settings(tokens=64, rows=3)])
def test_how_the_work_is_cut_does_not_matter(settings: Settings, tiny_model: Any) -> None:
    """Small passes, one row at a time: the figures are the same."""
    model, ids = tiny_model("llama"), text(length=60)
    spans = [(k, k + 3) for k in range(0, 60, 3)]
    np.testing.assert_allclose(suppress(model, ids, spans, settings).kl, suppress(model, ids, spans).kl, atol=1e-5)


def test_several_texts_side_by_side(tiny_model: Any) -> None:
    """Texts of different lengths, one without sentences, give what each gives alone, in their order."""
    model = tiny_model("qwen3")
    traces = [
        Trace(text(1), SPANS),
        Trace(text(2, 50), [(4, 9), (9, 33), (33, 50)]),
        Trace(text(3, 12), []),
        Trace(text(4, 17), [(1, 6), (8, 8), (8, 17)]),
    ]
    for trace, found in zip(traces, suppress_all(model, traces), strict=True):
        alone = suppress(model, trace.ids, trace.spans)
        np.testing.assert_allclose(found.kl, alone.kl, atol=1e-5)
        np.testing.assert_allclose(found.drop, alone.drop, atol=1e-5)


@pytest.mark.parametrize(("spans", "shape"), [([], (0, 0)), ([(0, 30)], (1, 1)), ([(4, 4), (9, 9)], (2, 2))])
def test_texts_with_nothing_to_hide(spans: list[tuple[int, int]], shape: tuple[int, int], tiny_model: Any) -> None:
    """No sentence, only one, only empty ones: zeros of the right shape."""
    found = suppress(tiny_model("llama"), text(), spans)
    assert found.kl.shape == shape
    assert not found.kl.any()


def test_an_empty_text(tiny_model: Any) -> None:
    """A text without tokens has no effects and no surprisal."""
    model, none = tiny_model("llama"), torch.zeros(0, dtype=torch.long)
    assert suppress(model, none, []).kl.shape == (0, 0)
    assert surprisal(model, none, []).mean.shape == (0,)


def test_a_thousand_sentences(tiny_model: Any) -> None:
    """Two tokens each, in a model that reads them."""
    small = {"num_hidden_layers": 1, "hidden_size": 8, "num_attention_heads": 1, "num_key_value_heads": 1}
    model = tiny_model("llama", max_position_embeddings=2048, intermediate_size=8, **small)
    spans = [(k, k + 2) for k in range(0, 2000, 2)]
    found = suppress(model, text(length=2000), spans, Settings(tokens=8 * BLOCK_TOKENS))
    assert found.kl.shape == (1000, 1000)
    assert np.isfinite(found.kl).all()
    assert (found.kl >= 0).all()


def test_a_text_longer_than_the_model_reads(tiny_model: Any) -> None:
    """One line says how long it is, and what to do."""
    with pytest.raises(BadInputError, match="the text has 30 tokens and the model reads 16: shorten it"):
        suppress(tiny_model("llama", max_position_embeddings=16), text(), SPANS)


def test_a_model_that_is_no_causal_lm() -> None:
    """A bare encoder has no head that predicts tokens."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=96, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, pad_token_id=0
    )
    with pytest.raises(MissingExtraError, match="BertModel is no causal language model"):
        suppress(BertModel(config), text(), SPANS)


def unmasked(given: Any) -> Any:
    """A mask that hides nothing, in the place of one that may; none where there was none."""
    return None if given is None else torch.zeros_like(given)


def test_a_model_that_takes_no_masks_from_outside(tiny_model: Any) -> None:
    """A model whose layers go by masks of their own is refused, not measured wrongly."""
    model = tiny_model("llama")
    for layer in model.model.layers:
        layer.self_attn.register_forward_pre_hook(
            lambda m, args, kwargs: (args, kwargs | {"attention_mask": unmasked(kwargs["attention_mask"])}),
            with_kwargs=True,
        )
    with pytest.raises(MissingExtraError, match="does not take masks and caches from outside"):
        suppress(model, text(), SPANS)


def test_progress_is_told_in_queries(tiny_model: Any) -> None:
    """From each sentence's last token to the end: 26 + 19 + 11 + 1 of 30 tokens."""
    told: list[tuple[int, int]] = []
    suppress(tiny_model("llama"), text(), SPANS, Settings(progress=lambda done, total: told.append((done, total))))
    assert told[-1] == (57, 57)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_rows_wake_when_their_queries_begin() -> None:
    """Starts within 16 tokens wake together; then a block ends where the next row begins, or when it is full."""
    assert [*blocks([3, 10, 40], 100, tokens=90)] == [
        Block(3, 40, 2),
        Block(40, 70, 3),
        Block(70, 100, 3),
    ]
    assert [*blocks([], 100)] == []
    assert [*blocks([100], 100)] == []


def test_no_query_is_run_twice() -> None:
    """Rows far apart: every row runs exactly the queries from its start on."""
    starts = [5, 40, 90]
    run = [sum(block.end - block.start for block in blocks(starts, 128) if block.rows > row) for row in range(3)]
    assert run == [128 - start for start in starts]


def test_intervals_name_what_is_hidden() -> None:
    """Of a sentence its last token stays, and the whole is the whole."""
    assert kept_end((4, 9)) == Interval(4, 8)
    assert whole((4, 9)) == Interval(4, 9)


def test_surprisal_is_the_mean_and_the_largest_cost(tiny_model: Any) -> None:
    """The first token of all counts for nobody; an empty sentence has 0."""
    model, ids = tiny_model("llama"), text()
    cost = -log_probs(model, ids)
    found = surprisal(model, ids, [(0, 5), (5, 12), (12, 12)])
    np.testing.assert_allclose(found.mean, [cost[1:5].mean(), cost[5:12].mean(), 0])
    np.testing.assert_allclose(found.max, [cost[1:5].max(), cost[5:12].max(), 0])


def test_half_precision(tiny_model: Any) -> None:
    """In bfloat16 the effects are near those in float32."""
    model, ids = tiny_model("llama", initializer_range=0.1), text()
    single = suppress(model, ids, SPANS).kl
    half = suppress(model.to(torch.bfloat16), ids, SPANS).kl
    np.testing.assert_allclose(half, single, atol=0.05 * single.max() + 1e-3)
