"""From logs to whether they may pass: on a throw-away database, so that nobody's own is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tracer.baseline import Baseline
from tracer.errors import TRIED, BadInputError, TracerError
from tracer.explanation import DEFAULTS, Assumption, Explanation, Progress, explain_held
from tracer.files import require_file
from tracer.fleet import Blamed, Gate
from tracer.patterning import DEFAULT, Fleet, compare, gather
from tracer.records import Outcome
from tracer.store import Mark, Store

_OUTCOMES: dict[Assumption, Outcome] = {"failed": "failure", "ok": "success"}


class Options(NamedTuple):
    """What the user may set about a gate."""

    limit: float = 0.5
    """A failure that is blamed with a probability above it does not pass."""
    baseline: Path | None = None
    """What to compare with."""
    keep: Path | None = None
    """Where to write the counts of these logs, as a baseline for later ones."""
    assume: Assumption | None = None
    """How runs are taken to have ended of which the log does not say it."""


def gate(paths: Sequence[Path], options: Options = Options(), progress: Progress | None = None) -> Gate:  # noqa: B008
    """Read the logs, blame the runs that failed, and compare with a baseline.

    Raises BadInputError where no log can be read, or the baseline cannot; what else is wrong with a file is told in
    `skipped`. A baseline is written after the comparison, whatever came of it.
    """
    if not 0 <= options.limit <= 1:
        raise TracerError(f"--above is a probability from 0 to 1, and {options.limit:g} is none")
    if options.keep:
        require_file(options.keep, "baseline.json")
    before = Baseline.load(options.baseline) if options.baseline else None
    with TemporaryDirectory(prefix="tracer-gate-") as folder:
        db = Path(folder) / "gate.duckdb"
        skipped = _load(paths, db, options.assume, progress)
        fleet = gather(db)
        if not fleet.spectra and not fleet.unknown:
            raise BadInputError("the logs hold no run: there is nothing to judge")
        explained = explain_held(db, fleet.failed, DEFAULTS, progress)
    return _judged(fleet, explained, options, before, skipped)


def _load(
    paths: Sequence[Path], db: Path, assume: Assumption | None, progress: Progress | None
) -> tuple[tuple[str, str], ...]:
    """Read the logs into the database, and return what could not be read."""
    from tracer.collectors.ingest import ingest

    with Store.open(db) as store:
        result = ingest(paths, store, progress=progress)
        if not result.sources:
            raise BadInputError(_why_nothing([(each.source, each.reason) for each in result.skipped]))
        if assume:
            unknown = [run.id for run in store.runs() if run.outcome == "unknown"]
            store.mark_all([Mark(run, _OUTCOMES[assume]) for run in unknown])
    return tuple((each.source, each.reason) for each in result.skipped)


def _why_nothing(skipped: Sequence[tuple[str, str]]) -> str:
    from tracer.collectors.ingest import refusal

    if len(skipped) < 2:
        return refusal(skipped)
    reasons = Counter(reason.partition(TRIED)[0] for _, reason in skipped)
    told = "; ".join(f"{number:,} × {reason}" for reason, number in reasons.most_common(3))
    return f"{refusal(skipped)} ({told})"


def _judged(
    fleet: Fleet, explained: Sequence[Explanation], options: Options, before: Baseline | None,
    skipped: tuple[tuple[str, str], ...],
) -> Gate:  # fmt: skip
    from tracer.analyses import gate as comparing

    failed = {each.run.id for each in explained}
    spectra, fails = list(fleet.spectra.values()), [run in failed for run in fleet.spectra]
    causes = compare(fleet, explained, DEFAULT, DEFAULTS.method).causes if explained else ()
    now = comparing.summary(spectra, fails, causes)
    compared, worse = comparing.compare(now, before, spectra, fails) if before else (None, [])
    if options.keep:
        now.save(options.keep)
    failures = tuple(_blamed(each, options.limit) for each in explained)
    return Gate(
        passed=not worse and not any(each.above for each in failures),
        runs=len(spectra) + fleet.unknown,
        failed=len(failed),
        succeeded=len(spectra) - len(failed),
        unknown=fleet.unknown,
        limit=options.limit,
        failures=failures,
        compared=compared,
        worse=tuple(worse),
        skipped=skipped,
    )


def _blamed(explained: Explanation, limit: float) -> Blamed:
    run, _, _, finding = explained
    first = finding.candidates[0] if finding.candidates else None
    probability = first.probability if first else None
    return Blamed(
        run=run.id,
        source=run.source,
        task=run.task,
        outcome=run.outcome,
        outcome_source=run.outcome_source,
        verdict=finding.verdict,
        step=first.step if first else None,
        agent=first.agent if first else None,
        probability=probability,
        basis=finding.probability_basis,
        why=first.cues if first else (),
        above=probability is not None and probability > limit,
    )
