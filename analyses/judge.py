"""The judge: a cheap ranker proposes, a language model compares, and what it cites is looked up.

1. Offered are the ranker's first steps, in an orchestrated run with the orchestrator's steps around each. The labelled
   step is among them in 62 of 64 chats and in 22 of 30 orchestrated runs (the ranker trained on other questions).
2. Shown are those steps with what they used (the graph's edges into them), what their actions brought, and where the
   failure showed; numbered as in the log, fenced, and cut to the model's window.
3. Each of k samples sees the offered steps listed in an order of its own, and names one of them or none.
4. A quotation counts when it stands in the named step, white space aside. One that does not is dropped and counted.

The votes are reported as they are, with Wilson's interval of the leading step's share: the spread over samples of one
model, which says nothing about how often that model is right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tracer.analyses.excerpts import tokens
from tracer.analyses.fence import stands
from tracer.analyses.interview import Asking, Form, ask
from tracer.analyses.judgement import Ballot, Cost, Judgement
from tracer.analyses.material import Material, Shown
from tracer.analyses.view import View
from tracer.errors import DoesNotFitError
from tracer.records import Step
from tracer.text import one_line

VERSION = 1
"""Changes with every word of a prompt: answers to other prompts are other answers."""
SHORT, LONG, ORCHESTRATED = 5, 10, 15
"""Steps offered of a run with up to ten candidates, of a longer one, and where an orchestrator leads."""
UPSTREAM = 3
"""Of the steps that an offered one used, so many of the heaviest are shown."""
QUOTES = 4
QUESTION = """\
Which of these steps broke the run? Compare them with each other before you choose.
{offered}

Answer with one JSON object and nothing else: "reason" (what went wrong there and why no earlier step is it), "quotes" \
(up to {quotes} short passages, copied letter for letter from the step that you name), "step" (one of {numbers}), \
"agent" (who speaks there), "confidence" (0 to 1), "abstain" (true, with "step" null, if the log does not tell)."""


class Question(NamedTuple):
    """A run, and what is known of it before the model is asked."""

    view: View
    probability: dict[int, float]
    """The ranker's, of every step."""
    ground_truth: str | None = None
    """The right answer, only where the user lets the model see it."""


class Choice(BaseModel):
    """What a sample answers."""

    model_config = ConfigDict(allow_inf_nan=False)

    reason: str = Field(max_length=4000)
    quotes: list[str] = Field(default=[], max_length=20)
    step: int | None
    agent: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    abstain: bool = False


def judge(asking: Asking, question: Question) -> Judgement:
    """The judgement of one run by k samples."""
    view, material = question.view, Material(question.view, question.ground_truth, asking.seed)
    offered = candidates(view, question.probability)
    log, shown = _log(material, offered, asking.room - tokens(_question(material, offered)))
    form = choice_form(offered)
    ballots, cost = [], Cost()
    for k in range(asking.samples):
        asked = _question(material, shuffled(offered, asking.seed, k))
        heard = ask(asking, f"{log}\n\n{asked}", form, seed=asking.seed + k)
        ballots.append(ballot(heard.reply, view.steps))
        cost += heard.cost
        if asking.progress:
            asking.progress(k + 1, asking.samples)
    return Judgement(
        method="judge",
        offered=tuple(offered),
        ballots=tuple(ballots),
        cut=shown.cut,
        left_out=shown.left_out,
        cost=cost,
    )


def _log(material: Material, offered: Sequence[int], room: float) -> tuple[str, Shown]:
    """The same beginning for every sample: the offered steps with their context, or alone where that is too much."""
    wanted, heavy = context(material.view, offered), set(offered)
    try:
        return material.log(wanted, room, heavy)
    except DoesNotFitError:
        return material.log(offered, room, heavy)


def candidates(view: View, probability: dict[int, float]) -> list[int]:
    """The steps to compare, likeliest first."""
    ranked = sorted(view.candidates, key=lambda i: (-probability.get(i, 0.0), i))
    if not view.orchestrated:
        return ranked[: SHORT if len(ranked) <= LONG else LONG]
    found: dict[int, None] = {}
    for index in ranked:
        for each in (index, *_around(view, index)):
            if len(found) < ORCHESTRATED:
                found.setdefault(each)
    return list(found)


def _around(view: View, index: int) -> list[int]:
    """The orchestrator's steps right before and right after an acting step: its order, and its look at the result."""
    if index not in view.actors:
        return []
    books = set(view.candidates) - set(view.actors)
    return [each for each in (index - 1, index + 1, index - 2) if each in books]


def context(view: View, offered: Sequence[int]) -> list[int]:
    """The offered steps, what each used and brought, and the symptom."""
    wanted = {*offered, view.symptom, *(source for index in offered for source in upstream(view, index))}
    return sorted(wanted | {view.results[index].index for index in offered if index in view.results})


def upstream(view: View, index: int) -> list[int]:
    """The steps that a step used most, by the weight of their edges into it."""
    weights: dict[int, float] = {}
    for edge in view.edges:
        if edge.target == index:
            weights[edge.source] = max(edge.weight, weights.get(edge.source, 0.0))
    return sorted(sorted(weights, key=lambda source: (-weights[source], source))[:UPSTREAM])


def shuffled(offered: Sequence[int], seed: int, sample: int) -> list[int]:
    """The order in which one sample sees them; the same seed gives the same."""
    return random.Random(f"judge {seed} {sample}").sample(list(offered), len(offered))


def choice_form(offered: Sequence[int]) -> Form[Choice]:
    """One of the offered steps, or none."""
    numbers = sorted(offered)

    def wrong(reply: Choice) -> str:
        if reply.step is None:
            return "" if reply.abstain else '"step" is null although "abstain" is not true'
        return "" if reply.step in numbers else f'"step" must be one of {", ".join(map(str, numbers))}'

    step: dict[str, Any] = {"anyOf": [{"type": "integer", "enum": numbers}, {"type": "null"}]}
    quotes = {"type": "array", "items": {"type": "string"}, "maxItems": QUOTES}
    return Form(Choice, wrong, {"step": step, "quotes": quotes})


def ballot(reply: Choice | None, steps: Sequence[Step]) -> Ballot:
    """An answer with its quotations looked up in the step that it names."""
    if reply is None:
        return Ballot(state="unreadable")
    if reply.step is None or reply.abstain:
        return Ballot(state="abstained", reason=one_line(reply.reason, 1000), confidence=reply.confidence)
    step = steps[reply.step]
    text = f"{step.spoken}\n{step.reasoning or ''}"
    held = [quote for quote in reply.quotes if stands(quote, text)]
    return Ballot(
        state="named",
        step=reply.step,
        agent=reply.agent or "",
        reason=one_line(reply.reason, 1000),
        confidence=reply.confidence,
        quotes=tuple(one_line(quote, 400) for quote in held[:QUOTES]),
        dropped=len(reply.quotes) - len(held),
    )


def _question(material: Material, order: Sequence[int]) -> str:
    """Numbers only: an agent's name is log text, and this stands outside the log."""
    lines = []
    for index in order:
        used = ", ".join(map(str, upstream(material.view, index)))
        lines.append(f"- step {index}" + (f", which used what came from {used}" if used else ""))
    numbers = ", ".join(map(str, sorted(order)))
    return QUESTION.format(offered="\n".join(lines), quotes=QUOTES, numbers=numbers)
