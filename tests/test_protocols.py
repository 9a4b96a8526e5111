"""The three protocols of Who&When: how they walk through a log, and where they stop."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tracer.analyses.interview import Asking
from tracer.analyses.judge import Question
from tracer.analyses.judges import JUDGES
from tracer.analyses.view import View
from tracer.records import Step

Serve = Callable[..., Any]


def question(steps: int, ground_truth: str | None = None) -> Question:
    """A run whose steps say their own number in words of their own."""
    made = [Step(index=k, agent=f"agent{k}", kind="message", content=f"said-{k}-here") for k in range(steps)]
    return Question(View(made, "Why?"), dict.fromkeys(range(steps), 1 / steps), ground_truth)


def prompt(body: dict[str, Any]) -> str:
    """What was asked."""
    return str(body["messages"][0]["content"])


def shown(body: dict[str, Any]) -> list[int]:
    """The steps whose words a prompt holds."""
    return [int(k) for k in re.findall(r"said-(\d+)-here", prompt(body))]


def test_all_at_once_shows_every_step_with_its_number_and_asks_once(scripted: Serve) -> None:
    served = scripted(lambda _: json.dumps({"reason": "r", "step": 3, "agent": "agent2", "quotes": ["said-3-here"]}))
    found = JUDGES["all-at-once"](Asking(served.lm), question(6))
    assert (found.leading(), found.cost.requests, found.ballots[0].agent) == (3, 1, "agent2")
    [body] = served.bodies
    assert shown(body) == [0, 1, 2, 3, 4, 5]
    assert body["temperature"] == 0
    assert all(f"step {k} · agent{k} · message" in prompt(body) for k in range(6))


@pytest.mark.parametrize("guilty", [0, 3, 5, None])
def test_step_by_step_stops_at_the_first_yes(scripted: Serve, guilty: int | None) -> None:
    """It never sees what follows; with no yes it names nothing."""

    def reply(body: dict[str, Any]) -> str:
        return json.dumps({"reason": "r", "error": shown(body)[-1] == guilty})

    served = scripted(reply)
    found = JUDGES["step-by-step"](Asking(served.lm), question(6))
    assert found.leading() == guilty
    asked = 6 if guilty is None else guilty + 1
    assert [shown(body) for body in served.bodies] == [list(range(k + 1)) for k in range(asked)]
    assert found.ballots[0].state == ("abstained" if guilty is None else "named")


@pytest.mark.parametrize("steps", [1, 2, 7, 16])
def test_binary_search_finds_every_step_in_log2_questions(scripted: Serve, steps: int) -> None:
    """An oracle that knows the step is asked ceil(log2 n) times at most, and only shown the range that is left."""
    wanted = {"step": 0}

    def reply(body: dict[str, Any]) -> str:
        first, middle = map(int, re.findall(r"first half, steps (\d+) to (\d+)", prompt(body))[0])
        return json.dumps({"reason": "r", "half": "first" if first <= wanted["step"] <= middle else "second"})

    served = scripted(reply)
    for step in range(steps):
        wanted["step"] = step
        found = JUDGES["binary-search"](Asking(served.lm), question(steps))
        assert found.leading() == step
        assert found.cost.requests <= (steps - 1).bit_length()
    assert all(wanted["step"] >= 0 and len(shown(body)) <= steps for body in served.bodies)


@pytest.mark.parametrize("method", ["step-by-step", "binary-search", "all-at-once"])
def test_what_cannot_be_read_names_nothing(scripted: Serve, method: str) -> None:
    served = scripted(lambda _: "Hm.")
    found = JUDGES[method](Asking(served.lm), question(3))
    assert (found.leading(), found.ballots[0].state) == (None, "unreadable")


@pytest.mark.parametrize("method", JUDGES)
def test_each_method_works_with_and_without_the_right_answer(scripted: Serve, method: str) -> None:
    answer = {"reason": "r", "step": 1, "agent": "agent1", "error": True, "half": "first"}
    served = scripted(lambda _: json.dumps(answer))
    for truth in (None, "forty-two"):
        before = len(served.bodies)
        assert JUDGES[method](Asking(served.lm), question(4, truth)).leading() is not None
        asked = served.bodies[before:]
        assert all(("forty-two" in prompt(body)) == (truth is not None) for body in asked)
