"""Write the true edges of labelled runs of the agent world anew: `python scripts/write_world_edges.py [RUNS LABELS]`.

They follow from the construction, so no run is lived again and no other field of a label changes. Without arguments
the shipped files are taken.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from tracer.analyses.world_labels import edges_anew, read_labels
from tracer.collectors.ingest import read_recordings
from tracer.data.agent_runs import shipped
from tracer.files import write_whole


def main(runs: Path, path: Path) -> int:
    """Rewrite the file of labels, and say how many changed."""
    old = read_labels(path)
    new = edges_anew(read_recordings([runs])[0], old)
    changed = sum(one != other for one, other in zip(old, new, strict=True))
    write_whole(path, b"".join(orjson.dumps(each) + b"\n" for each in new))
    print(f"{path}: {changed} of {len(new)} labels changed")
    return 0


if __name__ == "__main__":
    given = [Path(each) for each in sys.argv[1:]] or list(shipped())
    sys.exit(main(*given) if len(given) == 2 else __doc__)
