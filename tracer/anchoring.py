"""From a target to its anchors: find the chain of thought, ask a model, keep the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tracer.anchor_options import ALL, DEFAULTS, Announce, Options, Progress
from tracer.chain import Chain, of_step
from tracer.errors import BadInputError, TracerError
from tracer.lm import load
from tracer.records import Anchors, Recording
from tracer.store import Store

if TYPE_CHECKING:
    from tracer.analyses.methods import Asked, Method


def anchor(target: str, database: Path, options: Options = DEFAULTS, progress: Progress | None = None) -> Anchors:
    """The anchors of a run's or a file's chain of thought, from the store where they were asked for before.

    The answer is kept when there is a database; a file alone makes none, unless rollouts are drawn.
    """
    return anchor_all(target, database, options, progress)[0]


def anchor_all(
    target: str,
    database: Path,
    options: Options = DEFAULTS,
    progress: Progress | None = None,
    announce: Announce | None = None,
) -> list[Anchors]:
    """The same by the method that is asked for, or by each; `announce` is told what resampling will take."""
    chain = chain_of(target, database)
    model = load(options.lm, device=options.device, dtype=options.dtype)
    from tracer.analyses.methods import METHODS, Asked

    if options.method not in {*METHODS, ALL}:
        raise TracerError(f"no method {options.method!r}; there are: {', '.join([*METHODS, ALL])}")
    asked = Asked(model, chain, options, database, progress, announce)
    return [_answer(asked, name, METHODS[name]) for name in (METHODS if options.method == ALL else [options.method])]


def _answer(asked: Asked, name: str, method: Method) -> Anchors:
    lm, chain, database = asked.lm, asked.chain, asked.database
    parameters = method.parameters(asked)
    if database.exists():
        with Store.open(database, read_only=True) as store:
            held = store.anchors(chain.digest, name, lm.name, lm.revision, parameters)
        if held is not None:
            return held.model_copy(update={"target": chain.source})
    found = method.find(asked, parameters)
    if database.exists():
        with Store.open(database) as store:
            store.save_anchors(found)
    return found


def chain_of(target: str, database: Path) -> Chain:
    """A file with a chain of thought, else an address RUN or RUN:STEP."""
    path = Path(target)
    if path.exists():
        return _of_file(path)
    run, _, step = target.partition(":")
    if step and not (step.isascii() and step.isdigit() and len(step) < 10):
        raise BadInputError(f"{target!r} is neither a file nor an address such as @last or @last:3")
    with Store.open(database, read_only=True) as store:
        found = store.run(run)
        steps = store.steps(found.id)
    return of_step(found, steps, int(step) if step else None)


def _of_file(path: Path) -> Chain:
    """The last readable reasoning in a log; a plain text is a chain of thought as it stands."""
    from tracer.collectors.container import open_containers
    from tracer.collectors.ingest import read_recordings

    recordings, skipped = read_recordings([path])
    held = [recording for recording in recordings if _reasons(recording)]
    if held:
        chain = of_step(held[-1].run, held[-1].steps)
        return chain._replace(source=f"{path}:{chain.source.partition(':')[2]}")
    if recordings:
        of_step(recordings[-1].run, recordings[-1].steps)  # says why there is nothing to read
    containers = open_containers(path) if path.is_file() else []
    if len(containers) == 1 and containers[0].kind == "text":
        return Chain("", containers[0].text, str(path))
    raise BadInputError(skipped[0].reason if skipped else f"{path}: no chain of thought in it")


def _reasons(recording: Recording) -> bool:
    return any(step.reasoning and step.reasoning.strip() for step in recording.steps)
