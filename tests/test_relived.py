"""The run of the demo whose cause is known: chosen by a rule, lived again, told beside its label."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from tracer.analyses.world_labels import read_labels
from tracer.data.agent_runs import shipped
from tracer.relived import relived, words


def test_the_first_run_with_a_labelled_sentence_is_lived_again() -> None:
    """What replay found stands beside what the label says, whether they agree or not."""
    shown = relived()
    labels = read_labels(shipped()[1])
    first = next(each for each in labels if each["sentence"] is not None and each["kind"] == "agent")
    assert shown.recording.run.id == first["run"]
    assert shown.labelled == len(labels) == 40
    lines = words(shown).splitlines()
    assert f"step {shown.finding.candidates[0].step} · " in lines[2]
    assert f"step {first['step']} · {first['agent']}: the success rate falls from " in lines[3]
    assert shown.finding.method == "replay"
