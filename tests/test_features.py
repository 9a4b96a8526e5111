"""Features: each on a run of a few steps, worked out by hand; and what none of them may see."""

import math
import time
from typing import Any

import numpy as np
import pytest

from tracer.analyses.blame import METHODS
from tracer.analyses.cases import prepare
from tracer.analyses.features import FEATURES, POSITION, Features, matrix
from tracer.analyses.ranker import distribution, shipped
from tracer.analyses.view import View
from tracer.records import Label, Recording, Run, Step, StepKind, ToolStatus

TASK = "Which whale did the station count, the humpback or the narwhal?"


def step(index: int, agent: str, kind: StepKind = "message", content: str = "so be it", **more: Any) -> Step:
    """One step."""
    return Step(index=index, agent=agent, kind=kind, content=content, **more)


CHAT = [
    step(0, "Planner", "plan", "Plan: ask the station which whale it did count."),
    step(1, "Coder", "tool_call", "```python\nprint(4711)\n```", tool="code", arguments="print(4711)"),
    step(2, "Terminal", "tool_result", "exitcode: 0", tool_status="empty", tool_rule="text: x", parents=(1,)),
    step(3, "Planner", content="I assume 4711, let's say 4712, as is well known."),
    step(4, "Coder", "tool_call", "```python\nprint(2)\n```", tool="code", arguments="print(2)"),
    step(5, "Terminal", "tool_result", "exitcode: 1", tool_status="error", tool_rule="text: y", parents=(4,)),
    step(6, "Critic", content="the count was 4712"),
]
TEAM = [
    step(0, "Boss", "plan"),
    step(1, "Web"),
    step(2, "Boss", "thought", marks=("ledger",)),
    step(3, "Web"),
    step(4, "Boss", "thought", marks=("ledger", "no_progress")),
    step(5, "Web"),
    step(6, "Boss", "thought", marks=("ledger",)),
]


def column(name: str, steps: list[Step], task: str = TASK) -> dict[int, float]:
    """A feature's value for each candidate."""
    features = Features(View(steps, task))
    return {index: FEATURES[name].value(features, index) for index in features.view.candidates}


def lone(name: str, content: str, **more: Any) -> float:
    """A feature's value for the second of two messages."""
    return column(name, [step(0, "a"), step(1, "b", more.pop("kind", "message"), content, **more)])[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plan", [1, 0, 0, 0, 0]),
        ("ledger", [0, 0, 0, 0, 0]),
        ("first_turn", [1, 1, 0, 0, 1]),
        ("code", [0, 1, 0, 1, 0]),
        ("first_code", [0, 1, 0, 0, 0]),
        ("empty", [0, 1, 0, 0, 0]),
        ("first_failing", [0, 1, 0, 0, 0]),
        ("goes_on", [0, 0, 1, 0, 1]),
        ("assumes", [0, 0, 2, 0, 0]),
        ("from_memory", [0, 0, 1, 0, 0]),
        ("before_trouble", [0, 0, 0, 0, 0]),
        ("after_trouble", [0, 0, 0, 0, 0]),
    ],
)
def test_a_chat_worked_out_by_hand(name: str, expected: list[float]) -> None:
    """The candidates are 0, 1, 3, 4 and 6: the terminal's steps are none."""
    assert column(name, CHAT) == dict(zip([0, 1, 3, 4, 6], expected, strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ledger", [0, 0, 1, 0, 1, 0, 1]),
        ("before_trouble", [0, 0, 0, 1, 0, 0, 0]),
        ("after_trouble", [0, 0, 0, 0, 0, 1, 1]),
        ("first_turn", [1, 1, 0, 0, 0, 0, 0]),
    ],
)
def test_an_orchestrated_run_worked_out_by_hand(name: str, expected: list[float]) -> None:
    """The ledger of step 4 is the first to say that there is no progress; step 3 is the member's last before it."""
    assert column(name, TEAM) == dict(enumerate(expected))


def test_the_step_that_tells_of_trouble_is_not_the_action_before_it() -> None:
    """Also where everybody counts as acting."""
    steps = [step(0, "a"), step(1, "b", "thought", marks=("ledger", "loop")), step(2, "a")]
    assert column("before_trouble", steps) == {0: 1, 1: 0, 2: 0}
    assert column("after_trouble", steps) == {0: 0, 1: 0, 2: 1}


def test_with_one_agent_no_turn_is_the_first() -> None:
    """It would only say where the step stands."""
    assert column("first_turn", [step(0, "a"), step(1, "a")]) == {0: 0, 1: 0}


def test_a_plan_strays_by_the_task_words_it_leaves_out() -> None:
    """which, whale, station, count are repeated; humpback, narwhal are not: 2 of 6."""
    assert column("plan_strays", CHAT)[0] == pytest.approx(2 / 6)
    assert column("plan_strays", CHAT)[3] == 0
    assert column("plan_strays", CHAT, task="one is two")[0] == 0


def test_a_plan_that_quotes_the_task_strays_no_less_for_it() -> None:
    """What stands before the plan's heading is not the planner's."""
    quoting = step(0, "Planner", "plan", f"{TASK}\n# Plan\nDebug the error message.")
    assert column("plan_strays", [quoting, step(1, "b")])[0] == 1


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("it is 4711", 1),
        ("it is 4711 and 4711 and 4712", 2),
        ("Ada Lovelace at https://a.example/x", 2),
        ("```\n4711\n```", 0),
        ("it is 7", 0),
        ("plankton_id is `plankton`", 0),
    ],
)
def test_unsupported_values_are_numbers_names_and_links_out_of_nowhere(content: str, count: int) -> None:
    """ln(1 + how many different ones); code names nothing, and identifiers and quotes are no claims."""
    assert lone("unsupported", content) == pytest.approx(math.log1p(count))


def test_values_of_the_task_and_of_earlier_steps_are_supported() -> None:
    """Wherever they stood, also in a result; a later user of the value is not to blame for it."""
    steps = [step(0, "a", content="4711"), step(1, "b", content="4711 and 4712"), step(2, "c", content="4712 and 4713")]
    assert column("unsupported", steps, "is it 4713?") == {
        0: pytest.approx(math.log(2)),
        1: pytest.approx(math.log(2)),
        2: 0,
    }


@pytest.mark.parametrize(
    ("earlier", "later", "supported"),
    [
        ("14.2338", "14.2", True),
        ("14.2338", "14.23", True),
        ("14.2838", "14.3", True),
        ("14.2838", "14.2", False),
        ("14.2338", "14", True),
        ("1,414.2338", "1414.2", True),
        ("-14.2338", "-14.2", True),
        ("14.2", "14.23", False),
        ("1414", "1400", False),
    ],
)
def test_a_rounded_number_is_supported_by_the_exact_one(earlier: str, later: str, supported: bool) -> None:
    """Correctly rounded to its own places, from a number with a fraction; in the task or in a step."""
    expected = 0 if supported else pytest.approx(math.log(2))
    assert column("unsupported", [step(0, "a", content=earlier), step(1, "b", content=later)])[1] == expected
    assert column("unsupported", [step(0, "a", content=later)], f"is it {earlier}?")[0] == expected


def test_tables_of_numbers_cost_no_time() -> None:
    """Three steps of ten thousand decimals each, and one number with ten thousand places."""
    tables = [" ".join(f"{i + k / 7 + 11:.{4 - k}f}" for i in range(10_000)) for k in range(3)]
    steps = [step(k, "a", content=text) for k, text in enumerate([*tables, "1." + "7" * 10_000])]
    began = time.process_time()
    found = column("unsupported", steps)
    assert time.process_time() - began < 2
    assert found[0] == pytest.approx(math.log1p(10_000))


def test_what_a_call_passes_to_a_tool_is_a_claim_but_a_program_is_not() -> None:
    """An argument out of nowhere is as invented as a sentence; a result brings values by right."""
    asked = {"kind": "tool_call", "tool": "search", "arguments": '{"id": 4711}'}
    assert lone("unsupported", "", **asked) == pytest.approx(math.log(2))
    assert lone("claims", "", **asked) == pytest.approx(math.log(2))
    assert lone("unsupported", "", **asked | {"tool": "code"}) == 0
    result = [
        step(0, "a", "tool_call"),
        step(1, "a", "tool_result", "4711", parents=(0,)),
        step(2, "a", content="4711"),
    ]
    assert column("unsupported", result) == {0: 0, 2: 0}


def test_claims_need_words_with_neither_code_nor_a_result_behind_them() -> None:
    """The same sentence counts bare, and not beside code, in a plan, or in a report of one's own action."""
    assert lone("claims", "it is 4711") == pytest.approx(math.log(2))
    assert lone("claims", "it is 4711\n```\nx\n```") == 0
    assert lone("claims", "it is 4711", kind="plan") == 0
    assert lone("claims", "it is 4711", tool_status="ok") == 0


@pytest.mark.parametrize(
    "words",
    ["We assume it.", "a placeholder value", "this is hypothetical", "mock data", "simulated results", "Let's say 5"],
)
def test_words_that_assume(words: str) -> None:
    """Once each, whatever the case; not inside code; three at most."""
    assert lone("assumes", words) == 1
    assert lone("assumes", words.upper()) == 1
    assert lone("assumes", f"```\n{words}\n```") == 0
    assert lone("assumes", f"{words} " * 9) == 3


@pytest.mark.parametrize(
    "words", ["from memory", "I counted manually", "it is known that", "based on the available data"]
)
def test_words_that_answer_from_memory(words: str) -> None:
    """The look-up that should have been is missing."""
    assert lone("from_memory", words) == 1


@pytest.mark.parametrize(
    ("status", "then", "goes_on"),
    [
        ("error", {"content": "so the answer is yes"}, 1),
        ("empty", {"content": "so the answer is yes"}, 1),
        ("ok", {"content": "so the answer is yes"}, 0),
        ("unknown", {"content": "so the answer is yes"}, 0),
        ("error", {"kind": "plan"}, 0),
        ("error", {"content": "I looked again", "tool_status": "ok"}, 0),
        ("error", {"kind": "tool_call", "tool": "search", "arguments": '{"id": "krill"}'}, 0),
        ("error", {"kind": "tool_call", "tool": "search", "arguments": '{"id": 4711}'}, 1),
        ("error", {"kind": "tool_call", "tool": "code", "content": "```\n4711\n```"}, 0),
    ],
)
def test_going_on_after_a_failure_without_mending_it(status: ToolStatus, then: dict[str, Any], goes_on: int) -> None:
    """Words alone, or a call with values out of nowhere; a new try, a plan or code is none, nor is all that follows."""
    steps = [
        step(0, "a", "tool_call", tool="search"),
        step(1, "t", "tool_result", tool_status=status, tool_rule="r", parents=(0,)),
        step(2, "b", then.pop("kind", "message"), **then),
        step(3, "t", "tool_result", tool_status="ok", tool_rule="r"),
        step(4, "b"),
    ]
    assert column("goes_on", steps) == {0: 0, 2: goes_on, 4: 0}


def test_words_that_only_look_alike_do_not_count() -> None:
    """A substring of another word is none."""
    assert lone("assumes", "presumed consumer, unmocked, supposedly sampled") == 0
    assert lone("from_memory", "a memory of the manuals, known to") == 0


def test_pagerank_is_that_of_the_graph() -> None:
    """0 gives 417 to the symptom 1: shares 0.85 and 1 of 1.85."""
    found = column("pagerank", [step(0, "a", content="417"), step(1, "b", content="417"), step(2, "user")])
    assert found == {0: pytest.approx(0.85 / 1.85), 1: pytest.approx(1 / 1.85)}


def test_position_says_where_a_step_stands_and_nothing_else() -> None:
    """Columns first, second, third, late, relative, last over four candidates."""
    rows = matrix(Features(View([step(i, "a") for i in range(4)])), POSITION)
    late = [math.log1p(i) for i in range(4)]
    expected = [
        [1, 0, 0, late[0], 0, 0],
        [0, 1, 0, late[1], 1 / 3, 0],
        [0, 0, 1, late[2], 2 / 3, 0],
        [0, 0, 0, late[3], 1, 1],
    ]
    assert rows == pytest.approx(np.array(expected))


@pytest.mark.parametrize("steps", [[step(0, "a")], [step(0, "user")], [step(0, "t", "tool_result")], CHAT, TEAM])
def test_every_run_has_a_finite_row_for_each_candidate(steps: list[Step]) -> None:
    """One step, only the user, only results: the methods never meet an empty table or a missing number."""
    features = Features(View(steps, TASK))
    for columns in (FEATURES, POSITION):
        rows = matrix(features, columns)
        assert rows.shape == (len(features.view.candidates), len(columns))
        assert np.isfinite(rows).all()


@pytest.mark.parametrize("steps", [CHAT, TEAM], ids=["chat", "team"])
def test_agents_names_change_nothing(steps: list[Step]) -> None:
    """Consistently renamed agents give the same numbers: nothing is known of who usually errs."""
    names = {name: f"Agent{'XYZWV'[k]}" for k, name in enumerate(dict.fromkeys(each.agent for each in steps))}
    renamed = [each.model_copy(update={"agent": names[each.agent]}) for each in steps]
    assert matrix(Features(View(steps, TASK))) == pytest.approx(matrix(Features(View(renamed, TASK))))


def recording(steps: list[Step], **truth: Any) -> Recording:
    """A run with a label and other truths about it."""
    label = Label(team="t", agent=truth.pop("agent", "Coder"), step=truth.pop("step", 1), stated="1")
    run = Run(id="a" * 12, content_hash="a" * 64, source="a.json", format="t", task=TASK, labels=(label,), **truth)
    return Recording(run, tuple(steps))


@pytest.mark.parametrize("steps", [CHAT, TEAM], ids=["chat", "team"])
def test_no_method_sees_the_answer(steps: list[Step]) -> None:
    """Another label, right answer, given answer or outcome leaves every feature, ranking and probability as it was."""
    one = prepare(recording(steps, outcome="failure", expected="4711", answer="4712"))
    other = prepare(recording(steps, agent="Boss", step=4, outcome="success", expected="so be it", group="q"))
    assert (one.rows == other.rows).all()
    assert (one.position == other.position).all()
    assert one.rule == other.rule
    assert [method(one.features) for method in METHODS.values()] == [
        method(other.features) for method in METHODS.values()
    ]
    assert distribution(one.features, shipped()) == distribution(other.features, shipped())


def test_a_features_weight_has_a_sign_and_words() -> None:
    """What speaks against a step is marked as such, and a person can read each."""
    assert {name: each.sign for name, each in FEATURES.items() if each.sign != 1} == {
        "plan": 0,
        "ledger": -1,
        "after_trouble": -1,
    }
    assert len({each.words for each in FEATURES.values()}) == len(FEATURES)


def test_who_says_that_others_assumed_something_assumes_nothing() -> None:
    """A paragraph that names another agent, or a step by number, is about them; the next paragraph is one's own."""
    told = "Data_Expert assumed a placeholder.\n\nAt step 3 it was from memory."
    own = "I assume 5.\n\nAs Checker I use mock data."
    steps = [step(0, "Data_Expert", content="hello"), step(1, "Checker", content=told), step(2, "Checker", content=own)]
    features = Features(View(steps))
    words = [FEATURES[name].value(features, 1) for name in ("assumes", "from_memory")]
    assert words == [0, 0]
    assert FEATURES["assumes"].value(features, 2) == 2


def test_values_in_a_quotation_of_anothers_step_are_no_claims() -> None:
    """By name and number; a name alone is no quotation."""
    steps = [
        step(0, "Data_Expert", content="hello"),
        step(1, "Checker", content="Data_Expert wrote 4711 at step 0."),
        step(2, "Checker", content="Data_Expert, take 4712."),
    ]
    features = Features(View(steps))
    assert features.unsupported[1] == 0
    assert features.unsupported[2] == pytest.approx(math.log(2))
