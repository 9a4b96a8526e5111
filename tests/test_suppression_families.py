"""Hiding a sentence, family by family, against one pass under one T x T float mask, and against averages of a T x T."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.blocks import Block, Interval  # noqa: E402
from tracer.analyses.removal import Settings, Trace, effects, kept_end, whole  # noqa: E402
from tracer.analyses.sentence_attention import sentence_attention  # noqa: E402
from tracer.analyses.suppression import PAPER, suppress  # noqa: E402
from tracer.analyses.suppression_mask import Sight, attention_modules  # noqa: E402
from tracer.analyses.surprisal import log_probs  # noqa: E402
from tracer.errors import MissingExtraError  # noqa: E402

FULL = ["llama", "qwen2", "qwen3", "mixtral", "qwen2_moe", "gpt_neox", "gpt_oss"]
SLIDING = ["gemma2", "gemma3", "mistral", "gpt_oss_sliding"]
WINDOW = 6
STATEFUL: dict[str, dict[str, Any]] = {
    "Qwen3NextConfig": {
        "layer_types": ["linear_attention", "full_attention", "linear_attention"],
        "head_dim": 8,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16,
    },
    "Lfm2Config": {"layer_types": ["conv", "full_attention", "conv"]},
    "JambaConfig": {"attn_layer_period": 3, "attn_layer_offset": 1, "mamba_d_state": 4, "mamba_dt_rank": 4},
    "MambaConfig": {"state_size": 4},
}
"""Families with layers that keep a state in place of attention."""
SPANS = [(2, 7), (7, 8), (9, 16), (16, 23), (25, 31), (31, 39)]
"""Sentences of 40 tokens: one has a single token, and some tokens are in no sentence."""
LOWEST = float(np.finfo(np.float32).min)


def text(seed: int = 1, length: int = 40) -> Any:
    """Random token ids, (T,)."""
    return torch.randint(3, 96, (length,), generator=torch.Generator().manual_seed(seed))


def mask(length: int, hidden: Sequence[tuple[int, int]], window: int | None = None) -> Any:
    """Who sees whom, as one float mask (1, 1, T, T)."""
    query, key = torch.arange(length)[:, None], torch.arange(length)[None]
    unseen = key > query
    if window:
        unseen = unseen | (query - key >= window)
    for start, end in hidden:
        unseen = unseen | ((key >= start) & (key < end) & (query >= end))
    return torch.zeros(1, 1, length, length).masked_fill(unseen, LOWEST)


@contextmanager
def masks_by_layer(model: Any, masks: Mapping[int, Any]) -> Iterator[None]:
    """Give each attention module its own mask."""
    handles = [
        module.register_forward_pre_hook(
            lambda m, args, kwargs: (args, kwargs | {"attention_mask": masks[m.layer_idx]}), with_kwargs=True
        )
        for module in attention_modules(model)
    ]
    yield
    for handle in handles:
        handle.remove()


def masked_logits(model: Any, ids: Any, hidden: Sequence[tuple[int, int]]) -> Any:
    """The logits (T, V) of one pass over the whole text, under one mask for each layer."""
    config, length = model.config, len(ids)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    window = getattr(config, "sliding_window", None)
    masks = {
        layer: mask(length, hidden, window if kind == "sliding_attention" else None) for layer, kind in enumerate(kinds)
    }
    with masks_by_layer(model, masks), torch.no_grad():
        return model(input_ids=ids[None]).logits[0]


def expected(model: Any, ids: Any, spans: Sequence[tuple[int, int]], hide: Any = kept_end) -> tuple[Any, Any]:
    """Mean KL and mean loss of log-probability, (n, n), each source by a masked pass of its own."""
    with torch.no_grad():
        plain = torch.log_softmax(model(input_ids=ids[None]).logits[0], -1)
    kl, drop = np.zeros((2, len(spans), len(spans)))
    for source, span in enumerate(spans):
        other = torch.log_softmax(masked_logits(model, ids, [hide(span)]), -1)
        each = (plain.exp() * (plain - other)).sum(-1)
        for target in range(source + 1, len(spans)):
            queries = [q for q in range(spans[target][0] - 1, spans[target][1] - 1) if q >= hide(span).end]
            if queries:
                kl[target, source] = each[queries].mean()
                drop[target, source] = np.mean([float((plain - other)[q, ids[q + 1]]) for q in queries])
    return kl, drop


@pytest.mark.parametrize("family", FULL)
def test_deletion_equals_the_masked_forward(family: str, tiny_model: Any) -> None:
    """Where every layer sees everything, nothing but deletion happens, and it is exact."""
    model, ids = tiny_model(family), text()
    found = suppress(model, ids, SPANS)
    kl, drop = expected(model, ids, SPANS)
    assert found.notes == ()
    assert kl.max() > 0.1
    np.testing.assert_allclose(found.kl, kl, atol=1e-5)
    np.testing.assert_allclose(found.drop, drop, atol=1e-5)


@pytest.mark.parametrize("family", SLIDING)
def test_a_sliding_window_is_laid_on_by_a_mask(family: str, tiny_model: Any) -> None:
    """The window, of 6 tokens in a text of 40, is respected, and a note says how."""
    model, ids = tiny_model(family), text()
    found = suppress(model, ids, SPANS)
    kl, drop = expected(model, ids, SPANS)
    assert "sliding window of 6 tokens" in found.notes[0]
    assert kl.max() > 0.1
    np.testing.assert_allclose(found.kl, kl, atol=1e-5)
    np.testing.assert_allclose(found.drop, drop, atol=1e-5)


@pytest.mark.parametrize("family", SLIDING)
def test_a_sliding_window_moves_over_blocks(family: str, tiny_model: Any) -> None:
    """A text of 150 tokens, run 20 at a time, gives what masked passes give."""
    model, ids = tiny_model(family), text(length=150)
    spans = [(k, k + 15) for k in range(0, 150, 15)]
    found = suppress(model, ids, spans, Settings(tokens=20, rows=3))
    np.testing.assert_allclose(found.kl, expected(model, ids, spans)[0], atol=1e-5)


@pytest.mark.parametrize("family", SLIDING)
def test_the_window_matters_to_these_texts(family: str, tiny_model: Any) -> None:
    """Without its window the model says something else: the test above is no empty one."""
    model, ids = tiny_model(family), text()
    everything = {layer: mask(len(ids), []) for layer in range(model.config.num_hidden_layers)}
    with torch.no_grad():
        plain = model(input_ids=ids[None]).logits
        with masks_by_layer(model, everything):
            wide = model(input_ids=ids[None]).logits
    assert float((plain - wide).abs().max()) > 0.1


def test_a_window_longer_than_the_text_needs_no_mask(tiny_model: Any) -> None:
    """Such a window hides nothing, so hiding a sentence is deletion."""
    model, ids = tiny_model("mistral", sliding_window=64), text()
    found = suppress(model, ids, SPANS)
    assert found.notes == ()
    np.testing.assert_allclose(found.kl, expected(model, ids, SPANS)[0], atol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gemma3", "qwen2_moe"])
def test_both_kernels_agree(family: str, tiny_model: Any) -> None:
    """Eager attention and the fused kernel see the same masks."""
    model, ids = tiny_model(family), text()
    model.set_attn_implementation("sdpa")
    fused = suppress(model, ids, SPANS).kl
    model.set_attn_implementation("eager")
    np.testing.assert_allclose(suppress(model, ids, SPANS).kl, fused, atol=1e-5)


def test_no_mask_is_boolean(tiny_model: Any) -> None:
    """Each mask is of the model's own float type, for every kind of layer."""
    for family in (*FULL, *SLIDING):
        sight = Sight(tiny_model(family), 40, {1: [0]})
        made = sight.mask([(Interval(2, 6),), ()], Block(8, 12, 2))
        assert made.dtype == torch.float32
        assert set(made.flatten().tolist()) <= {0.0, LOWEST}


def test_a_boolean_mask_with_eager_attention_would_be_wrong(tiny_model: Any) -> None:
    """Why masks are floats: a full causal boolean mask changes what an eager model says, without a word."""
    model, ids = tiny_model("llama"), text()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        plain = model(input_ids=ids[None]).logits
        added = model(input_ids=ids[None], attention_mask=mask(40, [])).logits
        boolean = model(input_ids=ids[None], attention_mask=mask(40, []) == 0).logits
    assert float((plain - added).abs().max()) < 1e-5
    assert float((plain - boolean).abs().max()) > 0.1


def test_a_subset_of_layers_and_heads(tiny_model: Any) -> None:
    """Heads that are not named go on seeing the sentence; so do layers that are not named."""
    model, ids = tiny_model("llama"), text()
    hidden = kept_end(SPANS[2])
    some = mask(40, []).repeat(1, 4, 1, 1)
    some[:, [0, 3]] = mask(40, [hidden])[0]
    with torch.no_grad(), masks_by_layer(model, {0: mask(40, []), 1: some, 2: mask(40, [hidden])}):
        other = torch.log_softmax(model(input_ids=ids[None]).logits[0], -1)
    plain = torch.log_softmax(masked_logits(model, ids, []), -1)
    each = (plain.exp() * (plain - other)).sum(-1)
    found = suppress(model, ids, SPANS, Settings(where={1: [0, 3], 2: None}))
    assert "some layers or heads only" in found.notes[0]
    for target in (3, 4, 5):
        start, end = SPANS[target]
        assert found.kl[target, 2] == pytest.approx(float(each[start - 1 : end - 1].mean()), abs=1e-5)


def test_all_layers_named_is_the_same_as_none(tiny_model: Any) -> None:
    """Naming every layer and head is naming nothing; naming no layer hides nothing."""
    model, ids = tiny_model("qwen3"), text()
    plain = suppress(model, ids, SPANS)
    named = suppress(model, ids, SPANS, Settings(where={0: None, 1: [0, 1, 2, 3], 2: None}))
    np.testing.assert_allclose(named.kl, plain.kl, atol=1e-6)
    np.testing.assert_allclose(suppress(model, ids, SPANS, Settings(where={})).kl, 0, atol=1e-6)


def test_several_sentences_are_hidden_together(tiny_model: Any) -> None:
    """A removal of two sentences equals one pass under a mask that hides both."""
    model, ids = tiny_model("qwen2"), text()
    found = effects(model, [Trace(ids, SPANS)], [[(0, 2)]])[0]
    plain = torch.log_softmax(masked_logits(model, ids, []), -1)
    other = torch.log_softmax(masked_logits(model, ids, [kept_end(SPANS[0]), kept_end(SPANS[2])]), -1)
    each = (plain.exp() * (plain - other)).sum(-1)
    for target in (1, 2, 3, 4, 5):
        start, end = SPANS[target]
        assert found.kl[0, target] == pytest.approx(float(each[start - 1 : end - 1].mean()), abs=1e-5)


def test_the_whole_sentence_can_be_hidden(tiny_model: Any) -> None:
    """With its last token: then the next sentence's first token is not scored."""
    model, ids = tiny_model("llama"), text()
    found = suppress(model, ids, SPANS, Settings(hide=whole))
    np.testing.assert_allclose(found.kl, expected(model, ids, SPANS, whole)[0], atol=1e-5)


def test_the_paper_takes_both_distributions_at_its_temperature(tiny_model: Any) -> None:
    """KL at 0.6 and ln(KL + 1e-9), while the actual tokens' log-probabilities stay at 1."""
    model, ids = tiny_model("llama"), text()
    found = suppress(model, ids, SPANS, PAPER)
    plain, other = (masked_logits(model, ids, hidden) / 0.6 for hidden in ([], [kept_end(SPANS[2])]))
    before, after = torch.log_softmax(plain, -1), torch.log_softmax(other, -1)
    each = (before.exp() * (before - after)).sum(-1)[SPANS[4][0] - 1 : SPANS[4][1] - 1]
    assert found.kl[4, 2] == pytest.approx(float(each.mean()), abs=1e-5)
    assert found.log_kl[4, 2] == pytest.approx(float(torch.log(each + 1e-9).mean()), abs=1e-3)
    np.testing.assert_allclose(found.drop, expected(model, ids, SPANS)[1], atol=1e-5)


@pytest.mark.parametrize("family", FULL + SLIDING)
def test_sentence_attention_equals_the_eager_average(family: str, tiny_model: Any) -> None:
    """Head by head, for every pair of sentences, and so do the vertical scores."""
    model, ids = tiny_model(family), text()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        attention = torch.stack([a[0] for a in model(input_ids=ids[None], output_attentions=True).attentions])
    rows = [[attention[:, :, a:b, c:d].mean((2, 3)).numpy() for c, d in SPANS] for a, b in SPANS]
    want = np.array(rows).transpose(2, 3, 0, 1)  # (L, H, n, n)
    found = sentence_attention(model, ids, SPANS, gaps=(2,), keep_heads=True, queries=7)
    assert found.heads is not None
    np.testing.assert_allclose(found.heads, want, atol=1e-4)
    np.testing.assert_allclose(found.mean, want.mean(axis=(0, 1)), atol=1e-4)
    for source in range(4):
        np.testing.assert_allclose(
            found.vertical[2][:, :, source], want[:, :, source + 2 :, source].mean(-1), atol=1e-4
        )
    assert np.isnan(found.vertical[2][:, :, 4:]).all()
    assert model.config._attn_implementation == "eager"


@pytest.mark.parametrize("family", FULL + SLIDING)
def test_log_probabilities_equal_the_whole_model(family: str, tiny_model: Any) -> None:
    """Block by block, with the logits altered as the family does."""
    model, ids = tiny_model(family), text()
    with torch.no_grad():
        logits = torch.log_softmax(model(input_ids=ids[None]).logits[0], -1)
    want = logits[torch.arange(39), ids[1:]]
    np.testing.assert_allclose(log_probs(model, ids), [0.0, *want.tolist()], atol=1e-5)


def stateful(name: str) -> Any:
    """A tiny random model of STATEFUL."""
    import transformers

    common = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "pad_token_id": 0}
    heads = {} if name == "MambaConfig" else {"num_attention_heads": 4, "num_key_value_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = getattr(transformers, name)(**common, **heads, initializer_range=0.3, **STATEFUL[name])
        model = transformers.AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("name", ["Qwen3NextConfig", "Lfm2Config"])
def test_layers_with_a_state_go_on_as_they_are(name: str) -> None:
    """Only attention is masked, every row is run from the first token on, and a note says what that leaves out."""
    model, ids = stateful(name), text()
    found = suppress(model, ids, SPANS)
    assert "keep a state in place of attention" in found.notes[0]
    with torch.no_grad(), masks_by_layer(model, {1: mask(40, [kept_end(SPANS[2])])}):
        other = torch.log_softmax(model(input_ids=ids[None]).logits[0], -1)
    with torch.no_grad():
        plain = torch.log_softmax(model(input_ids=ids[None]).logits[0], -1)
    each = (plain.exp() * (plain - other)).sum(-1)
    for target in (3, 4, 5):
        start, end = SPANS[target]
        # their own kernels differ by 1e-4 between a text run whole and in blocks
        assert found.kl[target, 2] == pytest.approx(float(each[start - 1 : end - 1].mean()), abs=1e-3)
    assert found.kl[3:, 2].max() > 1e-3


def test_sentence_attention_of_the_layers_that_have_it() -> None:
    """The others look at nothing, and the mean is over those that look."""
    model, ids = stateful("Lfm2Config"), text()
    found = sentence_attention(model, ids, SPANS, gaps=(2,), keep_heads=True)
    assert found.heads is not None
    assert not found.heads[[0, 2]].any()
    np.testing.assert_allclose(found.mean, found.heads[1].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("JambaConfig", "jamba does not take masks and caches from outside"),
        ("MambaConfig", "a sentence cannot be hidden from the layers of mamba"),
    ],
)
def test_a_model_that_cannot_be_suppressed_is_refused(name: str, line: str) -> None:
    """One does not hand its state from block to block, the other has no attention: one line each."""
    with pytest.raises(MissingExtraError, match=line):
        suppress(stateful(name), text(), SPANS)
