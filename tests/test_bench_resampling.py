"""The benchmark of resampling, small: its traces, its figures, and its form."""

from importlib.resources import files

import pytest

pytest.importorskip("torch")

from tracer.analyses.bench_decisive import decided, drawn, text_of, written
from tracer.analyses.bench_resampling import Size, bench_resampling
from tracer.lm.pocket import pocket
from tracer.schemas import ResamplingBench
from tracer.viz.bench import resampling_bench_report

SMALL = Size(check=20, reference=30, sweep=10, planted=5, engine=2)


def test_the_traces_are_fresh_and_the_same_for_the_same_seed() -> None:
    """Those with a decisive sentence have exactly one, of the kind that was asked for; another seed gives others."""
    assert drawn(3, 1) == drawn(3, 1) != drawn(3, 2)
    for event in ("slip", "trust"):
        assert [sum(s.decisive for s in made.sentences) for made in decided(4, 0, event)] == [1, 1, 1, 1]
        assert {made.event for made in decided(4, 0, event)} <= {event, f"{event} recovered"}


def test_a_trace_is_cut_before_each_sentence() -> None:
    """The prefixes join to the text; the answer is told."""
    made = drawn(1, 0)[0]
    text = text_of(made)
    assert text.text == made.prompt + made.cot
    assert [text.sentence(k) for k in range(len(made.sentences))] == [s.text.strip() for s in made.sentences]
    assert str(made.answer) in text.said


@pytest.mark.skipif(not files("tracer.data").joinpath("pocket").is_dir(), reason="no pocket model is shipped")
def test_the_model_writes_chains_in_which_one_lapse_decided() -> None:
    """Its own slips and beliefs, not ours: the same ones for the same seed."""
    found = written(pocket(), 3, 0)
    assert found == written(pocket(), 3, 0)
    assert len(found) == 3
    for made in found:
        assert made.event.startswith("sampled ")
        assert made.correct == made.event.endswith("recovered")
        assert sum(sentence.decisive for sentence in made.sentences) == 1


@pytest.mark.skipif(not files("tracer.data").joinpath("pocket").is_dir(), reason="no pocket model is shipped")
def test_every_part_is_measured() -> None:
    """On two traces: the published form, rates between 0 and 1, and a report."""
    result = bench_resampling(pocket(), 2, 0, size=SMALL)
    ResamplingBench.model_validate(result)
    assert set(result["decisive"]) == {"resample", "counterfactual", "forced", "surprisal", "suppress", "position"}
    for found in result["decisive"].values():
        assert 0 <= found["top1"] <= found["top3"] <= 1
    assert 0 <= result["contradicted"] <= 2
    rows = result["decisive_by_event"]
    assert [rows[name]["n"] for name in ("rumours", "sampled", "slips and rumours")] == [2, 2, 4]
    assert result["adaptive"]["rollouts_ratio"] > 0
    assert result["engine"]["speedup_vs_generate"] > 0
    assert resampling_bench_report(result)
