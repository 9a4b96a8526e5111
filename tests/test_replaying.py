"""Forks, and how a replayer is found by its name."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tracer.errors import TracerError
from tracer.records import Recording, Run, Step, content_hash, run_id
from tracer.replayers.function import OneByOne, lived
from tracer.replaying import BUILT_IN, Fork, Lived, ReplayError, adapted, continues, load, whole


def steps(*texts: str, first: int = 0) -> tuple[Step, ...]:
    """Messages of one agent, numbered from `first`."""
    return tuple(Step(index=first + i, agent="a", kind="message", content=text) for i, text in enumerate(texts))


def recording() -> Recording:
    """A run of three steps."""
    digest = content_hash("run")
    run = Run(id=run_id(digest), content_hash=digest, source="x", format="chat", task="Why?")
    return Recording(run, steps("one", "two", "three"))


def test_the_kept_steps_are_the_prefix_and_the_edit() -> None:
    """Without an edit the prefix alone."""
    prefix, (edit,) = steps("one"), steps("TWO", first=1)
    assert Fork(prefix, None, 0).kept == prefix
    assert Fork(prefix, edit, 0).kept == (*prefix, edit)


@pytest.mark.parametrize("new", [steps("two", first=1), steps("two"), steps("one", "two")])
def test_a_fork_is_put_together_whether_or_not_the_kept_steps_are_repeated(new: tuple[Step, ...]) -> None:
    """New steps may be numbered in the run or from 0, and the kept ones may stand before them."""
    found = whole(Fork(steps("one"), None, 0), Lived(new, "success", None))
    assert [(step.index, step.content) for step in found] == [(0, "one"), (1, "two")]


def test_parents_of_new_steps_are_moved_with_them() -> None:
    """Numbered from 0 they count in the new steps; those that would not stand before are dropped."""
    call, result = steps("call", "result")
    new = (call, result.model_copy(update={"parents": (0, 7)}))
    assert whole(Fork(steps("one"), None, 0), Lived(new, "success", None))[2].parents == (1,)


def test_a_function_with_a_parameter_begun_can_go_on_from_inside_a_step() -> None:
    """It is given the step as far as it stands, or None; a function without the parameter is never asked to."""

    def inside(prefix_steps: list[Step], edited_step: Step | None, begun: Step | None) -> bool:
        return begun is not None and begun.reasoning == "So"

    def whole_steps(prefix_steps: list[Step], edited_step: Step | None) -> bool:
        return True

    begun = Step(index=1, agent="a", kind="thought", reasoning="So")
    replayer = OneByOne(inside, "x", recording())
    ended = replayer([Fork(steps("one"), None, 0, begun), Fork(steps("one"), None, 0)])
    assert [each.outcome for each in ended] == ["success", "failure"]
    assert (continues(replayer), continues(OneByOne(whole_steps, "x", recording()))) == (True, False)


APP = """
from tracer.replaying import Lived

def simple(prefix_steps, edited_step):
    return [{"agent": "a", "content": "three"}], True, "3"

def seeded(prefix_steps, edited_step, *, seed, run):
    return f"{run.task}{seed}" == "Why?7"

async def waits(prefix_steps, edited_step):
    import asyncio
    await asyncio.sleep(0)
    return [{"agent": "a", "content": "three"}], "success"

def batched(forks):
    return [Lived((), "success", None) for fork in forks]

def three(a, b, c):
    return None

def raises(prefix_steps, edited_step):
    raise ValueError("no such lane")

number = 3
"""


@pytest.fixture(name="app")
def _app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's in the current folder; its name."""
    name = f"app_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(APP, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_function_of_the_simple_form_gives_steps_outcome_and_answer(app: str) -> None:
    """One fork after the other."""
    [found] = load(f"{app}:simple", recording())([Fork(steps("one"), None, 0)])
    assert ([step.content for step in found.steps], found.outcome, found.answer) == (["three"], "success", "3")


def test_a_function_that_asks_for_the_seed_and_the_run_gets_them(app: str) -> None:
    """By name."""
    replayer = load(f"{app}:seeded", recording())
    assert [each.outcome for each in replayer([Fork((), None, 7), Fork((), None, 8)])] == ["success", "failure"]


def test_a_function_may_be_a_coroutine(app: str) -> None:
    """As many agent frameworks are."""
    [found] = load(f"{app}:waits", recording())([Fork(steps("one"), None, 0)])
    assert ([step.content for step in found.steps], found.outcome) == (["three"], "success")


def test_a_function_of_one_parameter_is_given_all_forks(app: str) -> None:
    """The batch form, as it stands."""
    assert len(load(f"{app}:batched", recording())([Fork((), None, seed) for seed in range(3)])) == 3


def test_the_system_is_another_one_when_its_file_changes(app: str, tmp_path: Path) -> None:
    """So its forks are lived anew."""
    before = getattr(load(f"{app}:simple", recording()), "revision", None)
    (tmp_path / f"{app}.py").write_text(APP + "\n", encoding="utf-8")
    after = getattr(load(f"{app}:simple", recording()), "revision", None)
    assert before
    assert before != after


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "no replayer 'nobody': there are chat, langgraph"),
        ("no_such_module:replay", "there is no module 'no_such_module' here"),
        ("{app}:nothing", "has no attribute 'nothing'"),
        ("{app}:three", "takes 3 parameters"),
        ("{app}:number", "is int, not a function"),
        (":replay", "no replayer ':replay'"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_to_do(app: str, name: str, said: str) -> None:
    """One line each."""
    with pytest.raises(TracerError, match=said):
        load(name.format(app=app), recording())


def test_what_the_users_code_raises_is_told_in_one_line(app: str) -> None:
    """With the place in their file."""
    with pytest.raises(ReplayError, match=rf"failed after step 0 at seed 4 \({app}.py, line 22\): ValueError: no such"):
        load(f"{app}:raises", recording())([Fork(steps("one"), None, 4)])


def test_a_module_that_cannot_be_imported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its code raises."""
    (tmp_path / "broken_app.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TracerError, match="importing it failed: ZeroDivisionError"):
        load("broken_app:replay", recording())


def test_an_installed_package_offers_a_replayer(app: str, tmp_path: Path) -> None:
    """By the entry point group tracer.replayers, under the name that it chose."""
    info = tmp_path / "offers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offers\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[tracer.replayers]\nmine = {app}:simple\n", encoding="utf-8")
    assert load("mine", recording())([Fork((), None, 0)])[0].answer == "3"


@pytest.mark.parametrize(
    ("value", "outcome", "count"),
    [
        (True, "success", 0),
        ("failure", "failure", 0),
        (None, "unknown", 0),
        ([{"agent": "a", "content": "x"}], "unknown", 1),
        ((steps("x"), False), "failure", 1),
        (([], "success", 42), "success", 0),
        (Lived((), "success", None), "success", 0),
    ],
)
def test_a_simple_function_may_return_steps_or_an_outcome_or_both(value: object, outcome: str, count: int) -> None:
    """Whatever it can say."""
    found = lived(value, "f")
    assert (found.outcome, len(found.steps)) == (outcome, count)


@pytest.mark.parametrize("wrap", [lambda said: said, lambda said: (said, "unknown")])
def test_an_answer_that_is_not_named_is_the_one_in_the_last_words(wrap: Callable[[object], object]) -> None:
    """Else the expected answer of the run could decide nothing."""
    assert lived(wrap(steps("so", "FINAL ANSWER: 42")), "f").answer == "42"
    assert lived((steps("FINAL ANSWER: 42"), True, "43"), "f").answer == "43"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("won", "gave the outcome 'won'"),
        (3, "returned int"),
        ([3], "gave int for a step"),
        ([{"content": "x"}], "a step that cannot be read: agent: field required"),
        ([{"agent": "a", "content": "x", "mood": "good"}], "mood: extra inputs"),
        (([], []), "gave the outcome"),
    ],
)
def test_what_a_simple_function_may_not_return_is_told(value: object, said: str) -> None:
    """In one line that says what to return."""
    with pytest.raises(ReplayError, match=said):
        lived(value, "f")


def test_every_built_in_can_be_imported() -> None:
    """The table names what is there."""
    from tracer.replaying import named

    assert all(callable(named(where)) for where in BUILT_IN.values())


def test_an_adapted_function_passes_on_what_it_says_of_itself() -> None:
    """The stand-in, and the correct step."""

    def replay(prefix: Sequence[Step], edited: Step | None) -> bool:
        return True

    replay.stand_in = "a model"  # type: ignore[attr-defined]
    replay.correct = lambda prefix, step: step  # type: ignore[attr-defined]
    found = adapted(replay, "replay", recording())
    assert isinstance(found, OneByOne)
    assert (found.stand_in, found.batch, callable(found.correct)) == ("a model", 1, True)
