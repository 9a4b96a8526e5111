"""The pocket world: problems, chains of thought, and what each sentence truly rests on."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from tracer.data import world_words
from tracer.data.world import (
    CLEAN,
    NOISY,
    PAPER_KINDS,
    TEST,
    TRAIN,
    VALIDATION,
    Fact,
    Noise,
    Problem,
    Sentence,
    Shape,
    Trace,
    problem,
    trace,
)

BARE = CLEAN._replace(check=0, late=0, filler=0, so_far=0)
"""Nothing but what is needed."""
BY_HAND = Problem(
    0,
    (
        Fact("Ana", 6, ("Hal",), "+5"),
        Fact("Hal", 1),
        Fact("Cal", 7, ("Ana", "Hal")),
        Fact("Hal", 3, rumor=True),
    ),
    "Cal",
)
PAPER_TAGS = {
    "problem_setup",
    "plan_generation",
    "fact_retrieval",
    "active_computation",
    "uncertainty_management",
    "result_consolidation",
    "self_checking",
    "final_answer_emission",
}
SEEDS = TEST[:300]


def everything(made: Trace) -> tuple[Sentence, ...]:
    """Prompt and chain of thought under the indices that parents use."""
    return made.units + made.sentences


def solved(asked: Problem) -> int:
    """The answer, worked out from the texts of the facts alone."""
    texts = {fact.subject: fact.content for fact in asked.facts if not fact.rumor}

    def number(name: str) -> int:
        words = texts[name].split()
        if words[0].isdigit():
            return int(words[0])
        return number(words[0]) + (number(words[2]) if words[1] == "plus" else int(words[1]))

    return number(asked.target)


def test_a_chain_is_what_one_writes_by_hand() -> None:
    """Look up backwards, first operand first; compute on the way back; say again what is known."""
    made = trace(BY_HAND, 0, BARE)
    assert made.prompt == "Q: Ana: Hal +5. Hal: 1. Cal: Ana plus Hal. They say Hal is 3. What is Cal?\n<think>"
    assert made.cot == (
        " We need Cal. Cal: Ana plus Hal. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 6. Hal: 1. Cal = 6 plus 1 = 7. So Cal is 7."
    )
    assert made.text == made.prompt + made.cot + " </think>\n\\boxed{ 7}"
    assert (made.answer, made.correct, made.event) == (7, True, "clean")


def test_parents_are_what_a_sentence_uses_and_what_decides_that_it_comes_next() -> None:
    """Every edge of the chain worked out by hand; units 0-3 are facts, 4 is the question, 5 the first sentence."""
    parents = [set(sentence.parents) for sentence in trace(BY_HAND, 0, BARE).sentences]
    assert parents == [
        {4},  # We need Cal.           the question
        {5, 2},  # Cal: Ana plus Hal.        whom we need, and the fact; the question brings nothing more
        {6, 0},  # Ana: Hal +5.              called for by Cal's plan, which stood last, so not by its fact
        {7, 1},  # Hal: 1.                   called for by Ana's
        {8, 7, 0},  # Ana = 1 +5 = 6.        Hal's number, and what to do with it
        {9, 8, 6, 2, 1},  # Hal: 1.                now that Ana is done, Cal's plan calls for Hal
        {10, 9, 6, 2},  # Cal = 6 plus 1 = 7.
        {11, 5, 4},  # So Cal is 7.
    ]


def test_parents_that_say_the_same_are_marked_as_needed_only_together() -> None:
    """Ana's step stands in the prompt and in the plan: either will do. Her operand's number stands in one place."""
    made = trace(BY_HAND, 0, BARE)
    compute = made.sentences[4]
    assert compute.either == {7, 0}
    assert {everything(made)[k].group for k in compute.either} == {"Ana: Hal +5"}
    recall = made.sentences[5]
    assert recall.either == {8, 1, 6, 2}
    assert everything(made)[8].group == everything(made)[1].group == recall.group == "Hal=1"


def test_of_two_facts_about_one_person_the_plan_alone_says_which_is_meant() -> None:
    """With a second way to Ana, the plan is needed for computing her."""
    two_ways = BY_HAND._replace(facts=(*BY_HAND.facts, Fact("Leo", 8), Fact("Ana", 6, ("Leo",), "-2")))
    routes = {trace(two_ways, seed, BARE).cot: trace(two_ways, seed, BARE) for seed in range(20)}
    assert len(routes) == 2
    for made in routes.values():
        compute = next(sentence for sentence in made.sentences if sentence.text.startswith(" Ana ="))
        plan = next(k for k, s in enumerate(everything(made)) if s.kind == "plan" and s.text.startswith(" Ana:"))
        assert plan in compute.parents
        assert everything(made)[plan].group is None
        assert compute.either == frozenset()
        assert made.correct


TELLING = {" Hal: 3.", " Ana = 3 +5 = 8.", " Cal = 8 plus 3 = 11."}


def test_a_believed_rumour_decides_a_wrong_answer() -> None:
    """The sentence that believes is the decisive one, and rests on the rumour."""
    made = trace(BY_HAND, 0, BARE._replace(trust=1, doubt=0))
    decisive = [sentence for sentence in made.sentences if sentence.decisive]
    assert [sentence.text for sentence in decisive] == [" They say Hal is 3."]
    assert 3 in decisive[0].parents
    assert (made.answer, made.correct, made.event) == (11, False, "trust")


def test_a_late_check_mends_what_rested_on_a_rumour() -> None:
    """What had used the wrong number is computed anew, in order; the chain left the right way where it believed."""
    made = trace(BY_HAND, 0, BARE._replace(trust=1, doubt=0, late_wrong=1))
    assert made.cot.endswith(
        " Wait, check Hal. Hal: 1. That was wrong. Ana = 1 +5 = 6. Cal = 6 plus 1 = 7. So Cal is 7."
    )
    assert [sentence.text for sentence in made.sentences if sentence.decisive] == [" They say Hal is 3."]
    assert made.event == "trust recovered"
    assert made.correct


def test_a_verdict_can_tell_the_old_number_from_whatever_used_it() -> None:
    """Hal's 3 is said, said again, and an operand of Ana's and of Cal's: any of them shows that 1 is another number."""
    made = trace(BY_HAND, 0, BARE._replace(trust=1, doubt=0, late_wrong=1))
    verdict = next(sentence for sentence in made.sentences if sentence.kind == "verdict")
    told = {k for k, s in enumerate(everything(made)) if s.text in TELLING}
    assert len(told) == 3
    assert verdict.either == told
    again = everything(made)[next(iter(verdict.parents - told))]
    assert again.text == " Hal: 1."


def test_a_rumour_taken_back_at_once_does_no_harm() -> None:
    """Doubt follows the belief, and the fact follows the doubt."""
    made = trace(BY_HAND, 0, BARE._replace(trust=1, doubt=1))
    assert " They say Hal is 3. Wait, only a rumor. Hal: 1. Ana = 1" in made.cot
    assert made.correct


@pytest.mark.parametrize("event", ["slip", "trust"])
def test_what_nothing_mends_gives_a_wrong_answer_and_is_the_decisive_sentence(event: str) -> None:
    """Over many problems: the one decisive sentence is the planted one."""
    found = [made for seed in SEEDS if (made := trace(problem(seed), 0)).event == event and not made.correct]
    assert len(found) >= 10
    for made in found:
        (decisive,) = [sentence for sentence in made.sentences if sentence.decisive]
        assert decisive.kind == {"slip": "compute", "trust": "trust"}[event]


def test_of_two_errors_none_is_the_decisive_sentence() -> None:
    """Hal is believed to be 3, and Cal slips to something else than 8 + 3: either alone costs the right answer."""
    noise = BARE._replace(trust=1, doubt=0, slip_carry=1, late_wrong=0, check_wrong=0)
    made = trace(BY_HAND, 0, noise)
    assert made.event == "several"
    assert " They say Hal is 3." in made.cot
    assert " Ana = 3 +5 = 8." in made.cot
    assert not any(sentence.decisive for sentence in made.sentences)
    assert made.answer != 11


def test_a_mended_error_leaves_the_right_answer_and_is_the_decisive_sentence() -> None:
    """Over many problems: what is mended was an error all the same, and the chance of the right answer fell there."""
    found = [made for seed in SEEDS if (made := trace(problem(seed), 0)).event.endswith("recovered")]
    assert len(found) >= 30
    for made in found:
        assert made.correct
        (decisive,) = [sentence for sentence in made.sentences if sentence.decisive]
        assert decisive.kind == {"slip recovered": "compute", "trust recovered": "trust"}[made.event]


def test_every_problem_has_the_answer_that_its_facts_give() -> None:
    """An independent reading of the texts agrees; a clean chain arrives there."""
    for seed in SEEDS:
        asked = problem(seed)
        assert asked.answer == solved(asked)
        assert trace(asked, 0, CLEAN).answer == asked.answer


def test_the_numbers_of_a_computation_stand_in_its_parents() -> None:
    """Whatever a sentence uses, some parent states; parents come before; the spared ones are parents."""
    for seed in SEEDS:
        made = trace(problem(seed), 1)
        told = everything(made)
        for at, sentence in enumerate(told):
            assert all(parent < at for parent in sentence.parents)
            assert sentence.either <= sentence.parents
            assert sentence.parents or sentence.kind in {"fact", "rumor", "question", "filler"}
            if sentence.kind in {"compute", "redo", "recheck"}:
                used = re.findall(r"[+-]?\d+", sentence.text)[:-1]
                stated = [number for k in sentence.parents for number in re.findall(r"[+-]?\d+", told[k].text)]
                assert set(used) <= set(stated), (seed, sentence.text)


def test_sentences_of_a_group_say_the_same() -> None:
    """A group has two members or more, and one number or one rule among them."""
    for seed in SEEDS:
        groups = [sentence for sentence in everything(trace(problem(seed), 1)) if sentence.group]
        sizes = Counter(sentence.group for sentence in groups)
        assert not sizes or min(sizes.values()) >= 2
        for sentence in groups:
            if sentence.group and "=" in sentence.group:
                name, value = sentence.group.split("=")
                assert f" {name}" in f" {sentence.text}"
                assert re.findall(r"\d+", sentence.text)[-1] == value


def test_rumours_are_believed_about_four_times_in_ten() -> None:
    """So often that believing is no surprising sentence: 95 % interval of 300 draws around 0.4."""
    believed = sum(" They say" in trace(BY_HAND, seed, NOISY).cot for seed in range(300))
    assert 0.34 <= believed / 300 <= 0.46


def test_chains_differ_between_seeds_of_one_problem() -> None:
    """Slips, checks and asides make real diversity."""
    assert len({trace(BY_HAND, seed, NOISY).cot for seed in range(50)}) > 20


def test_every_kind_is_one_of_the_papers_eight() -> None:
    """All kinds occur, and all eight tags are used."""
    seen = {sentence.kind for seed in TEST[:1500] for sentence in trace(problem(seed), 0).sentences}
    assert seen == set(PAPER_KINDS)
    assert set(PAPER_KINDS.values()) == PAPER_TAGS


def test_training_validation_and_test_problems_are_disjoint() -> None:
    """Neighbouring ranges, no seed in two."""
    assert VALIDATION.stop <= TEST.start
    assert TEST.stop <= TRAIN.start


def test_another_process_writes_the_same_text() -> None:
    """String hashing differs between processes; the texts do not."""
    code = (
        "from tracer.data.world import problem, trace\n"
        "print(hash('a'), *(trace(problem(seed), 0).text for seed in range(30)), sep='\\n')"
    )
    printed = []
    for hashing in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hashing}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        printed.append(done.stdout.split("\n", 1))
    assert printed[0][0] != printed[1][0]
    assert printed[0][1] == printed[1][1]


def test_a_shape_makes_problems_harder_or_easier() -> None:
    """Training draws rare structure more often by drawing from another shape."""
    short = Shape(operations=(1,), sums=0, detours=0, rumors=0)
    for seed in range(50):
        assert len([s for s in trace(problem(seed, short), 0, BARE).sentences if s.kind == "compute"]) == 1
    assert all("plus" in trace(problem(seed, Shape(sums=1, detours=0)), 0, BARE).cot for seed in range(50))


def test_a_result_beyond_the_last_number_word_stays_at_it() -> None:
    """A slip must not lead to a number without a token."""
    huge = Problem(0, (Fact("Ana", 39), Fact("Ben", 44, ("Ana",), "+5")), "Ben")
    assert trace(huge, 0, BARE).answer == world_words.LARGEST


def test_every_text_survives_the_tokenizer() -> None:
    """Exact round trip over 500 problems, without one unknown token."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(world_words.tokenizer_json()))
    for seed in TEST[:500]:
        text = trace(problem(seed), 0, Noise()).text
        encoded = tokenizer.encode(text)
        assert world_words.UNKNOWN not in encoded.tokens
        assert tokenizer.decode(encoded.ids, skip_special_tokens=False) == text
        assert [text[start:end] for start, end in encoded.offsets] == encoded.tokens


def test_foreign_words_are_unknown_tokens() -> None:
    """What the world has no word for becomes <unk>, so that a reader can be told."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(world_words.tokenizer_json()))
    assert world_words.UNKNOWN in tokenizer.encode("The whale swims.").tokens


def test_no_word_stands_twice_in_the_vocabulary() -> None:
    """A token's place is its id."""
    words = world_words.vocabulary()
    assert len(words) == len(set(words))
    assert 150 <= len(words) <= 250
