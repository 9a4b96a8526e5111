"""Inside the blamed step: from a finding to the sentence, and one path from it to the symptom.

Where the run can be lived again from inside the step, the sentence is the one that costs the run. Where it cannot, a
language model rewrites the step, and the sentence is the one behind which it comes to say what it said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tracer.errors import BadInputError, TracerError
from tracer.explanation import Explanation
from tracer.records import PathStep, Step
from tracer.stats.proportions import Estimate

if TYPE_CHECKING:
    from tracer.analyses.drill import Drilled
    from tracer.analyses.replay_blame import Check, Progress
    from tracer.replaying import Fork, Lived


class Living(NamedTuple):
    """Who lives a run again, and what counts as a good end."""

    replayer: str
    """As the user names it."""
    live: Callable[[Sequence[Fork]], list[Lived]]
    """What was lived before comes from the store."""
    check: Check
    continues: bool
    """Whether it can go on from inside a step."""
    stand_in: str | None
    budget: int | None
    """Forks at most; None: as many as usual."""


def drilled(explained: Explanation, living: Living | None, model: str, progress: Progress | None = None) -> Explanation:
    """The finding with what happened inside its first candidate; what stands in the way of that is told in words."""
    finding = explained.finding
    if not finding.candidates:
        return explained
    first = finding.candidates[0]
    try:
        told = _told(explained.steps, first.step, living, model, progress)
    except BadInputError as error:
        told = {"words": str(error)}
    path = [*told.pop("path", ()), *(link.model_dump() for link in first.path)]
    evidence = {**finding.evidence, "drill": {**told, "step": first.step, "path": path}}
    return explained._replace(finding=finding.model_copy(update={"evidence": evidence}))


def _told(
    steps: Sequence[Step], index: int, living: Living | None, model: str, progress: Progress | None
) -> dict[str, Any]:
    if living and living.continues:
        return _lived(steps, index, living, progress)
    if living is None:
        return _rewritten(steps, index, model)
    why = f"{living.replayer} cannot go on from inside a step (a parameter `begun` would let it)"
    try:
        told = _rewritten(steps, index, model)
    except TracerError as error:  # the step was measured: that is not lost because no model can read it
        return {"words": f"{why}, and no model rewrote it: {error}"}
    return told | {"words": f"{told['words']}; {why}, so nothing was lived again for this"}


def _lived(steps: Sequence[Step], index: int, living: Living, progress: Progress | None) -> dict[str, Any]:
    from tracer.analyses.drill import BUDGET, drill

    found = drill(steps, index, living.live, living.check, BUDGET if living.budget is None else living.budget, progress)
    told = {
        "way": "replay",
        "where": found.where,
        "sentence": found.sentence,
        "sure": found.sure,
        "probability": round(found.probability, 4),
        "fall": _numbers(found.fall),
        "counts": [list(count) for count in found.counts],
        "forks": found.forks,
        "words": _in_words(found, index),
        "path": [],
    }
    if found.sentence is None:
        return told
    return told | _place(steps[index], found.start, found.end, found.text)


def _in_words(found: Drilled, index: int) -> str:
    from tracer.viz.wording import percent

    costs = f"costs {_interval(found.fall)} of the success rate"
    forks = f"{percent(found.probability)} sure, {found.forks} forks"
    words = {
        "sentence": f"sentence {found.sentence}, “{found.text}”, {costs}",
        "said": f"no sentence of step {index} costs the run as much as what it says then: that {costs}",
        "later": f"nothing inside step {index} costs the run as much as what comes after it",
    }[found.where]
    if found.sure:
        return f"{words} ({forks})"
    if found.state == "diffuse":
        return f"no place inside step {index} stands out: {words}, the largest fall there is ({found.forks} forks)"
    n = len(found.counts) - 2
    other = f"sentence {found.rival}" if found.rival < n else "what it says" if found.rival == n else "what comes later"
    more = f"about {2 * found.forks} forks (`--budget {2 * found.forks}`) would settle it"
    return f"{words} ({forks}); or {other} does ({percent(found.rival_probability)}): {more}"


def _rewritten(steps: Sequence[Step], index: int, name: str) -> dict[str, Any]:
    from tracer.lm import load_inside

    lm = load_inside(name, "--drill without a replayer")
    from tracer.analyses.drill_rewriting import rewriting

    found = rewriting(lm, steps, index)
    moves = f"moves P(it says what it said) by {_interval(found.rise, '+')}, says {lm.name}"
    told: dict[str, Any] = {"way": "rewriting", "sentence": found.sentence, "rise": _numbers(found.rise)}
    if found.sentence is None:
        words = f"no sentence of step {index} decides what it says: only saying it {moves}"
        return told | {"words": words, "path": []}
    place = _place(steps[index], found.start, found.end, found.text)
    return told | place | {"words": f"sentence {found.sentence}, “{found.text}”, {moves}"}


def _place(step: Step, start: int, end: int, text: str) -> dict[str, Any]:
    link = PathStep(step=step.index, agent=step.agent, text=text)
    return {"start": start, "end": end, "text": text, "path": [link.model_dump()]}


def _interval(found: Estimate, sign: str = "") -> str:
    return f"{found.value:{sign}.2f} [{found.low:{sign}.2f}, {found.high:{sign}.2f}]"


def _numbers(found: Estimate) -> list[float]:
    return [*(round(each, 4) for each in found[:3]), found.n]
