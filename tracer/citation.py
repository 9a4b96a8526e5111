"""From an address to the sources of a step: read the run, ask a model, keep the answer, add edges where asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracer.errors import MissingExtraError, NoSuchRunError, TracerError, UnknownTextError
from tracer.lm import POCKET
from tracer.records import Cited, Edge
from tracer.store import Store

if TYPE_CHECKING:
    from tracer.analyses.cite import Question
    from tracer.lm.echoed import Echoed
    from tracer.lm.local import LocalLM

Progress = Callable[[str, int, int], None]
UNITS = ("step", "sentence")


class Options(NamedTuple):
    """What the user may set."""

    method: str = "leave-one-out"
    lm: str = POCKET
    device: str | None = None
    dtype: str | None = None
    span: str | None = None
    by: str = "step"
    add: bool = False


DEFAULTS = Options()


def cite(path: Path, run_ref: str, step: int, options: Options = DEFAULTS, progress: Progress | None = None) -> Cited:
    """The sources of a step, from the store where the same was asked before."""
    from tracer.analyses.citing import METHODS
    from tracer.explanation import graph

    if options.method not in METHODS:
        raise TracerError(f"no method {options.method!r}; there are: {', '.join(METHODS)}")
    if options.by not in UNITS:
        raise TracerError(f"--by {options.by}: sources are taken by {' or by '.join(UNITS)}")
    run, steps, edges = graph(path, run_ref)
    if step >= len(steps):
        raise NoSuchRunError(f"run {run.id} has no step {step}: its last is {len(steps) - 1}")
    measured = METHODS[options.method].score is not None
    lm = _model(options) if measured else None
    parameters = METHODS[options.method].parameters | {
        "span": options.span,
        "by": options.by,
        "dtype": _dtype(lm),
    }
    with Store.open(path, read_only=True) as store:
        found = store.citation(run.id, step, options.method, lm.revision if lm else None, parameters)
    if found is None:
        from tracer.analyses.cite import Question

        asked = Question(run, steps, step, options.method, options.by, options.span)  # type: ignore[arg-type]
        found = _found(lm, asked, edges, progress).model_copy(update={"parameters": parameters})
        with Store.open(path) as store:
            store.save_citation(found)
    if options.add:
        _add(path, found, edges)
    return found


def _found(lm: LocalLM | Echoed | None, asked: Question, edges: Sequence[Edge], progress: Progress | None) -> Cited:
    from tracer.analyses import cite as measuring

    if lm is None:
        return measuring.cite_reuse(asked, edges)
    try:
        return measuring.cite(lm, asked, progress)
    except UnknownTextError as error:
        raise UnknownTextError(f"{error}, or --method reuse, which needs none") from error


def _dtype(lm: LocalLM | Echoed | None) -> str | None:
    """Of a model in this process; a server does not tell its own."""
    model = getattr(lm, "model", None)
    return str(model.dtype).removeprefix("torch.") if model is not None else None


def _model(options: Options) -> LocalLM | Echoed:
    """The model: log-probabilities of given words are needed, which some servers give, too."""
    from tracer.lm import load_inside, load_served
    from tracer.lm.endpoint_address import is_address

    if not is_address(options.lm):
        return load_inside(options.lm, "tracer cite", device=options.device, dtype=options.dtype)
    endpoint = load_served(options.lm)
    lacking = endpoint.server["echo"]
    if not lacking.has:
        raise MissingExtraError(
            f"--method {options.method} needs log-probabilities of given words (echo with logprobs), and "
            f"{endpoint.where} gives none ({lacking.found}): use vLLM or SGLang, a model in this process "
            "(--lm FOLDER), or --method reuse, which needs none"
        )
    from tracer.lm.echoed import Echoed

    return Echoed(endpoint)


def _add(path: Path, found: Cited, edges: Sequence[Edge]) -> None:
    """Put what was measured into the graph, in the place of what was cited between the same steps before."""
    from tracer.analyses.cite import edges_of

    if found.model is None:
        raise TracerError("--add keeps what was measured, and --method reuse measures nothing: take another method")
    new = edges_of(found)
    kept: list[Edge] = [
        edge
        for edge in edges
        if not (edge.target == found.step and edge.origin == "measured" and edge.reason.startswith("cited:"))
    ]
    with Store.open(path) as store:
        store.save_edges(found.run, sorted([*kept, *new], key=lambda edge: (edge.target, edge.source, edge.origin)))
