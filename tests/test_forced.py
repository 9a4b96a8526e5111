"""Forced answers: against plain scoring prefix by prefix, and the figures that follow from them, worked out by hand."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tracer.analyses.forced import AFTER, CLOSING, NUMBERS, Forced, candidates_of, closing_of, forced
from tracer.errors import DoesNotFitError, TracerError

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

TinyLM = Callable[..., "LocalLM"]
TEXT = "Kim: Leo +4. Leo: 3. Then we check it. Kim = 3 +4. Hello world. The end is near."
BORDERS = [0, 12, 20, 38, 50, 63, 80]
ANSWERS = [" 4", " 14 and 3.14", " Kim", " Kim + 4"]
"""Of one token to four, and one of them begins another one."""


def plainly(lm: "LocalLM", closing: str, candidates: list[str], after: str) -> list[list[float]]:
    """ln p of each candidate, by a pass over the whole text for each prefix."""
    return [
        [each.logprob for each in lm.logprobs(TEXT[:end] + closing, [one + after for one in candidates])]
        for end in BORDERS
    ]


@pytest.mark.parametrize("kind", ["words", "bytes", "metaspace"])
@pytest.mark.parametrize("family", ["llama", "gpt_neox", "mistral", "gemma2", "gpt_oss_sliding"])
@pytest.mark.parametrize("after", [".", ""])
def test_every_answer_is_scored_as_if_the_prefix_stood_alone(
    family: str, kind: str, after: str, tiny_lm: TinyLM
) -> None:
    """Whatever is shared; the last three families see 6 tokens back, and the text is longer than that."""
    lm = tiny_lm(family, kind)
    found = forced(lm, TEXT, BORDERS, " So x =", ANSWERS, after)
    np.testing.assert_allclose(found.logprobs, plainly(lm, " So x =", ANSWERS, after), atol=1e-3)
    assert found.logprobs.shape == (7, 4)
    assert (np.ptp(found.logprobs, axis=0) > 0.5).all()  # the prefixes matter


def test_the_text_is_read_once(tiny_lm: TinyLM) -> None:
    """Beside it, the closings and the answers: far fewer tokens than all the prefixes have."""
    lm = tiny_lm("llama", "words", max_position_embeddings=2048)
    text = TEXT * 8
    ends = [len(TEXT) * k for k in range(9)]
    sizes: list[int] = []
    handle = lm.model.register_forward_pre_hook(
        lambda module, given, named: sizes.append((given or (named.get("input_ids"),))[0].numel()), with_kwargs=True
    )
    forced(lm, text, ends, " So x =", ANSWERS, ".")
    handle.remove()
    size = len(lm.encode(text).ids)
    checked = len(lm.encode(TEXT).ids)  # the first prefix that is not empty is read anew, to see that it is the same
    asked = 11 * (3 + 4 * 6)  # nine prefixes and the check: up to three tokens of closing, four answers of up to six
    assert size < sum(sizes) <= size + checked + asked
    assert sum(sizes) < sum(len(lm.encode(text[:end]).ids) for end in ends)


@pytest.mark.parametrize("layers", [["linear_attention", "full_attention", "linear_attention"]])
def test_a_model_that_keeps_a_state_reads_each_prefix_anew(layers: list[str], tiny_tokenizer: Any) -> None:
    """The result is the same kind of result, and equal to plain scoring."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from tracer.lm.local import LocalLM

    tokenizer = tiny_tokenizer("words")
    config = transformers.Qwen3NextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, layer_types=layers, linear_key_head_dim=8, linear_value_head_dim=8,
        linear_num_key_heads=2, linear_num_value_heads=4, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=16, shared_expert_intermediate_size=16, bos_token_id=1, eos_token_id=2, pad_token_id=0,
        initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    lm = LocalLM(transformers.AutoModelForCausalLM.from_config(config), tokenizer, name="tiny", revision="0")
    found = forced(lm, TEXT, BORDERS, " So x =", ANSWERS, ".")
    np.testing.assert_allclose(found.logprobs, plainly(lm, " So x =", ANSWERS, "."), atol=1e-3)


def test_where_positions_depend_on_the_texts_length_nothing_is_shared(tiny_lm: TinyLM) -> None:
    """Long rope: in a text of more than 16 tokens all positions turn otherwise, so its keys are no shorter text's."""
    rope = {
        "rope_type": "longrope", "rope_theta": 10_000.0, "original_max_position_embeddings": 16,
        "short_factor": [1.0] * 4, "long_factor": [4.0] * 4, "factor": 32.0,
    }  # fmt: skip
    lm = tiny_lm("llama", "words", rope_parameters=rope)
    found = forced(lm, TEXT, BORDERS, " So x =", ANSWERS, ".")
    np.testing.assert_allclose(found.logprobs, plainly(lm, " So x =", ANSWERS, "."), atol=1e-3)


@pytest.mark.parametrize("kind", ["words", "bytes", "metaspace"])
def test_a_blank_may_stand_in_the_closing_or_in_the_answer(kind: str, tiny_lm: TinyLM) -> None:
    """Either way the text is " = 4.": where the vocabulary joins the blank to the number, it is scored with it."""
    lm = tiny_lm("llama", kind)
    ours = forced(lm, TEXT, BORDERS, " x = ", ["4", "14"], ".")
    theirs = forced(lm, TEXT, BORDERS, " x =", [" 4", " 14"], ".")
    np.testing.assert_allclose(ours.shares, theirs.shares, atol=1e-6)
    assert ours.candidates == ("4", "14")


def test_answers_do_not_depend_on_their_number(tiny_lm: TinyLM) -> None:
    """Nine of them at once, one by one, or at most two in a batch."""
    lm = tiny_lm("llama", "bytes")
    answers = [f" {n} and x" for n in range(3, 12)]
    whole = forced(lm, TEXT, BORDERS, " So x =", answers, ".").logprobs
    alone = [forced(lm, TEXT, BORDERS, " So x =", [one], ".").logprobs[:, 0] for one in answers]
    lm.batches.rows = 2
    few = forced(lm, TEXT, BORDERS, " So x =", answers, ".").logprobs
    np.testing.assert_allclose(few, whole, atol=1e-4)
    np.testing.assert_allclose(np.array(alone).T, whole, atol=1e-4)


def test_an_empty_text_and_a_single_answer(tiny_lm: TinyLM) -> None:
    """One prefix, no sentence; the only answer has all of the share, and the mass tells what it is worth."""
    lm = tiny_lm("llama", "words")
    found = forced(lm, "", [0], "", ["Hello world"], "")
    assert found.logprobs[0, 0] == pytest.approx(lm.logprobs("", ["Hello world"])[0].logprob, abs=1e-4)
    assert found.shares.tolist() == [[1.0]]
    assert found.mass[0] == pytest.approx(math.exp(found.logprobs[0, 0]))
    assert found.effects.tolist() == found.distances.tolist() == []
    assert forced(lm, TEXT, [], " x =", [" 4"], "").logprobs.shape == (0, 1)


@pytest.mark.parametrize("wrong", [[], ["4", "4"], ["4", " "], [""]])
def test_what_is_no_set_of_answers_is_refused(wrong: list[str], tiny_lm: TinyLM) -> None:
    """In one line."""
    with pytest.raises(TracerError, match="takes different candidates, one at least, and none of them blank"):
        forced(tiny_lm(), TEXT, BORDERS, " x =", wrong, "")


def test_a_text_beyond_the_models_context_is_refused(tiny_lm: TinyLM) -> None:
    """Before anything is read."""
    with pytest.raises(DoesNotFitError, match="shorten it, or name another --lm"):
        forced(tiny_lm(max_position_embeddings=20), TEXT, BORDERS, " x =", [" 4"], "")


def test_shares_mass_and_effects_follow_from_the_probabilities() -> None:
    """Probabilities .2 and .2, then .3 and .1, then .03 and .01: the target's share is .5, .75 and .75."""
    found = Forced(("5", "6"), np.log([[0.2, 0.2], [0.3, 0.1], [0.03, 0.01]]))
    np.testing.assert_allclose(found.shares, [[0.5, 0.5], [0.75, 0.25], [0.75, 0.25]])
    np.testing.assert_allclose(found.mass, [0.4, 0.4, 0.04])
    np.testing.assert_allclose(found.effects, [0.25, 0], atol=1e-12)
    np.testing.assert_allclose(found.distances, [0.25, 0], atol=1e-12)


def test_answers_far_below_the_smallest_float_still_have_shares() -> None:
    """e^-2000 is 0 as a float; a third and two thirds are not."""
    found = Forced(("a", "b"), np.array([[-2000.0, -2000.0 + math.log(2)]]))
    np.testing.assert_allclose(found.shares, [[1 / 3, 2 / 3]])
    assert found.mass.tolist() == [0.0]


def test_spellings_of_one_answer_are_added_up() -> None:
    """1/2 and 0.5 hold .1 and .3 together, beside .4 for 2; the target's label stays in front."""
    found = Forced(("1/2", "2", "0.5"), np.log([[0.1, 0.4, 0.3]])).merged(["0.5", "2", "0.5"])
    assert found.candidates == ("0.5", "2")
    np.testing.assert_allclose(np.exp(found.logprobs), [[0.4, 0.4]])


@pytest.mark.parametrize(
    ("said", "answer", "closing", "after"),
    [
        (" </think>\n\\boxed{ 5}", "5", " </think>\n\\boxed{ ", "}"),
        ("\n</think>\n\nThe answer is **12**.\nBye", "12", "\n</think>\n\nThe answer is **", "**."),
        ("Answer: B\nBecause", "B", "\n</think>\n\nAnswer: ", "\n"),
        ("\n\n19", "19", "\n</think>\n\n", ""),
        ("It is 12 apples", "12", "\n</think>\n\nIt is ", ""),
        ("Step 15 gives $\\frac{1}{5}$.", "5", "\n</think>\n\nStep 15 gives $\\frac{1}{", "}$."),
        ("x" * 81 + " 5.", "5", CLOSING, AFTER),
        ("x" * 79 + " 5.", "5", "\n</think>\n\n" + "x" * 79 + " ", "."),
        ("x" * 78 + " 555", "55", CLOSING, AFTER),
        ("nothing of the kind", "5", CLOSING, AFTER),
        ("", "5", CLOSING, AFTER),
        ("5", "", CLOSING, AFTER),
    ],
)
def test_the_way_to_the_answer_is_the_traces_own(said: str, answer: str, closing: str, after: str) -> None:
    """Up to where the answer first stands for itself, if that is near; else the usual words."""
    assert closing_of(said, answer) == (closing, after)


def test_the_end_of_the_reasoning_may_be_given() -> None:
    """A small vocabulary knows its own closing tag only."""
    assert closing_of("\\boxed{ 5}", "5", " </think>\n") == (" </think>\n\\boxed{ ", "}")


def test_numbers_of_the_trace_are_candidates_where_the_target_is_one() -> None:
    """7 stands there three times, 3.5 and 1,200 (which is 1200) twice, -2 once; 5 is the target, 6 was rolled out."""
    text = "7 and 7 = 3.5 + 3.50. So 7 (1,200) or 1200, -2, 5.0 and 6. Not v2, 2024-01 x3 3/4 or 1.2.3."
    found = candidates_of(text, "5", ["6", "6.0", "none", "truncated", "", "5"])
    assert found == ("5", "6", "6.0", "7", "3.5", "1,200", "-2", "2024")


def test_words_are_no_candidates_beside_words() -> None:
    """A letter or a formula is compared with what rollouts answered, and with nothing else."""
    assert candidates_of("Take 3 or 4.", "B", ["A", "B"]) == ("B", "A")
    assert candidates_of("Take 3 or 4.", "x + 1") == ("x + 1",)


def test_hostile_texts_give_few_candidates_in_little_time() -> None:
    """Many numbers, one of a million digits, and digits that never end a word."""
    assert len(candidates_of(" ".join(map(str, range(5_000))), "1")) == 1 + NUMBERS
    assert candidates_of("9" * 1_000_000, "1") == ("1",)
    assert candidates_of("1," * 200_000 + "x" * 10, "1") == ("1",)


def test_the_pocket_worlds_own_ending_is_found_and_forced() -> None:
    """A clean chain all but settles its answer: " 5" is likelier after the last sentence than after the prompt."""
    pytest.importorskip("torch")
    from tracer.lm.pocket import FOLDER, pocket

    if not FOLDER.is_dir():
        pytest.skip("no pocket model in this checkout")
    from tracer.data.chains import CLEAN, ending, trace
    from tracer.data.problems import problem

    made = trace(problem(1), 0, CLEAN)
    closing, after = closing_of(ending(made.answer), str(made.answer))
    text = made.prompt + made.cot
    found = forced(pocket(), text, [len(made.prompt), len(text)], closing, candidates_of(text, str(made.answer)), after)
    assert found.shares[1, 0] > found.shares[0, 0]
    assert found.mass[1] > 0.5
