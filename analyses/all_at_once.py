"""All-at-Once (Who&When, arXiv 2505.00212, section 4.1): the whole log in one prompt, one answer.

Unlike the published prompt ours numbers the steps; without numbers a model has to count them. Edge case: where the log
is longer than the model's window, its steps are cut, never dropped, and the cut is counted.
"""

from __future__ import annotations

from tracer.analyses.excerpts import tokens
from tracer.analyses.interview import Asking, ask
from tracer.analyses.judge import QUOTES, Question, ballot, choice_form
from tracer.analyses.judgement import Judgement
from tracer.analyses.material import Material

ASKED = f"""\
Which step broke the run?

Answer with one JSON object and nothing else: "reason" (what went wrong there and why no earlier step is it), "quotes" \
(up to {QUOTES} short passages, copied letter for letter from the step that you name), "step" (its number), "agent" \
(who speaks there), "confidence" (0 to 1), "abstain" (true, with "step" null, if the log does not tell)."""


def all_at_once(asking: Asking, question: Question) -> Judgement:
    """One ballot, drawn at temperature 0."""
    steps, material = question.view.steps, Material(question.view, question.ground_truth, asking.seed)
    every = range(len(steps))
    log, shown = material.log(every, asking.room - tokens(ASKED))
    heard = ask(asking, f"{log}\n\n{ASKED}", choice_form(every), asking.seed, temperature=0)
    return Judgement(
        method="all-at-once",
        offered=tuple(every),
        ballots=(ballot(heard.reply, steps),),
        cut=shown.cut,
        cost=heard.cost,
    )
