"""Binary search (Who&When, arXiv 2505.00212, section 4.1): in which half is the step? Until one is left.

ceil(log2 n) questions. Edge case: a half that cannot be read ends the search without a step.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tracer.analyses.excerpts import tokens
from tracer.analyses.interview import Asking, Form, ask
from tracer.analyses.judge import Question
from tracer.analyses.judgement import Ballot, Cost, Judgement
from tracer.analyses.material import Material
from tracer.text import one_line

ASKED = """\
The step that broke the run is one of the steps {first} to {last}, which are given. Is it one of the first half, steps \
{first} to {middle}, or of the second half, steps {next} to {last}?

Answer with one JSON object and nothing else: "reason", "half" ("first" or "second")."""


class Half(BaseModel):
    """What is answered about a range."""

    reason: str = Field(max_length=4000)
    half: Literal["first", "second"]


def binary_search(asking: Asking, question: Question) -> Judgement:
    """The range is halved with each answer; only its own steps are shown, as published."""
    steps, material = question.view.steps, Material(question.view, question.ground_truth, asking.seed)
    first, last, cost, cut, reason = 0, len(steps) - 1, Cost(), 0, ""
    found: Ballot | None = None
    while first < last:
        middle = (first + last) // 2
        asked = ASKED.format(first=first, last=last, middle=middle, next=middle + 1)
        log, shown = material.log(range(first, last + 1), asking.room - tokens(asked))
        heard = ask(asking, f"{log}\n\n{asked}", Form(Half), asking.seed, temperature=0)
        cost, cut = cost + heard.cost, max(cut, shown.cut)
        if heard.reply is None:
            found = Ballot(state="unreadable")
            break
        first, last = (first, middle) if heard.reply.half == "first" else (middle + 1, last)
        reason = one_line(heard.reply.reason, 1000)
    found = found or Ballot(state="named", step=first, agent=steps[first].agent, reason=reason)
    return Judgement(method="binary-search", offered=tuple(range(len(steps))), ballots=(found,), cut=cut, cost=cost)
