"""Which request a step works on: calls and returns among agents, by hand."""

from tracer.records import Step
from tracer.requests import requests


def talk(*lines: str) -> list[Step]:
    """Steps from `agent parent`, or `agent` alone; an agent in capitals is a tool."""
    steps = []
    for index, line in enumerate(lines):
        agent, *parents = line.split()
        kind = "tool_result" if agent.isupper() else "message"
        steps.append(Step(index=index, agent=agent, kind=kind, parents=tuple(map(int, parents))))  # type: ignore[arg-type]
    return steps


def test_the_example_of_the_module() -> None:
    """An answer brings the planner back to the user's question, a tool's result the researcher to the planner's."""
    steps = talk("user", "planner 0", "north 1", "FILES 2", "north 3", "planner 4", "south 5")
    assert requests(steps) == [None, 0, 1, 2, 1, 0, 5]


def test_an_objection_is_an_answer_and_the_work_goes_on() -> None:
    """The checker (2) was asked by the solver (1): when it objects, the solver is at the planner's request again."""
    assert requests(talk("planner", "solver 0", "checker 1", "solver 2", "checker 3")) == [None, 0, 1, 0, 3]


def test_who_is_asked_by_a_third_one_has_a_new_request() -> None:
    """The work is passed along a line, and nobody answers."""
    assert requests(talk("user", "a 0", "b 1", "c 2")) == [None, 0, 1, 2]


def test_an_agent_that_goes_on_by_itself_stays_at_its_request() -> None:
    """A thought, then words; a user that answers a question asks anew."""
    assert requests(talk("user", "a 0", "a 1", "user 2", "a 3")) == [None, 0, 0, None, 3]


def test_without_parents_nothing_is_known() -> None:
    """Neither does a parent in the future, or the step itself, say anything."""
    assert requests(talk("user", "a", "b 2", "c 9")) == [None] * 4


def test_of_many_parents_the_last_one_is_what_a_step_follows_from() -> None:
    """A model that is given the whole history."""
    assert requests(talk("user", "a 0", "b 0 1", "a 0 1 2")) == [None, 0, 1, 0]


def test_a_result_that_another_agent_reads_is_no_request() -> None:
    """A shared terminal answers whoever is next."""
    assert requests(talk("user", "a 0", "SHELL 1", "b 2")) == [None, 0, 1, None]
