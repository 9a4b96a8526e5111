"""Who tells of others' steps: addresses in any language, and what is left of a text without them."""

import pytest

from tracer.analyses.others import Others
from tracer.analyses.view import View
from tracer.records import Step

AGENTS = ["user", "Planner", "Web_Reader", "writer", "Planner"]
STEPS = [Step(index=k, agent=agent, kind="message", content=f"word {k}") for k, agent in enumerate(AGENTS)]


@pytest.mark.parametrize(
    "text",
    [
        "Web_Reader is to blame: step 2.",
        "Schuld ist allein Web_Reader; die Nummer 2 war der Fehler.",
        "错误出在第2步，责任人是Web_Reader。",
        '{"root_cause": {"step": 4, "agent": "Planner"}}',
        "Planner, step 17",
        "writer, step 3",
    ],
)
def test_an_agent_with_the_number_of_its_step_is_an_address(text: str) -> None:
    """In any language; behind the word step any number will do."""
    assert Others(STEPS).addressed(text, "Observer")


@pytest.mark.parametrize(
    "text",
    ["Web_Reader found 4711 whales.", "step 2", "2 of 5", "Web_Reader: 2.5, 2,000", "writer, step 17", "writer (3)"],
)
def test_a_name_or_a_number_alone_is_none(text: str) -> None:
    """Nor is the number of somebody else's step, a part of a longer number, or a plain word beside its number."""
    assert not Others(STEPS).addressed(text, "Observer")


def test_who_speaks_of_own_steps_addresses_nobody() -> None:
    """The planner's own plan has numbers, too."""
    assert not Others(STEPS).addressed("Planner: step 1 is mine, and step 4", "Planner")


def test_only_the_paragraph_with_the_address_is_left_out_and_places_stay() -> None:
    """An address is one within a paragraph."""
    text = "I read 4711.\n\nWeb_Reader broke it at step 2: 9731.\n \nWeb_Reader reads.\n\n2 of us agree."
    [own] = [Others(STEPS).own(Step(index=5, agent="Observer", kind="message", content=text))]
    assert own.content == text.replace("Web_Reader broke it at step 2: 9731.", " " * 36)


def test_what_is_told_of_others_is_no_value_and_no_code_of_the_teller() -> None:
    """The number 9731 entered with the writer, who said it as its own."""
    told = Step(index=5, agent="Observer", kind="message", content="```\nblame('Web_Reader', 2)  # 9731\n```")
    said = Step(index=6, agent="Planner", kind="message", content="It is 9731.")
    again = Step(index=7, agent="writer", kind="message", content="The answer is 9731.")
    view = View([*STEPS, told, said, again], "How many?")
    assert not view.has_code(5)
    assert {(edge.source, edge.target) for edge in view.origins if edge.origin == "reused"} == {(6, 7)}


def test_a_run_without_names_has_no_addresses() -> None:
    assert not Others([Step(index=0, agent="", kind="message", content="0")]).addressed("0 and 1", "x")
