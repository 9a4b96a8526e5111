"""Resampling from end to end: prefixes, outcomes, the sweep on a tiny model, and the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")

from tracer.analyses.allocation import Budget
from tracer.analyses.resampling import Trace, Ways, borders, resample
from tracer.analyses.sampler import Outcomes
from tracer.anchor_options import Expected
from tracer.answers import Extraction
from tracer.cli import main
from tracer.errors import TracerError
from tracer.lm.ledger import Ledger
from tracer.lm.rollouts import Sampling
from tracer.records import Anchors
from tracer.schemas import Compared
from tracer.viz.resampling import resampling_report

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

TinyLM = Callable[..., "LocalLM"]
TEXT = "The first is 12. The second is 7. Together they make 19. So the answer is 19."
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=6)
FEW = Ways(SAMPLING, Budget(rollouts=60), target="none", similarity="words")


def spans(text: str) -> list[tuple[int, int]]:
    """Sentences of a text that ends each of them with a full stop, the blank behind it included."""
    ends = [k + 1 for k, sign in enumerate(text) if sign == "."]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def trace(lm: "LocalLM") -> Trace:
    """TEXT, ready to be resampled."""
    return Trace(TEXT, borders(lm, TEXT, 0, spans(TEXT)))


def test_a_prefix_ends_before_the_blank_in_front_of_a_sentence(lm: "LocalLM") -> None:
    """The blank belongs to the sentence that the model writes next; the last border is the text's end."""
    found = trace(lm)
    assert [TEXT[a:b] for a, b in zip(found.borders, found.borders[1:], strict=False)] == [
        "The first is 12.", " The second is 7.", " Together they make 19.", " So the answer is 19.",
    ]  # fmt: skip
    assert found.sentence(1) == "The second is 7."


def test_the_first_prefix_does_not_reach_back_into_the_prompt(lm: "LocalLM") -> None:
    """Blanks between prompt and reasoning belong to the prompt."""
    text = f"Add.\n\n{TEXT}"
    assert borders(lm, text, 6, [(a + 6, b + 6) for a, b in spans(TEXT)])[0] == 6


def test_an_outcome_is_the_target_where_the_answer_equals_it() -> None:
    """0.5 is 1/2; other answers stay as they are spelled."""
    outcomes = Outcomes(Extraction("boxed"), "1/2")
    assert [outcomes.of(each) for each in ("0.5", "1/2", "7", "none")] == ["1/2", "1/2", "7", "none"]


def test_a_sweep_draws_within_its_budget_and_resumes_without_drawing(lm: "LocalLM", tmp_path: Path) -> None:
    """The second sweep finds every rollout in the ledger, and says the same."""
    database = tmp_path / "t.duckdb"
    found = []
    for _ in range(2):
        with Ledger.open(database, lm.name, lm.revision, SAMPLING) as ledger:
            found.append(resample(lm, trace(lm), ledger, FEW))
    first, second = found
    assert first.evidence["computed"] > 0
    assert second.evidence["computed"] == 0
    assert first.evidence["rollouts"] <= 60
    assert first.sentences == second.sentences
    assert len(first.sentences) == 4
    for each in first.sentences:
        assert each.low <= each.effect <= each.high
        assert each.effect == pytest.approx(each.after - each.before, abs=2e-6)
        assert [(a.text, a.count, a.share) for a in each.alternatives if not a.similar][:3] == list(each.instead)
        assert all(sum(a.answers.values()) == a.count for a in each.alternatives)
    for row in first.evidence["distribution"]:
        assert row is None or sum(row) == pytest.approx(1, abs=1e-4)


def test_paper_mode_gives_every_prefix_a_hundred_and_the_published_fields(lm: "LocalLM", tmp_path: Path) -> None:
    """None is shared between prefixes; the accuracy is the share of the target among the answered."""
    with Ledger.open(tmp_path / "t.duckdb", lm.name, lm.revision, SAMPLING) as ledger:
        ways = FEW._replace(paper=True, how=lambda text: "yes" if text[:1] < "n" else "no", target="yes")
        found = resample(lm, trace(lm), ledger, ways)
    assert found.evidence["rollouts"] == 500
    for each in found.sentences:
        assert each.n_before == each.n_after == 100
        assert each.paper is not None
        assert each.paper["accuracy"] == pytest.approx(each.before, abs=1e-6)
    for each in found.sentences[:-1]:
        assert each.paper is not None
        assert each.paper["resampling_importance_accuracy"] == pytest.approx(each.effect, abs=2e-6)


def test_a_text_without_a_sentence_is_refused(lm: "LocalLM", tmp_path: Path) -> None:
    """There is nothing to write anew."""
    with Ledger.open(tmp_path / "t.duckdb", lm.name, lm.revision, SAMPLING) as ledger, pytest.raises(TracerError):
        resample(lm, Trace("", (0,)), ledger, FEW)


def test_the_command_resamples_forces_and_compares(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All methods, one JSON object a line; the report reads at 80 columns; `compare` knows them all."""
    file, db = tmp_path / "thought.txt", str(tmp_path / "t.duckdb")
    file.write_text(f"<think>{TEXT}</think>\nThe answer: 19")
    drawing = ["--rollouts", "40", "--max-tokens", "6", "--similarity", "words"]
    asked = ["anchors", str(file), "--lm", str(folder), "--db", db, *drawing]
    main(["ingest", str(file), "--db", db])
    capsys.readouterr()
    assert main([*asked, "--method", "all", "--json"]) == 0
    answers = [Anchors.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [each.method for each in answers] == ["suppress", "receivers", "surprisal", "forced", "resample"]
    assert answers[-1].evidence["target"] == answers[-2].evidence["target"] == "19"
    assert all(s.resampled for s in answers[-1].sentences if s.part == "chain")
    assert main([*asked, "--method", "resample"]) == 0
    assert "rollouts" in capsys.readouterr().out
    assert main(["anchors", "compare", str(file), "--db", db, "--json"]) == 0
    names = {each["name"] for each in Compared.model_validate_json(capsys.readouterr().out).methods}
    assert {"suppress", "forced", "resample"} <= names
    assert resampling_report(answers[-1], width=80)


def test_before_many_rollouts_are_drawn_it_is_told_what_they_take(lm: "LocalLM", tmp_path: Path) -> None:
    """At most the budget, and seconds at the pace of the first ten; none where those were in the store already."""
    told: list[Expected] = []
    for _ in range(2):
        with Ledger.open(tmp_path / "t.duckdb", lm.name, lm.revision, SAMPLING) as ledger:
            found = resample(lm, trace(lm), ledger, FEW, announce=told.append)
    first, second = told
    assert first.rollouts == 60
    assert found.evidence["rollouts"] <= first.rollouts
    assert first.seconds is not None
    assert first.seconds > 0
    assert second == (first.rollouts, first.tokens, None)
    assert Expected(300, 66_300, 600.0).words == (
        "up to 300 rollouts and 66,300 tokens, about 10 minutes at the pace of the first ones"
    )
