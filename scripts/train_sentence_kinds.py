"""Fit the sentence kinds to published labels and print the agreement: `python scripts/train_sentence_kinds.py DIR`.

With a second argument the weights are written there; without one nothing is.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tracer.analyses.published import traces
from tracer.analyses.sentence_kinds import KindModel
from tracer.analyses.train_sentence_kinds import train
from tracer.errors import TracerError


def table(model: KindModel, by: str) -> Table:
    """The agreement, kind by kind."""
    found = model.training[by]
    accuracy = f"accuracy {found['accuracy']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
    made = Table(
        "kind", "n", "precision", "recall", "F1",
        title=f"held out {by}: {accuracy}, kappa {found['kappa']:.3f}, macro F1 {found['macro_f1']:.3f}; "
        f"most frequent kind {found['majority']['accuracy']:.3f}, kappa {found['majority']['kappa']:.3f}",
    )  # fmt: skip
    for kind, row in found["kinds"].items():
        made.add_row(kind, str(row["n"]), *(f"{row[key]:.2f}" for key in ("precision", "recall", "f1")))
    return made


def main() -> int:
    """One folder, and where to write."""
    if len(sys.argv) not in {2, 3}:
        print("usage: python scripts/train_sentence_kinds.py DIR [WEIGHTS.json]", file=sys.stderr)
        return 2
    try:
        model = train(traces(Path(sys.argv[1])))
    except TracerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for by in ("by_trace", "by_problem"):
        Console(markup=False).print(table(model, by))
    if len(sys.argv) == 3:
        Path(sys.argv[2]).write_text(model.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
