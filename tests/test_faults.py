"""The faults that are planted: where, what the step says then, and who answers for it."""

import pytest

from tracer.analyses.faults import FAULTS, Scene, faults
from tracer.records import Recording, Run, Step, content_hash, run_id

TOLD = (
    ("planner", "Plan: the reader counts the reef, the counter the bay, the solver adds."),
    ("reader", "The reef has 1,204 whales."),
    ("counter", "The bay has 707 whales."),
    ("solver", "The reef's 1,204 and the bay's 707 make 1911."),
    ("checker", "I checked the sum 1911. It holds."),
    ("reporter", "Final answer: 1911"),
)


def recording(*told: tuple[str, str], task: str = "How many whales are there?") -> Recording:
    """A successful run of these agents and texts."""
    said = told or TOLD
    steps = tuple(Step(index=i, agent=who, kind="message", content=text) for i, (who, text) in enumerate(said))
    digest = content_hash(repr(said))
    run = Run(id=run_id(digest), content_hash=digest, source="x", format="chat", task=task, outcome="success")
    return Recording(run, steps)


def planted(kind: str, seed: int = 0, of: Recording | None = None) -> dict[int, str]:
    """What each step says with the fault, by step, in the order in which the places are tried."""
    return {fault.step: fault.edited.content for fault in faults(Scene(of or recording()), kind, seed)}


def test_a_polluted_source_passes_on_another_number_in_the_same_form() -> None:
    """The reader and the counter take values from nobody and feed the solver; the others are no sources."""
    found = planted("source-pollution")
    assert set(found) == {1, 2}
    reef, bay = found[1].split()[3], found[2].split()[3]
    assert 1204 * 1.1 - 1 <= int(reef.replace(",", "")) <= 1204 * 1.6 + 1
    assert "," in reef
    assert 707 * 1.1 - 1 <= int(bay) <= 707 * 1.6 + 1
    assert found[1].startswith("The reef has ")


def test_sources_are_drawn_by_out_degree() -> None:
    """A source of three readers comes first three times as often as one of a single reader: 150 of 200, +-20."""
    told = (
        ("a", "The reef has 1204 whales."),
        ("b", "The bay has 7071 whales."),
        *((f"c{k}", f"Noted: 1204. {'And 7071.' if k == 0 else ''}") for k in range(3)),
    )
    of = recording(*told)
    first = [next(iter(faults(Scene(of), "source-pollution", seed))).step for seed in range(200)]
    assert abs(first.count(0) - 150) <= 20


def test_a_conflict_contradicts_the_sibling() -> None:
    """Reader and counter both feed the solver, so the later one says that the earlier one is mistaken, and the rest."""
    found = planted("conflict")
    assert set(found) == {2}
    assert found[2].startswith("reader is mistaken: it is ")
    assert found[2].endswith(", not 1,204. The bay has 707 whales.")


def test_the_edge_of_the_highest_betweenness_is_removed_first() -> None:
    """By hand, on the chain 0 - 1 - 2 - 3: the middle edge lies on 4 of the 6 paths, the outer ones on 3."""
    told = (
        ("a", "It is 1204."),
        ("b", "From 1204 I get 3311."),
        ("c", "From 3311 I get 5522."),
        ("d", "From 5522 I get 7733."),
    )
    first, *_ = faults(Scene(recording(*told)), "edge-removal", 0)
    assert (first.step, first.edited.content) == (2, "From (not given) I get 5522.")
    assert first.reason == "loses what it had from step 1: 3311"


def test_a_number_inside_another_stays() -> None:
    """112 is no part of 112.5, of 1112 or of x112."""
    told = (("a", "It is 112."), ("b", "It is 112, not 112.5, 1112 or x112."), ("c", "Fine."))
    [fault] = faults(Scene(recording(*told)), "edge-removal", 0)
    assert fault.edited.content == "It is (not given), not 112.5, 1112 or x112."


@pytest.mark.parametrize("kind", ["step-skipped", "instruction-ignored", "premature-end"])
def test_a_mast_fault_may_be_at_any_step_of_an_agent(kind: str) -> None:
    """Each once; the work is not ended early at the step that ends it anyway."""
    places = set(range(6)) - ({5} if kind == "premature-end" else set())
    assert set(planted(kind)) == places


def test_a_premature_end_gives_the_last_number_said_before() -> None:
    """None was said before the first."""
    found = planted("premature-end")
    assert found[0].endswith("Final answer: unknown")
    assert found[3].endswith("Final answer: 707")


def test_a_check_is_waved_through_where_somebody_checks() -> None:
    """The checker only, by its name or its first words."""
    assert planted("check-waved-through") == {4: "I went through all of it. Everything is correct. Approved."}


def test_the_same_seed_plants_the_same_and_another_one_elsewhere() -> None:
    """Order and numbers both come from the seed."""
    for kind in FAULTS:
        assert list(planted(kind, 3).items()) == list(planted(kind, 3).items())
    orders = {tuple(planted("step-skipped", seed)) for seed in range(10)}
    assert len(orders) > 5


def with_a_tool() -> Recording:
    """The caller asks the table, which brings a number that the reporter passes on."""
    run, _ = recording()
    call = Step(
        index=0, agent="clerk", kind="tool_call", tool="table", arguments='{"row": "May 1204"}', call_id="c1",
        reasoning="I look it up.", reasoning_state="present",
    )  # fmt: skip
    result = Step(
        index=1, agent="table", kind="tool_result", tool="table", content="sold: 7071", call_id="c1", parents=(0,)
    )
    end = Step(index=2, agent="reporter", kind="message", content="Row 1204 says 7071.")
    return Recording(run, (call, result, end))


def test_a_tools_result_is_polluted_and_its_caller_answers_for_it() -> None:
    """As for a real tool that brings what is stale."""
    found = {fault.step: fault for fault in faults(Scene(with_a_tool()), "source-pollution", 0)}
    assert (found[1].agent, found[1].edited.kind, found[1].edited.tool) == ("clerk", "tool_result", "table")
    assert "7071" not in found[1].edited.content


def test_a_skipped_call_calls_nothing_and_a_changed_one_stays_json() -> None:
    """The thought behind it goes, too; arguments are changed only where they remain what they were."""
    scene = Scene(with_a_tool())
    skipped = next(fault for fault in faults(scene, "step-skipped", 0) if fault.step == 0).edited
    assert (skipped.kind, skipped.tool, skipped.arguments, skipped.reasoning) == ("message", None, None, None)
    polluted = {fault.step: fault.edited.arguments for fault in faults(scene, "source-pollution", 0)}
    assert polluted[0] is not None
    assert polluted[0].startswith('{"row": "May ')
    assert "1204" not in polluted[0]


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("text", ["", "\x00\x1b[2J", "\ud800 12 (a+)+$ [\\", "9" * 400, "7 " * 5000])
def test_hostile_text_breaks_nothing(kind: str, text: str) -> None:
    """Whatever a log holds: empty, control characters, half a character, a pattern, a huge number, many of them."""
    of = recording(("a", text), ("b", f"check {text} 4711"), ("c", f"{text} 4711"))
    for fault in faults(Scene(of), kind, 0):
        assert fault.edited != of.steps[fault.step]


def test_a_run_of_one_step_has_few_places() -> None:
    """No edges, so nothing to pollute, contradict or remove."""
    of = recording(("solo", "The answer is 42."))
    assert [kind for kind in FAULTS if any(True for _ in faults(Scene(of), kind, 0))] == [
        "step-skipped",
        "instruction-ignored",
    ]
