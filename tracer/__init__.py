"""tracer: a multi-agent run failed. Which step broke it, who made that step, and how sure are we?

    import tracer

    tracer.ingest(["logs/"])
    found = tracer.blame()          # the last failed run
    found.finding.candidates[0]     # step, agent, probability, cues, path
    tracer.report(found, "report.html")

What the command line can do, one call here does. Everything heavy loads at the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from os import PathLike

    from tracer.anchor_options import Resampling
    from tracer.collectors.ingest import Ingested
    from tracer.collectors.receiver.app import Counts
    from tracer.collectors.receiver.server import Tell
    from tracer.explanation import Assumption, Explanation
    from tracer.fleet import Gate, Patterns
    from tracer.planting import Made
    from tracer.records import Anchors, Cited, Edge, Replayed, Run, Step
    from tracer.redaction import Redaction

    __version__: str

__all__ = [
    "__version__",
    "anchors",
    "blame",
    "cite",
    "collect",
    "dependency_graph",
    "gate",
    "ingest",
    "patterns",
    "replay",
    "report",
    "synthesise",
]


def _database(given: str | PathLike[str] | None) -> Path:
    """The database that is meant, as `tracer.config.database_path` finds it."""
    from tracer.config import database_path

    return database_path(Path(given) if given is not None else None)


def ingest(
    paths: Sequence[str | PathLike[str]],
    db: str | PathLike[str] | None = None,
    *,
    redact: Redaction | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ingested:
    """Read the logs under the paths into a database and say what was added, what each file holds, what was skipped.

    `db` is TRACER_DB or ./tracer.duckdb when not given; `redact`, a `tracer.redaction.Redaction()`, takes out secrets
    and personal data before anything is stored; `progress` is told each file, how many are done, how many there are. A
    database that did not exist is not left behind when nothing was read.
    """
    from tracer.collectors.ingest import ingest as load
    from tracer.database import remove
    from tracer.redaction import make_redactor
    from tracer.store import Store

    path = _database(db)
    redactor = make_redactor(path, redact) if redact else None
    is_new = not path.exists()
    with Store.open(path) as store:
        try:
            return load([Path(each) for each in paths], store, progress=progress, redactor=redactor)
        finally:
            if is_new and store.is_blank():  # removed while we hold it, so that nobody else can have written to it
                with suppress(OSError):
                    remove(path)


def collect(
    db: str | PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 4318,
    token: str | None = None,
    redact: Redaction | None = None,
    tell: Tell | None = None,
) -> Counts:
    """Receive OTLP over HTTP into a database until interrupted (Ctrl-C, or SIGTERM), and return what was received.

    `token` is needed when `host` can be reached from other machines; `redact` takes out secrets and personal data
    before anything is written; `tell` is told what happens: "listening", "imported", "trouble", "stopped", each with
    its figures. Needs the extra [serve].
    """
    from tracer.errors import MissingExtraError
    from tracer.redaction import make_redactor

    try:
        from tracer.collectors.receiver.server import Address
        from tracer.collectors.receiver.server import collect as receive
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("tracer"):
            raise
        raise MissingExtraError.for_extra("serve", "collecting from running agents") from error
    path = _database(db)
    redactor = make_redactor(path, redact) if redact else None
    return receive(path, Address(host, port), token, redactor.value if redactor else None, tell)


def blame(
    run: str | None = None,
    db: str | PathLike[str] | None = None,
    *,
    method: str = "ranker",
    assume: Assumption | None = None,
    top: int = 5,
    ranker: str | PathLike[str] | None = None,
    judge: str | None = None,
    samples: int = 5,
    fusion: str | PathLike[str] | None = None,
) -> Explanation:
    """Rank the steps that could have broken a run: its address, or the last failed one.

    `method` is a name in tracer.analyses.blame.METHODS; `assume` ("failed", "ok") overrides how the run ended; `top`
    bounds the candidates; `ranker` is a file that `tracer train ranker` made. `judge`, such as
    "http://127.0.0.1:8000/v1#MODEL", lets a chat model compare the candidates `samples` times; `fusion` is a file that
    `tracer train fusion` made. Graph and finding are kept in the store.
    """
    from tracer.causal_blame import Causal, explain_causally
    from tracer.explanation import Options, explain

    path = _database(db)
    options = Options(method, assume, top, Path(ranker) if ranker is not None else None)
    if judge is None:
        return explain(path, run, options)
    weights = Path(fusion) if fusion is not None else None
    return explain_causally(path, run, options, Causal(lm=judge, judge=True, samples=samples, fusion=weights))


def dependency_graph(
    run: str = "@last", db: str | PathLike[str] | None = None
) -> tuple[Run, Sequence[Step], Sequence[Edge]]:
    """A run, its steps, and the edges of its information dependency graph.

    Not called `graph`: importing the module tracer.graph would put the module in its place.
    """
    from tracer.explanation import graph as graph_of

    return graph_of(_database(db), run)


def report(
    of: Explanation | str | Sequence[str] | None = None,
    file: str | PathLike[str] = "report.html",
    db: str | PathLike[str] | None = None,
    *,
    every: bool = False,
    medium: Literal["html", "markdown"] = "html",
    method: str = "ranker",
    assume: Assumption | None = None,
    top: int = 5,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Write a report as one file, self-contained HTML or Markdown, and return its path.

    `of` is what `tracer.blame` returned, a run's address, two addresses to compare, or nothing for the last failed run;
    `every` reports all runs as a list. What `tracer anchors` found in the reasoning of a run is in its report.
    """
    from tracer.document import document, kind_of
    from tracer.explanation import Explanation, Options
    from tracer.files import require_file, write_whole
    from tracer.reporting import report_all, report_explained, report_runs

    goal, path = Path(file), _database(db)
    require_file(goal, "report.html")
    options = Options(method, assume, top)
    if every:
        found = report_all(path, options, progress)
    elif isinstance(of, Explanation):
        found = [report_explained(path, of)]
    else:
        found = report_runs(path, [of] if isinstance(of, str) else of or (), options)
    return write_whole(goal, document(found, kind_of(found, every=every), medium).encode())


def anchors(
    of: str = "@last",
    db: str | PathLike[str] | None = None,
    *,
    method: str = "suppress",
    lm: str = "pocket",
    device: str | None = None,
    dtype: str | None = None,
    resampling: Resampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Anchors:
    """The thought anchors of a chain of thought: the sentences that the rest of it hangs on.

    `of` is a run, a step (`"@last:3"`), or a file with a chain of thought; `method` a name in
    tracer.analyses.methods.METHODS; `lm` a model on this machine or the address of a server, as in `--lm`;
    `resampling` sets how many rollouts are drawn, and how. Needs the extra [lm], or [endpoint] for a server.
    """
    from tracer.anchor_options import Options, Resampling
    from tracer.anchoring import anchor

    options = Options(method, lm, device, dtype, resampling or Resampling())
    return anchor(of, _database(db), options, progress)


def cite(
    run: str,
    step: int,
    db: str | PathLike[str] | None = None,
    *,
    method: str = "leave-one-out",
    lm: str = "pocket",
    span: str | None = None,
    by: Literal["step", "sentence"] = "step",
    add: bool = False,
    device: str | None = None,
    dtype: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Cited:
    """Which earlier steps, or sentences, led to what a step says, and what nothing accounts for.

    `method` is a name in tracer.analyses.citing.METHODS; `span` asks about these words of the step only; `add` puts
    what was measured into the run's graph. Needs the extra [lm], or [endpoint] for a server; `reuse` needs neither.
    """
    from tracer.citation import Options
    from tracer.citation import cite as cited

    options = Options(method, lm, device, dtype, span, by, add)
    return cited(_database(db), run, step, options, progress)


def patterns(
    runs: Sequence[str] = (),
    db: str | PathLike[str] | None = None,
    *,
    measure: str = "ochiai",
    progress: Callable[[str, int, int], None] | None = None,
) -> Patterns:
    """What failed runs have in common that successful ones have not, and where they broke: of `runs`, or of all.

    `measure` is a name in tracer.stats.MEASURES. Runs whose outcome nobody states are left out and counted.
    """
    from tracer.patterning import patterns as found_in

    return found_in(_database(db), runs, measure, progress=progress)


def gate(
    paths: Sequence[str | PathLike[str]],
    *,
    above: float = 0.5,
    baseline: str | PathLike[str] | None = None,
    write_baseline: str | PathLike[str] | None = None,
    assume: Assumption | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Gate:
    """Whether logs may pass: no failed run blamed with more than `above`, and nothing worse than in the `baseline`.

    `assume` says how runs ended whose logs do not. No database of yours is read or changed.
    """
    from tracer.gating import Options
    from tracer.gating import gate as judged

    before, after = (Path(each) if each is not None else None for each in (baseline, write_baseline))
    return judged([Path(each) for each in paths], Options(above, before, after, assume), progress)


def replay(
    run: str,
    at: int,
    replayer: str,
    db: str | PathLike[str] | None = None,
    *,
    edit: str | PathLike[str] | None = None,
    correct: bool = False,
    forks: int | None = None,
    compare: bool = True,
    margin: float | None = None,
    budget: int | None = None,
    budget_tokens: int | None = None,
    revision: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Replayed:
    """Change step `at` of a run, let everything after it happen again, and say whether that changes how it ends.

    `replayer` is `module:function` or the name of another one (`tracer.replaying`). The step is said anew unless `edit`
    names a file with what it says instead, or `correct` asks the replayer for that. `forks` are lived with the change
    and, if `compare`, as many without it; each is kept as a run, and none is lived twice with the same `revision`.
    """
    from tracer.forking import Options
    from tracer.forking import replay as replayed

    file = Path(edit) if edit is not None else None
    options = Options(replayer, file, correct, forks, compare, margin, budget, budget_tokens, revision)
    return replayed(_database(db), run, at, options, progress)


def synthesise(
    replayer: str,
    folder: str | PathLike[str],
    runs: Sequence[str] = (),
    db: str | PathLike[str] | None = None,
    *,
    n: int = 10,
    faults: Sequence[str] = (),
    seed: int = 0,
    forks: int | None = None,
    margin: float | None = None,
    budget: int | None = None,
    budget_tokens: int | None = None,
    revision: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Made:
    """Plant faults in successful runs until n of them fail of it, and write those runs into a folder, labelled.

    Without `runs`, all that are known to have succeeded. `faults` are names in tracer.analyses.faults.FAULTS, all when
    none is given. The folder holds them in the form of Who&When, beside runs that survived their fault.
    """
    from tracer.planting import Options
    from tracer.planting import synthesise as planted

    options = Options(replayer, n, tuple(faults), seed, forks, margin, budget, budget_tokens, revision)
    return planted(_database(db), runs, Path(folder), options, progress)


def __getattr__(name: str) -> str:
    """The version of the installed distribution, looked up when asked for."""
    if name != "__version__":
        raise AttributeError(f"module 'tracer' has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("blametrace")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"
