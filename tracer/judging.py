"""From a stored run to what a judge makes of it: the ranker's candidates, a chat model's votes, and both in one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracer.config import named_model
from tracer.errors import MissingExtraError, TracerError
from tracer.explanation import Explanation, Options, Progress, read_file
from tracer.lm import Chat, load
from tracer.records import Finding

if TYPE_CHECKING:
    from tracer.analyses.replay_blame import Blamed
    from tracer.lm.endpoint import Endpoint

SAMPLES = 5


class Ways(NamedTuple):
    """How the judge is asked."""

    lm: str | None
    """URL#MODEL."""
    samples: int = SAMPLES
    seed: int = 0
    fusion: Path | None = None
    """Weights that `tracer train fusion` made, in place of the prior ones."""


class Judged(NamedTuple):
    """A finding, and the posterior of every step behind it."""

    finding: Finding
    posterior: list[float]


@contextmanager
def chat_model(name: str | None) -> Iterator[Chat]:
    """The chat model of an address, else of TRACER_LM, until the block ends; a model in this process is none."""
    from tracer.lm.endpoint_address import is_address

    name = name or named_model()
    if name is None or not is_address(name):
        raise MissingExtraError(
            "the judge is a chat model behind a server: --lm http://HOST:PORT/v1#MODEL; "
            "a model in this process reads a run without --judge"
        )
    found: Endpoint = load(name)  # type: ignore[assignment]
    try:
        yield found
    finally:
        found.close()


def judged(explained: Explanation, options: Options, ways: Ways, progress: Progress | None = None) -> Judged:
    """Ask, and pool what is said with what the ranker knows."""
    if options.method != "ranker":
        raise TracerError(f"the judge compares what the ranker proposes: leave out --method {options.method}")
    from tracer.analyses.fusion import PRIOR, fuse, judge_evidence, known, load, pool, voted
    from tracer.analyses.interview import Asking
    from tracer.analyses.judge import Question, judge
    from tracer.analyses.ranker import load as load_ranker
    from tracer.analyses.ranker import shipped
    from tracer.analyses.view import View

    fusion = load(*read_file(ways.fusion)) if ways.fusion else PRIOR
    model = load_ranker(*read_file(options.ranker)) if options.ranker else shipped()
    run, steps, edges, finding = explained
    about = known(run, steps, edges, finding, model)
    told = (lambda done, total: progress("judging", done, total)) if progress else None
    with chat_model(ways.lm) as lm:
        asking = Asking(lm, samples=ways.samples, seed=ways.seed, progress=told)
        judgement = judge(asking, Question(View(steps, run.task, edges), dict(enumerate(about.prior))))
    tier = voted(judgement, sorted(range(len(steps)), key=lambda i: -about.prior[i]))
    found = fuse(about, [tier], fusion, options.top, model=(lm.name, lm.revision))
    evidence = {**found.evidence, "judge": judge_evidence(judgement, lm.name, lm.revision)}
    parameters = {**found.parameters, "lm": lm.name, "samples": ways.samples, "seed": ways.seed}
    return Judged(
        found.model_copy(update={"evidence": evidence, "parameters": parameters}),
        pool(about.prior, [tier], fusion.weights),
    )


def replayed(before: Judged, told: Blamed) -> Finding:
    """The finding of a replay whose prior was the judge's: the tiers of both."""
    from tracer.analyses.fusion import moved

    finding, tier = told.finding, moved("replay", told.found.posterior, before.posterior)
    gave = [{"step": each.step, "nats": round(tier.ratio[each.step], 4)} for each in finding.candidates]
    row = {"tier": "replay", "step": tier.step, "probability": round(tier.figure, 4), "weight": 1.0, "gave": gave}
    kept = before.finding.evidence
    return finding.model_copy(
        update={"evidence": {**finding.evidence, "judge": kept["judge"], "tiers": [*kept["tiers"], row]}}
    )
