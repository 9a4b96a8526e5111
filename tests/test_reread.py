"""Chains that the model wrote itself: what went wrong in them, and where that was decided."""

import pytest

from tracer.data.problems import Fact, Problem
from tracer.data.reread import reread
from tracer.data.world import NOISY, TEST, ending, problem, trace

ASKED = Problem(0, (Fact("Ana", 6, ("Hal",), "+5"), Fact("Hal", 1), Fact("Hal", 3, rumor=True)), "Ana")


@pytest.mark.parametrize(
    ("cot", "answer", "event", "decisive"),
    [
        (" We need Ana. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 7. So Ana is 7.", 7, "slip", " Ana = 1 +5 = 7."),
        (" We need Ana. Ana: Hal +5. They say Hal is 3. Ana = 3 +5 = 8.", 8, "trust", " They say Hal is 3."),
        (" We need Ana. Ana: Hal +4. Hal: 1. Ana = 1 +5 = 6. So Ana is 5.", 5, "misread", " Ana: Hal +4."),
        (" We need Ana. Ana: Hal +5. Hal: 2. Ana = 2 +5 = 7. So Ana is 7.", 7, "misread", " Hal: 2."),
        (
            " Ana: Hal +5. Hal: 1. Ana = 1 +5 = 7. Wait, check Ana. Again Ana = 1 +5 = 6. That was wrong. So Ana is 6.",
            6,
            "slip recovered",
            " Ana = 1 +5 = 7.",
        ),
    ],
)
def test_one_lapse_tells_where_the_answer_was_decided(cot: str, answer: int, event: str, decisive: str) -> None:
    """The lapse, whether a check found it or not."""
    found = reread(ASKED, cot + ending(answer))
    assert found is not None
    assert found.event == event
    assert found.cot == cot
    assert [sentence.text for sentence in found.sentences if sentence.decisive] == [decisive]


@pytest.mark.parametrize(
    "reply",
    [
        " We need Ana. Ana: Hal +5. Hal: 1. Ana = 1 +5 = 6. So Ana is 6. </think>\n\\boxed{ 6}",  # nothing went wrong
        " Ana: Hal +4. Hal: 2. Ana = 2 +4 = 6. So Ana is 7. </think>\n\\boxed{ 7}",  # too much did
        " Ana: Hal +5. Hal: 1. Ana = 1 +5 = 7. So Ana is 6. </think>\n\\boxed{ 6}",  # right all the same
        " Ana: Hal +5. Hal: 1. Ana = 1 +5 = 7.",  # no answer
        "",
        "\x00 </think>\n\\boxed{ 6}",
    ],
)
def test_other_replies_do_not(reply: str) -> None:
    """No lapse, several, no answer, no chain."""
    assert reread(ASKED, reply) is None


def test_what_the_world_writes_is_read_back_as_it_was_written() -> None:
    """Wherever one error is all there is, the same sentence decides as by construction."""
    seen = set()
    for seed in TEST[:3000]:
        made = trace(problem(seed), 0, NOISY)
        found = reread(made.problem, made.cot + ending(made.answer))
        if made.event in {"slip", "trust"} and not made.correct:
            checks = sum(sentence.kind == "check" for sentence in made.sentences)
            assert found is not None or checks, made.text
        if found is not None and made.event == found.event:
            seen.add(made.event)
            assert [s.decisive for s in found.sentences] == [s.decisive for s in made.sentences], made.text
    assert seen >= {"slip", "trust", "slip recovered"}
