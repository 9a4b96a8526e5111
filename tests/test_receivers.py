"""Receiver heads: kurtosis by hand, heads chosen over texts, and heads taken out."""

import random
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torch import nn  # noqa: E402

from tracer.analyses.ablation import ablated, ablation, matched  # noqa: E402
from tracer.analyses.receivers import broadcast, excess_kurtosis, receivers  # noqa: E402
from tracer.analyses.sentence_attention import SentenceAttention, sentence_attention  # noqa: E402
from tracer.analyses.surprisal import log_probs  # noqa: E402
from tracer.errors import MissingExtraError  # noqa: E402

SPANS = [(k, k + 4) for k in range(0, 40, 4)]


def text(seed: int = 1, length: int = 40) -> Any:
    """Random token ids, (T,)."""
    return torch.randint(3, 96, (length,), generator=torch.Generator().manual_seed(seed))


def seen(vertical: Any) -> SentenceAttention:
    """Vertical scores (L, H, n) at gap 4, and nothing else."""
    values = np.asarray(vertical, dtype=np.float64)
    return SentenceAttention(np.zeros((values.shape[2], values.shape[2])), {4: values}, None)


def peaked(where: int, n: int = 12) -> list[float]:
    """Scores of a head that looks at one sentence; the last four are unknown."""
    return [float(k == where) for k in range(n - 4)] + [np.nan] * 4


def level(n: int = 12) -> list[float]:
    """Scores of a head that looks at every other sentence."""
    return [float(k % 2) for k in range(n - 4)] + [np.nan] * 4


def test_kurtosis_by_hand() -> None:
    """One in eight: m2 = 7/64, m4 = (7/8 + 7^4/8) / 8^4, excess 3 1/7; alternating scores have -2; constant ones -3."""
    one = excess_kurtosis(np.array(peaked(3)))
    second, fourth = 7 / 64, (7 * (1 / 8) ** 4 + (7 / 8) ** 4) / 8
    assert float(one) == pytest.approx(fourth / second**2 - 3)
    assert float(one) == pytest.approx(3 + 1 / 7)
    assert float(excess_kurtosis(np.array(level()))) == pytest.approx(-2)
    assert float(excess_kurtosis(np.full(9, 0.25))) == -3


def test_kurtosis_agrees_with_scipy() -> None:
    """The biased excess kurtosis, head by head."""
    from scipy.stats import kurtosis

    values = np.random.default_rng(0).exponential(size=(3, 4, 50))
    np.testing.assert_allclose(excess_kurtosis(values), kurtosis(values, axis=-1))


def test_receiver_heads_are_those_that_narrow_in() -> None:
    """Of four heads, the peaked one of the second layer is chosen; the first layer is left out."""
    found = receivers([seen([[peaked(1), level()], [level(), peaked(5)]])] * 2, gap=4)
    assert [(head.layer, head.head) for head in found.heads] == [(1, 1)]
    assert found.heads[0].kurtosis == pytest.approx(3 + 1 / 7)
    assert found.texts == 2
    assert found.reliability == pytest.approx(1)
    both = receivers([seen([[peaked(1), level()], [level(), peaked(5)]])], gap=4, skipped=())
    assert [(head.layer, head.head) for head in both.heads] == [(0, 0), (1, 1)]


def test_a_model_may_have_no_receiver_heads() -> None:
    """Then none is named, and nothing is broadcast."""
    shown = seen([[peaked(1), level()], [level(), level()]])
    found = receivers([shown, shown], gap=4)
    assert found.heads == ()
    assert np.isnan(broadcast(shown, found)).all()


def test_the_broadcast_score_is_the_mean_over_receiver_heads() -> None:
    """Two heads look at sentence 2, one of them, twice as hard, in another text."""
    shown = seen([[level(), level()], [peaked(2), peaked(2)]])
    found = receivers([shown], gap=4)
    other = seen([[level(), level()], [peaked(2), (2 * np.array(peaked(2))).tolist()]])
    assert len(found.heads) == 2
    assert broadcast(other, found)[2] == pytest.approx(1.5)
    assert np.isnan(broadcast(other, found)[8:]).all()


def test_short_texts_are_left_out() -> None:
    """With seven scores no head can have heavy tails; when all texts are short nothing is known."""
    short, long = seen([[peaked(1, 11)], [peaked(2, 11)]]), seen([[level()], [peaked(3)]])
    assert receivers([short, long], gap=4).texts == 1
    assert receivers([short, long], gap=4).reliability is None
    alone = receivers([short], gap=4)
    assert (alone.heads, alone.texts) == ((), 0)
    assert np.isnan(alone.kurtosis).all()
    assert receivers([], gap=4).texts == 0


def test_halves_of_the_texts_can_disagree() -> None:
    """Even texts say head 0, odd texts head 1: the halves correlate at -1."""
    even, odd = seen([[peaked(1), level()]]), seen([[level(), peaked(1)]])
    assert receivers([even, odd, even, odd], gap=4).reliability == pytest.approx(-1)


def test_vertical_scores_by_hand(tiny_model: Any) -> None:
    """Column means of M from the gap on, in blocks of any size; the last sentences have none."""
    model, ids = tiny_model("llama"), text()
    found = sentence_attention(model, ids, SPANS, gaps=(3, 9, 16), keep_heads=True, queries=9)
    assert found.heads is not None
    for source in range(7):
        want = found.heads[:, :, source + 3 :, source].mean(axis=-1)
        np.testing.assert_allclose(found.vertical[3][:, :, source], want, atol=1e-6)
    assert np.isnan(found.vertical[3][:, :, 7:]).all()
    assert np.isfinite(found.vertical[9][:, :, 0]).all()
    assert np.isnan(found.vertical[9][:, :, 1:]).all()
    assert np.isnan(found.vertical[16]).all()


def test_the_queries_that_predict_stand_one_earlier(tiny_model: Any) -> None:
    """Shifted sentence attention is that of spans moved one to the left, where only queries move."""
    model, ids = tiny_model("llama"), text()
    shifted = sentence_attention(model, ids, [(4, 8), (9, 13)], (), shifted=True)
    four = sentence_attention(model, ids, [(4, 8), (8, 12)], (), keep_heads=True)
    assert four.heads is not None
    tokens = sentence_attention(model, ids, [(4, 8), *((k, k + 1) for k in range(8, 12))], (), keep_heads=True)
    assert tokens.heads is not None
    assert shifted.mean[1, 0] == pytest.approx(tokens.heads[:, :, 1:, 0].mean(), abs=1e-6)


def test_more_sentences_than_the_head_is_wide(tiny_model: Any) -> None:
    """Columns are cut to the head's width of 8 and put together again: 40 sentences of one token give P itself."""
    model, ids = tiny_model("llama"), text()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        attention = torch.stack(model(input_ids=ids[None], output_attentions=True).attentions).mean((0, 1, 2))
    found = sentence_attention(model, ids, [(k, k + 1) for k in range(40)], ())
    np.testing.assert_allclose(found.mean, attention.numpy(), atol=1e-5)


def test_no_sentences(tiny_model: Any) -> None:
    """Nothing to look at: empty answers, and no pass."""
    found = sentence_attention(tiny_model("llama"), text(), [])
    assert found.mean.shape == (0, 0)
    assert found.vertical[4].shape == (3, 4, 0)


def test_a_model_without_the_attention_interface_is_refused(tiny_model: Any) -> None:
    """When layers do not compute attention through it, what they look at stays unknown."""
    model = tiny_model("llama")
    model.model.layers[1].self_attn = Blind()
    with pytest.raises(MissingExtraError, match="sentence attention cannot read this model"):
        sentence_attention(model, text(), SPANS)


class Blind(nn.Module):
    """An attention layer that looks at nothing."""

    def forward(self, hidden_states: Any, **given: Any) -> tuple[Any, None]:
        """What came in."""
        return hidden_states, None


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt_neox", "gpt_oss", "gemma2"])
def test_a_head_is_taken_out_before_the_projection(family: str, tiny_model: Any) -> None:
    """Zeroing its columns of the output projection's weight does the same; afterwards the model is whole again."""
    model, ids = tiny_model(family), text()
    plain = log_probs(model, ids)
    with ablated(model, [(1, 2)]):
        without = log_probs(model, ids)
    np.testing.assert_array_equal(log_probs(model, ids), plain)
    attention = next(
        m for m in model.modules() if getattr(m, "layer_idx", None) == 1 and "Attention" in type(m).__name__
    )
    projection = attention.dense if family == "gpt_neox" else attention.o_proj
    projection.weight[:, 16:24] = 0
    np.testing.assert_allclose(log_probs(model, ids), without, atol=1e-5)
    assert np.abs(plain - without).max() > 1e-3


def test_no_heads_taken_out_is_no_harm(tiny_model: Any) -> None:
    """And there are no random heads to set beside it."""
    found = ablation(tiny_model("llama"), [text()], [])
    assert found.harm == 0
    assert found.random == ()


def test_the_harm_is_a_loss_per_token(tiny_model: Any) -> None:
    """Over two texts, 39 + 19 tokens; beside as many draws as were asked for."""
    model, texts = tiny_model("llama"), [text(1), text(2, 20)]
    found = ablation(model, texts, [(0, 1), (2, 3)], draws=4)
    before = sum(-log_probs(model, ids).sum() for ids in texts)
    with ablated(model, [(0, 1), (2, 3)]):
        after = sum(-log_probs(model, ids).sum() for ids in texts)
    assert found.harm == pytest.approx((after - before) / 58)
    assert len(found.random) == 4
    assert ablation(model, texts, [(0, 1), (2, 3)], draws=4) == found


def test_random_heads_are_others_of_the_same_layers() -> None:
    """As many in each layer; of a layer that is taken out whole none are left."""
    lot = random.Random(0)
    for _ in range(20):
        drawn = matched([(0, 1), (0, 2), (3, 0)], 4, lot)
        assert {place for place in drawn if place[0] == 0} == {(0, 0), (0, 3)}
        assert [layer for layer, head in drawn if layer == 3 and head != 0] == [3]
    assert matched([(2, head) for head in range(4)], 4, lot) == []


def test_a_model_whose_projection_has_another_name(tiny_model: Any) -> None:
    """One line says that its heads cannot be taken out."""
    model = tiny_model("llama")
    attention = model.model.layers[0].self_attn
    attention.mixer = attention.o_proj
    del attention.o_proj
    with (
        pytest.raises(MissingExtraError, match="heads of LlamaAttention cannot be taken out"),
        ablated(model, [(0, 0)]),
    ):
        pass
