"""From a stored run to a cause that was measured: the ranker first, a language model next, replay last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from tracer.drilling import Living, drilled
from tracer.errors import BadInputError, MissingExtraError
from tracer.explanation import Explanation, Options, explain
from tracer.judging import SAMPLES, Judged, Ways, judged, replayed
from tracer.lm import POCKET
from tracer.records import Recording, Run, Step
from tracer.store import Store

if TYPE_CHECKING:
    from tracer.analyses.replay_blame import Blamed, Check, Progress
    from tracer.replaying import Fork, Lived

Truth = Literal["outcome", "agreement"]


class Causal(NamedTuple):
    """What the user may set beside the usual options."""

    replayer: str | None = None
    """Who lives the run again; None: nobody."""
    budget: int | None = None
    """Forks at most."""
    truth: Truth = "outcome"
    """What a good end is: as the replayer or the expected answer says, or any other answer than the recorded one."""
    lm: str | None = None
    """A language model that reads the run; None: none does."""
    drill: bool = False
    """Go on inside the blamed step."""
    judge: bool = False
    """Let that model compare the ranker's candidates and vote, in place of reading the run from inside."""
    samples: int = SAMPLES
    """Votes of the judge."""
    fusion: Path | None = None
    """Weights of the tiers that `tracer train fusion` made."""
    white_box: Path | None = None
    """Weights of the model's signals; None: those that are shipped."""

    @property
    def asked(self) -> bool:
        """Whether there is anything beside the log to look at."""
        return bool(self.replayer or self.lm or self.drill or self.judge)


def explain_causally(
    path: Path, ref: str | None, options: Options, causal: Causal, progress: Progress | None = None
) -> Explanation:
    """Explain one run by as many tiers as are asked for; graph, forks and finding are kept in the store."""
    explained = explain(path, ref, options)
    if explained.finding.verdict == "no_failure":
        return explained
    living = _living(path, explained, options, causal) if causal.replayer else None
    if causal.judge:
        explained = _unmeasured(explained) if living else explained
        said = judged(explained, options, Ways(causal.lm, causal.samples, fusion=causal.fusion), progress)
        explained = explained._replace(finding=said.finding)
        if living:
            explained = _replayed(explained, living, options, said, progress)
    elif causal.lm:
        explained, sharpened = _read(explained, causal.lm, causal.white_box)
        if living:
            explained = _replayed(explained, living, options, sharpened, progress)
        else:
            explained = _sharpened(explained, sharpened, options.top)
    elif living:
        explained = _replayed(_unmeasured(explained), living, options, None, progress)
    if causal.drill:
        explained = drilled(explained, living, causal.lm or POCKET, progress)
    with Store.open(path) as store:
        store.save_graphs({explained.run.id: explained.edges})
        store.save_findings([explained.finding])
    return explained


def _unmeasured(explained: Explanation) -> Explanation:
    """Without the edges that were measured before: what is measured now takes their place."""
    return explained._replace(edges=[edge for edge in explained.edges if edge.origin != "measured"])


def _read(explained: Explanation, name: str, weights: Path | None) -> tuple[Explanation, list[float]]:
    """The same with the edges that hiding steps shows, and the white-box tier's probability of each step."""
    from tracer.lm import load_inside
    from tracer.lm.endpoint_address import is_address

    if is_address(name):
        raise MissingExtraError(
            "blame reads a model from inside unless it is a judge, and a server shows only what it writes: "
            "add --judge, or name a model in this process (--lm FOLDER)"
        )
    lm = load_inside(name, "The white-box tier of blame")
    from tracer.analyses.hiding import measured_edges
    from tracer.analyses.replay_blame import prior_of
    from tracer.analyses.step_signals import signals
    from tracer.analyses.white_box import Known, probabilities
    from tracer.analyses.white_box import load as read_weights

    model = read_weights(weights) if weights else None
    run, steps, edges, _ = explained = _unmeasured(explained)
    found = probabilities(Known(steps, signals(lm, steps), prior_of(run, steps, edges)[1]), model)
    return explained._replace(edges=[*edges, *measured_edges(lm, steps)]), found


def _sharpened(explained: Explanation, probability: Sequence[float], top: int) -> Explanation:
    from tracer.analyses.replay_blame import sharpened

    return explained._replace(finding=sharpened(explained.run, explained.steps, explained.edges, probability, top=top))


def _living(path: Path, explained: Explanation, options: Options, causal: Causal) -> Living:
    from tracer.analyses.replay import live
    from tracer.forking import setting_of
    from tracer.replaying import Lived, continues

    run, steps, *_ = explained
    if causal.truth == "outcome" and run.outcome == "unknown" and options.assume != "failed":
        raise BadInputError(
            f"how run {run.id} ended is not known, so no end can be called a better one: "
            f"`tracer mark {run.id} --failed`, or --truth agreement"
        )
    setting = setting_of(path, str(causal.replayer), Recording(run, tuple(steps)))

    def lived(forks: Sequence[Fork]) -> list[Lived]:
        found = live(setting, forks).recordings
        return [Lived(found[fork].steps, found[fork].run.outcome, found[fork].run.answer) for fork in forks]

    check = _check(run, steps, causal.truth)
    return Living(setting.name, lived, check, continues(setting.replayer), setting.stand_in, causal.budget)


def _replayed(
    explained: Explanation,
    living: Living,
    options: Options,
    before: Sequence[float] | Judged | None,
    progress: Progress | None,
) -> Explanation:
    """`before`: what the tiers before replay make of each step; None: only the ranker was asked."""
    from tracer.analyses.replay_blame import BUDGET, replay_blame
    from tracer.analyses.replay_blame import Ways as Search

    run, steps, edges, _ = explained
    told = replay_blame(
        run,
        steps,
        living.live,
        living.check,
        edges=[edge for edge in edges if edge.origin != "measured"],
        sharpened=before.posterior if isinstance(before, Judged) else before,
        ways=Search(budget=BUDGET if living.budget is None else living.budget, top=options.top),
        progress=progress,
    )
    if isinstance(before, Judged):
        told = told._replace(finding=replayed(before, told))
    return _with(explained, told, living.stand_in)


def _with(explained: Explanation, told: Blamed, stand_in: str | None) -> Explanation:
    """What living again measured is added; where a model's reading had measured the same edge, it is replaced."""
    lived = {(edge.source, edge.target) for edge in told.edges}
    kept = [e for e in explained.edges if e.origin != "measured" or (e.source, e.target) not in lived]
    finding = told.finding
    if stand_in:
        note = f"stand-in: {stand_in} spoke in the place of the system, so every figure tells of that model"
        finding = finding.model_copy(
            update={"basis_reason": note, "evidence": {**finding.evidence, "stand_in": stand_in}}
        )
    return explained._replace(edges=[*kept, *told.edges], finding=finding)


def _check(run: Run, steps: Sequence[Step], truth: Truth) -> Check:
    from tracer.analyses.replay_blame import differs, stated

    if truth == "outcome":
        return stated
    from tracer.answers import answer
    from tracer.equivalence import NONE, TRUNCATED

    said = run.answer or answer(steps[-1].content if steps else "")
    if said in {NONE, TRUNCATED}:
        raise BadInputError(f"run {run.id} holds no answer to compare with: leave out --truth agreement")
    return differs(said)
