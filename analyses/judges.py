"""Every way to ask a language model which step broke a run: the judge, and the three protocols of Who&When."""

from __future__ import annotations

from collections.abc import Callable

from tracer.analyses.all_at_once import all_at_once
from tracer.analyses.binary_search import binary_search
from tracer.analyses.interview import Asking
from tracer.analyses.judge import Question, judge
from tracer.analyses.judgement import Judgement
from tracer.analyses.step_by_step import step_by_step

Judging = Callable[[Asking, Question], Judgement]

JUDGES: dict[str, Judging] = {
    "judge": judge,
    "all-at-once": all_at_once,
    "step-by-step": step_by_step,
    "binary-search": binary_search,
}
"""Each with and without the right answer, which stands in the question."""
RANKED = frozenset({"judge"})
"""Those that look only at what the ranker puts first: a ranker that knows the labels would tell them."""
