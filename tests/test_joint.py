"""Hiding sentences together: what redundant copies do, worked out by hand and on a model built to copy."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.joint import (  # noqa: E402
    LARGEST_GROUP,
    PAIRS_PER_SENTENCE,
    Joint,
    combined,
    joint,
    joint_all,
    redundant,
    search,
    shared_content,
)
from tracer.analyses.removal import Trace, effects  # noqa: E402
from tracer.analyses.suppression import suppress  # noqa: E402

SPANS = [(0, 5), (5, 12), (12, 20), (20, 30)]


def text(seed: int = 1, length: int = 30) -> Any:
    """Random token ids, (T,)."""
    return torch.randint(3, 96, (length,), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def recaller() -> Any:
    """A one-layer model that, at token 1, says the tokens of the text so far, each as likely as it is frequent.

    Embeddings are one-hot, scaled; queries and keys are zero except that token 1 looks at tokens other than itself;
    values pass the embedding on. So hiding one of two copies of a token changes little, and hiding both takes it away.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    size = 8
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=size,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).requires_grad_(False)
    layer = model.model.layers[0]
    for part in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.mlp.down_proj):
        part.weight.zero_()
    model.model.embed_tokens.weight.copy_(torch.eye(size))
    layer.self_attn.v_proj.weight.copy_(40 * torch.eye(size))
    layer.self_attn.o_proj.weight.copy_(torch.eye(size))
    model.lm_head.weight.copy_(8 * torch.eye(size))
    return model


COPIES = [4, 5, 0, 6, 5, 0, 3, 6, 0, 4, 5, 0, 1, 4, 0]
"""Sentences "4 5", "6 5", "3 6", "4 5", "1 4", each with token 0 for its full stop."""
SENTENCES = [(0, 3), (3, 6), (6, 9), (9, 12), (12, 15)]


def test_one_copy_suffices(recaller: Any) -> None:
    """Sentences 0 and 3 say the same: together they matter more to the last one than the sum of either."""
    ids = torch.tensor(COPIES)
    found = joint(recaller, ids, SENTENCES, [(0, 3), (1, 2)])
    single, both = found.single[4], found.joint[4]
    assert both[0] > single[0] + single[3]
    assert found.interaction[4, 0] == pytest.approx(both[0] - single[0] - single[3])
    assert found.score[4, 0] == pytest.approx(both[0] - single[3])
    assert found.score[4, 3] == pytest.approx(both[0] - single[0])


def test_the_joint_effect_is_that_of_hiding_both(tiny_model: Any) -> None:
    """Group by group it equals the effect of the removal, and single effects those of suppression."""
    model, ids = tiny_model("llama"), text()
    found = joint(model, ids, SPANS, [(0, 2), (1, 0), (0, 1, 2)])
    want = effects(model, [Trace(ids, SPANS)], [[(0, 2), (0, 1), (0, 1, 2)]])[0]
    assert found.groups == ((0, 2), (0, 1), (0, 1, 2))
    np.testing.assert_allclose(found.joint, want.kl.T, atol=1e-5)
    np.testing.assert_allclose(found.single, suppress(model, ids, SPANS).kl, atol=1e-5)


def test_the_score_is_the_largest_contribution(tiny_model: Any) -> None:
    """Of {0}, {0, 1} less {1}, and {0, 1, 2} less {1, 2}: the largest counts for sentence 0."""
    model, ids = tiny_model("llama"), text()
    found = joint(model, ids, SPANS, [(0, 1), (0, 1, 2)])
    rest = effects(model, [Trace(ids, SPANS)], [[(0,), (1,), (0, 1), (1, 2), (0, 1, 2)]])[0].kl[:, 3]
    alone, one, both, others, everything = rest
    assert found.score[3, 0] == pytest.approx(max(alone, both - one, everything - others), abs=1e-5)


def test_a_bystander_scores_nothing_for_its_neighbour() -> None:
    """Sentences 0 and 1 are copies, 2 does nothing: hidden in pairs, only the copies score for target 3."""

    def on_the_last(effect: float) -> Any:
        return np.array([0, 0, 0, effect])

    alone: dict[tuple[int, ...], Any] = {(k,): on_the_last(0.1 * (k < 2)) for k in range(4)}
    pairs: dict[tuple[int, ...], Any] = {(0, 1): on_the_last(0.9), (1, 2): on_the_last(0.1)}
    found = combined(4, [*pairs], alone | pairs)
    np.testing.assert_allclose(found.score[3], [0.8, 0.8, 0, 0])
    np.testing.assert_allclose(found.interaction[3], [0.7, 0])
    assert not found.score[:3].any()


def test_groups_are_tidied(tiny_model: Any) -> None:
    """Repeated members and groups count once, one sentence is no group, and large groups are cut."""
    model, ids = tiny_model("llama"), text(length=36)
    spans = [(k, k + 6) for k in range(0, 36, 6)]
    found = joint(model, ids, spans, [(2, 0), (0, 2, 2), (1, 1), (5, 4, 3, 2, 1, 0)])
    assert found.groups == ((0, 2), (0, 1, 2, 3))
    assert max(map(len, found.groups)) == LARGEST_GROUP


def test_no_group_and_no_sentence(tiny_model: Any) -> None:
    """Without groups the score is the single effect; without sentences everything is empty."""
    model, ids = tiny_model("llama"), text()
    bare = joint(model, ids, SPANS, [])
    np.testing.assert_allclose(bare.score, bare.single)
    assert bare.joint.shape == (4, 0)
    empty = joint(model, ids, [], [])
    assert empty.score.shape == (0, 0)


def test_texts_side_by_side(tiny_model: Any) -> None:
    """Each text has groups of its own."""
    model = tiny_model("llama")
    traces = [Trace(text(1), SPANS), Trace(text(2, 20), [(0, 6), (6, 13), (13, 20)])]
    groups: list[list[tuple[int, ...]]] = [[(0, 1)], [(0, 1), (1, 2)]]
    for trace, own, found in zip(traces, groups, joint_all(model, traces, groups), strict=True):
        np.testing.assert_allclose(found.score, joint(model, trace.ids, trace.spans, own).score, atol=1e-5)


def test_redundancy_is_an_effect_that_no_member_has_alone() -> None:
    """0.4 together and 0.05 alone is redundant; 0.4 and 0.2 is not; 0.04 is too little; a target within is none."""
    single = np.zeros((4, 4))
    single[3] = [0.05, 0.02, 0.2, 0]
    groups = ((0, 1), (0, 2), (1, 3))
    both = np.zeros((4, 3))
    both[3] = [0.4, 0.4, 0.9]
    both[2] = [0.04, 0, 0]
    found = redundant(Joint(groups, single, both, both, single))
    assert [(each.target, each.group, each.effect, each.alone) for each in found] == [(3, (0, 1), 0.4, 0.05)]


def test_shared_content_weighs_rare_tokens_more() -> None:
    """Two of three sentences share token 7, all share token 0 whose weight is ln(4/4) = 0; 7 weighs ln(4/3)."""
    ids = torch.tensor([7, 0, 7, 8, 0, 9, 0])
    part = shared_content(ids, [(0, 2), (2, 5), (5, 7)])
    np.testing.assert_allclose(part[0], [1, 1, 0])
    assert part[1, 1] == pytest.approx(1)
    assert part[1, 2] == 0


def test_search_tries_all_pairs_when_they_are_few(tiny_model: Any) -> None:
    """Four sentences have six pairs, fewer than twelve."""
    assert len(SPANS) * PAIRS_PER_SENTENCE == 12
    assert search(tiny_model("llama"), text(), SPANS) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_search_finds_the_copies(recaller: Any) -> None:
    """The pair that says the same comes first."""
    assert search(recaller, torch.tensor(COPIES), SENTENCES, pairs=1) == [(0, 3)]
