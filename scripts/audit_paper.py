"""Print how far the published figures of Thought Anchors are reproduced: `python scripts/audit_paper.py DIR`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tracer.analyses.bench_paper import audit
from tracer.errors import TracerError


def tables(found: dict[str, Any]) -> list[Table]:
    """The figures that are computed again, then what the others are held against."""
    fields = Table(
        "figure", "n", "exact", "tolerance", "reproduced", "explained", "unexplained", "largest unexplained",
        title=f"{found['traces']} traces, {found['sentences']} sentences, encoder {found['encoder']}",
    )  # fmt: skip
    for name, row in found["fields"].items():
        explained = ", ".join(f"{rule} {count}" for rule, count in row["explained"].items()) or "-"
        cells = [row["n"], row["exact"], row["tolerance"], row["reproduced"], explained, row["unexplained"]]
        fields.add_row(name, *map(str, cells), f"{row['largest_unexplained']:.3g}")
    implied = Table("figure", "n", "consistent", title="figures whose rollouts are not published: are they possible?")
    for name, row in found["consistent"].items():
        implied.add_row(name, str(row["n"]), str(row["consistent"]))
    deviations = Table("figure", "trace", "sentence", "stored", "computed", "rule", "detail", title="deviations")
    for name, row in found["fields"].items():
        for each in row["deviations"]:
            values = [v if isinstance(v, str) else f"{v:.6g}" for v in (each["stored"], each["computed"])]
            rule = each["rule"] or ("within tolerance" if each["deviation"] <= row["tolerance"] else "unexplained")
            deviations.add_row(name, each["trace"], str(each["sentence"]), *values, rule, each["detail"])
    return [fields, implied, deviations]


def main() -> int:
    """One folder."""
    if len(sys.argv) != 2:
        print("usage: python scripts/audit_paper.py DIR", file=sys.stderr)
        return 2
    try:
        found = audit(Path(sys.argv[1]))
    except TracerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    console = Console(markup=False)
    for table in tables(found):
        console.print(table)
    for rule, meaning in found["rules"].items():
        console.print(f"{rule}: {meaning}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
