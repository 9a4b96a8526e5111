"""What leave-one-out costs on a run of 200 steps, against plain forward work on the suffixes."""

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.citing import leave_one_out
from tracer.analyses.reading import Reading
from tracer.analyses.statement import Hearing, statement
from tracer.lm.local import LocalLM
from tracer.records import Step

STEPS = 200
MOST = 1.2
"""Of the tokens behind each source, summed over the sources."""


def test_leave_one_out_reads_no_more_than_the_suffixes(tiny_lm: Callable[..., LocalLM]) -> None:
    """199 sources; the suffix of a source is what follows it, up to and with the step that is asked about.

    Counted by hand: the whole text once, then for each source the tokens behind it.
    """
    lm = tiny_lm("llama", "bytes", max_position_embeddings=32_768)
    steps = [Step(index=k, agent=f"A{k % 7}", kind="message", content=f"{k}.") for k in range(STEPS)]
    reading = Reading(lm, statement(steps, STEPS - 1, Hearing(public=True, own=True)))
    ids = reading.text.ids
    before = reading.read
    found = leave_one_out(reading, [np.ones(len(ids) - reading.text.told, dtype=np.bool_)])
    suffixes = sum(len(ids) - end for _, end in reading.text.parts[: reading.count])
    ratio = (reading.read - before) / suffixes
    print(f"{reading.count} sources, {len(ids)} tokens: {reading.read - before} read, {ratio:.3f} of the suffixes")
    assert (found.rows, reading.count) == (STEPS - 1, STEPS - 1)
    assert ratio <= MOST
