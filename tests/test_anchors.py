"""Anchors of a chain of thought, by every method, on a tiny model and through the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch")

import tracer
from tracer.analyses.anchors import METHODS, find, outgoing
from tracer.analyses.chain_sentences import sentences_of
from tracer.chain import Chain
from tracer.cli import main
from tracer.errors import DoesNotFitError
from tracer.records import Anchors
from tracer.schemas import json_schema
from tracer.viz.anchors import anchors_report

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

TinyLM = Callable[..., "LocalLM"]
TEXT = "The first is 12. The second is 7. Together they make 19. So the answer is 19."


def test_what_a_sentence_does_to_all_later_ones_adds_up() -> None:
    """Column sums below the diagonal; the last sentence has nobody after it."""
    matrix = np.array([[9, 9, 9], [0.2, 9, 9], [0.5, 0.5, 9]])
    np.testing.assert_allclose(outgoing(matrix), [0.7, 0.5, np.nan])


def test_the_prompt_and_the_thought_are_split_apart() -> None:
    """A sentence never reaches over the border; blank ones are left out."""
    chain = Chain("Add them. Go on.", "First. Then.", "x")
    parts = [chain.whole[start:end].strip() for start, end in sentences_of(chain)]
    assert parts == ["Add them.", "Go on.", "First.", "Then."]


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_weighs_every_sentence(lm: "LocalLM", method: str) -> None:
    """In order, as slices of the text, the prompt's marked; a share never leaves [0, number of later sentences]."""
    found = find(lm, Chain("Add 12 and 7.", TEXT, "x"), method, METHODS[method].parameters)
    assert [sentence.part for sentence in found.sentences] == ["prompt", *["chain"] * 4]
    assert "".join(sentence.text for sentence in found.sentences) == f"Add 12 and 7.\n{TEXT}"
    if method == "suppress":
        for sentence in found.sentences[:-1]:
            assert sentence.weight is not None
            assert 0 <= sentence.weight <= 4 - sentence.index
        assert found.sentences[-1].weight is None
        assert np.triu(np.array(found.matrix)).sum() == 0


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("text", ["", "No end here", "One."])
def test_a_short_chain_ends_in_a_result(lm: "LocalLM", method: str, text: str) -> None:
    """No sentence, one, and one without an end."""
    found = find(lm, Chain("", text, "x"), method, METHODS[method].parameters)
    assert len(found.sentences) == (1 if text else 0)


def test_a_chain_longer_than_the_context_is_refused_in_one_line(lm: "LocalLM") -> None:
    """Cut text would be explained wrongly."""
    with pytest.raises(DoesNotFitError, match="shorten it, or name another --lm"):
        find(lm, Chain("", "A word. " * 5_000, "x"), "suppress", {})


def test_a_file_is_explained_with_a_model_of_the_users(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tagged text's prompt and thought; the JSON keeps to its schema's fields."""
    file = tmp_path / "thought.txt"
    file.write_text(f"Add 12 and 7.\n<think>{TEXT}</think>\n19", encoding="utf-8")
    assert main(["anchors", str(file), "--lm", str(folder), "--db", str(tmp_path / "none.duckdb"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) <= set(json_schema("anchors")["properties"])
    assert [sentence["part"] for sentence in printed["sentences"]].count("chain") == 4
    assert not (tmp_path / "none.duckdb").exists()
    assert tracer.anchors(str(file), tmp_path / "none.duckdb", lm=str(folder)) == Anchors.model_validate(printed)


def test_an_answer_is_kept_and_given_again(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second time the store answers: a changed row comes back as it was changed."""
    import duckdb

    log, db = tmp_path / "log.json", str(tmp_path / "t.duckdb")
    log.write_text(
        json.dumps([{"role": "user", "content": "Add"}, {"role": "assistant", "content": "19", "reasoning": TEXT}]),
        encoding="utf-8",
    )
    assert main(["ingest", str(log), "--db", db]) == 0
    asked = ["anchors", "@last:1", "--lm", str(folder), "--method", "surprisal", "--db", db, "--json"]
    capsys.readouterr()
    assert main(asked) == 0
    first = capsys.readouterr().out
    with duckdb.connect(db) as connection:
        connection.execute("UPDATE anchors SET body = replace(body, 'in nats', 'in NATS')")
    assert main(asked) == 0
    assert capsys.readouterr().out == first.replace("in nats", "in NATS")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["anchors", "no-such-file"], 2, "no-such-file"),
        (["anchors", "@last", "@last:1"], 2, "one TARGET at a time"),
        (["anchors", "compare", "{file}"], 2, "no method was run"),
        (["anchors", "@last:x"], 3, "neither a file nor an address"),
        (
            ["anchors", "{file}", "--lm", "{folder}", "--method", "guess"],
            2,
            "there are: suppress, receivers, surprisal, forced, resample, all",
        ),
        (["anchors", "{file}", "--lm", "{tmp}/nowhere"], 5, "nowhere"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], code: int, words: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said on stderr, with its exit code."""
    log, file, db = tmp_path / "log.json", tmp_path / "thought.txt", str(tmp_path / "t.duckdb")
    log.write_text(json.dumps([{"role": "user", "content": "Add"}, {"role": "assistant", "content": "19"}]))
    file.write_text(TEXT)
    assert main(["ingest", str(log), "--db", db]) == 0
    capsys.readouterr()
    places = {"file": file, "folder": folder, "tmp": tmp_path}
    assert main([*(each.format(**places) for each in arguments), "--db", db]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_report_reads_at_eighty_columns() -> None:
    """Weights, the matrix as blocks, what is redundant; log text cannot style or move anything."""
    from rich.console import Console

    sentences: list[dict[str, Any]] = [
        {"index": k, "start": 0, "end": 1, "text": text, "part": "chain", "weight": weight}
        for k, (text, weight) in enumerate([("A \x1b[31mred[/] one.", 1.5), ("A copy.", 0.5), ("The end.", None)])
    ]
    found = Anchors.model_validate(
        {
            "content": "0", "target": "x", "method": "suppress", "score": "words", "model": "tiny", "revision": "1",
            "sentences": sentences, "matrix": [[0, 0, 0], [1.0, 0, 0], [0.25, 0.25, 0]],
            "redundant": [{"sentences": [0, 1], "target": 2, "single": 0.1, "joint": 2.0, "interaction": 1.8}],
        }
    )  # fmt: skip
    console = Console(width=80, record=True, color_system=None)
    with console.capture() as capture:
        console.print(anchors_report(found, width=80))
    text = capture.get()
    assert "anchors: sentences 0, 1" in text
    assert "0  1.500  ████████  A red[/] one." in text
    assert "   1  █\n   2  ▒▒" in text
    assert "0 “A red[/] one.” / 1 “A copy.” → 2 “The end.”: 2.000 together" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
