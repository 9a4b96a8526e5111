"""Erasing parts of a text: what is left is read as if it had never held them, and nothing is read twice."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.analyses.erasure import erased  # noqa: E402
from tracer.analyses.log_odds import Text, logprob, together  # noqa: E402

PARTS = [(0, 5), (5, 12), (14, 20), (20, 20), (26, 28)]
TOLD = 24
ROWS: list[Collection[int]] = [(), (0,), (1,), (2,), (3,), (0, 2), (0, 1, 2), (4,), (2, 4)]


def text(length: int = 30) -> Text:
    ids = torch.randint(3, 96, (length,), generator=torch.Generator().manual_seed(1))
    return Text(ids, PARTS, TOLD)


def by_hand(model: Any, of: Text, row: Collection[int]) -> Any:
    """ln p of each word that is left, from one plain pass over what is left; NaN of the others."""
    kept = [k for k in range(len(of.ids)) if not any(a <= k < b for a, b in (PARTS[part] for part in row))]
    with torch.inference_mode():
        logs = model(input_ids=of.ids[None, kept]).logits[0].double().log_softmax(-1)
    found = np.full(len(of.ids) - of.told, np.nan)
    for place, token in enumerate(kept):
        if token >= of.told:
            found[token - of.told] = float(logs[place - 1, of.ids[token]])
    return found


@pytest.mark.parametrize(
    "family",
    [
        "llama",
        "qwen2",
        "qwen3",
        "mixtral",
        "qwen2_moe",
        "gpt_neox",
        "gpt_oss",
        "gpt_oss_sliding",
        "gemma2",
        "gemma3",
        "mistral",
    ],
)
def test_what_is_left_is_read_as_if_it_stood_alone(tiny_model: Any, family: str) -> None:
    """Each choice against a plain pass over the tokens that are left, in every family, windows and sinks included."""
    model = tiny_model(family)
    found = erased(model, text(), ROWS)
    for row, odds in zip(ROWS, found.odds, strict=True):
        np.testing.assert_allclose(logprob(odds), by_hand(model, text(), row), atol=2e-4)


def test_nothing_before_the_first_erased_token_is_read_again(tiny_model: Any) -> None:
    """30 tokens once; behind part 0 there are 25, behind part 1 18, behind part 2 10; equal choices cost once."""
    found = erased(tiny_model("llama"), text(), [(), (0,), (1,), (2,), (2,), (2, 3), (3,)])
    assert found.read == 30 + 25 + 18 + 10


def test_rows_go_on_from_one_another(tiny_model: Any) -> None:
    """Without part 0, 25 are left; without 0 and 1, 18, all behind what differs; without 0 and 2, 10 of 19 are."""
    assert erased(tiny_model("llama"), text(), [(0,), (0, 1), (0, 2)]).read == 30 + 25 + 18 + 10


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_where_memory_is_short_rows_go_on_from_the_whole_text(
    tiny_model: Any, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row at a time, and none is held for another: more is read, and the odds are the same."""
    model, rows = tiny_model(family), [(0,), (0, 1), (0, 2), (1, 2)]
    found = erased(model, text(), rows)
    monkeypatch.setattr("tracer.analyses.erasure.ROOM_BYTES", 1)
    alone = erased(model, text(), rows)
    assert alone.read == 30 + 25 + 18 + 19 + 12 > found.read
    np.testing.assert_allclose(alone.odds, found.odds, atol=1e-4)


def test_erased_tokens_are_not_read_at_all(tiny_model: Any) -> None:
    """Without parts 0 and 2, 30 - 5 - 6 are left, all behind the first erased token."""
    assert erased(tiny_model("llama"), text(), [(0, 2)]).read == 30 + 19


def test_many_rows_give_what_they_give_alone(tiny_model: Any) -> None:
    """More rows than run side by side, in any order."""
    model = tiny_model("llama")
    rows = [[part for part in range(5) if number >> part & 1] for number in range(32)] * 2
    found = erased(model, text(), rows[::-1]).odds[::-1]
    for row in (5, 23, 31, 40):
        np.testing.assert_allclose(found[row], erased(model, text(), [rows[row]]).odds[0], atol=1e-4)


def test_progress_ends_at_all_that_is_read(tiny_model: Any) -> None:
    told: list[tuple[int, int]] = []
    found = erased(tiny_model("llama"), text(), ROWS, lambda done, total: told.append((done, total)))
    assert told[-1] == (found.read, found.read)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_log_odds_of_all_words_together() -> None:
    """p = 0.5 and p = 0.25: P = 0.125, and ln(0.125 / 0.875) = -ln 7."""
    odds = np.array([[0.0, math.log(1 / 3)]])
    np.testing.assert_allclose(logprob(odds), [[math.log(0.5), math.log(0.25)]])
    np.testing.assert_allclose(together(odds), [-math.log(7)])


def test_certain_words_have_finite_odds() -> None:
    """Where float32 says that p is 1, the odds are still a number."""
    assert np.isfinite(together(np.array([[800.0, 800.0]]))).all()
    assert together(np.array([[20.0]]))[0] == pytest.approx(20.0, abs=1e-6)
