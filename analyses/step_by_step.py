"""Step-by-Step (Who&When, arXiv 2505.00212, section 4.1): after each step, is this the one? The first yes counts.

Edge case: where every answer is no, no step is named. An answer that cannot be read counts as no, and as unreadable
where nothing is named in the end.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from tracer.analyses.excerpts import tokens
from tracer.analyses.interview import Asking, Form, ask
from tracer.analyses.judge import Question
from tracer.analyses.judgement import Ballot, Cost, Judgement
from tracer.analyses.material import Material
from tracer.text import one_line

ASKED = """\
The log up to step {index} is given; what follows is not. Is step {index} the step that broke the run?

Answer with one JSON object and nothing else: "reason", "error" (true or false)."""


class Doubt(BaseModel):
    """What is answered about one step."""

    reason: str = Field(max_length=4000)
    error: bool


def step_by_step(asking: Asking, question: Question) -> Judgement:
    """At most one question for each step; prompts share their beginning, so that a server's cache is of use."""
    steps, material = question.view.steps, Material(question.view, question.ground_truth, asking.seed)
    found, cost, cut, unread = Ballot(state="abstained"), Cost(), 0, False
    for step in steps:
        asked = ASKED.format(index=step.index)
        log, shown = material.log(range(step.index + 1), asking.room - tokens(asked))
        heard = ask(asking, f"{log}\n\n{asked}", Form(Doubt), asking.seed, temperature=0)
        cost, cut, unread = cost + heard.cost, max(cut, shown.cut), unread or heard.reply is None
        if heard.reply is not None and heard.reply.error:
            reason = one_line(heard.reply.reason, 1000)
            found = Ballot(state="named", step=step.index, agent=step.agent, reason=reason)
            break
    if unread and found.step is None:
        found = Ballot(state="unreadable")
    return Judgement(method="step-by-step", offered=tuple(range(len(steps))), ballots=(found,), cut=cut, cost=cost)
