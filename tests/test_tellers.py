"""Who told an agent a value, by hand."""

from tracer.records import Step
from tracer.tellers import Teller, Told, hearers
from tracer.values import Value

VALUE = Value("number 417", 0, 3, 2.0)


def told(*steps: Step) -> Told:
    """All of these said it, each to whom the log names."""
    found = Told()
    for step, heard in zip(steps, hearers(steps), strict=True):
        found.add(Teller(step, VALUE), heard)
    return found


def step(index: int, agent: str, kind: str = "message", **more: object) -> Step:
    return Step.model_validate({"index": index, "agent": agent, "kind": kind, "content": "417", **more})


def source(found: Told, target: Step, *, thought: bool = False) -> int | None:
    teller = found.source(target, thought=thought)
    return teller.step.index if teller else None


def test_nobody_told_what_nobody_said() -> None:
    """And nobody told it first."""
    assert (source(Told(), step(1, "a")), Told().first) == (None, None)


def test_the_last_of_the_others_goes_before_ones_own() -> None:
    """b said it at 1, c at 2: b has it from c, c from b, and a third one from c."""
    found = told(step(0, "b"), step(1, "b"), step(2, "c"))
    assert [source(found, step(3, agent)) for agent in "bcd"] == [2, 1, 2]
    assert found.first == 0


def test_ones_own_is_left_where_nobody_else_said_it() -> None:
    """A call of a's, and what a said after it."""
    found = told(step(0, "a", "tool_call", tool="t", arguments="417"), step(1, "a"))
    assert source(found, step(2, "a")) == 1


def test_what_was_handed_over_goes_before_all_else() -> None:
    """0 is for b; c said it later, to nobody."""
    found = told(step(0, "a", recipient="B"), step(1, "c"))
    assert [source(found, step(2, agent)) for agent in "bd"] == [0, 1]
    assert source(found, step(2, "b"), thought=True) == 0
    assert source(found, step(2, "d"), thought=True) is None


def test_a_prompt_is_its_own_agents_alone_and_takes_nothing() -> None:
    """b never saw what a was set up with; a notice of the environment is no prompt."""
    found = told(step(0, "a", "system", role="system"))
    assert [source(found, step(1, agent)) for agent in "ab"] == [0, None]
    assert source(found, step(1, "a", "system", role="developer")) is None
    assert source(told(step(0, "a", "system", role="user")), step(1, "b")) == 0


def test_a_tool_hears_nothing_but_calls() -> None:
    """What was said in between it cannot know."""
    found = told(step(0, "a", "tool_call"), step(1, "b"))
    assert source(found, step(2, "t", "tool_result")) == 0
    assert source(told(step(1, "b")), step(2, "t", "tool_result")) is None


def test_who_hears_a_step_is_who_the_log_names() -> None:
    """Its recipient, and the agents of the steps that follow from it; a parent that is none is passed over."""
    steps = [step(0, "a", recipient="B"), step(1, "c", parents=(0, 7)), step(2, "c", "system", role="system")]
    assert hearers(steps) == [{"b", "c"}, set(), {"c"}]
