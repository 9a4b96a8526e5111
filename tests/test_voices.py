"""Voices: what many agents say at once is what the model itself would say to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.data.voices import Ask, Voices
from tracer.lm import load

if TYPE_CHECKING:
    from tracer.lm.local import LocalLM

VIEW = "User: to North: What is Kim?\nNorth:"
LATER = (
    "User: to North: What is Kim?\nNorth: <think> We need Kim. </think> to Files: Kim?\n"
    "Files: to North: Kim: Ben -3.\nNorth:"
)


@pytest.fixture(scope="module")
def lm() -> LocalLM:
    """The pocket model."""
    return load()


def alone(lm: LocalLM, ask: Ask) -> str:
    """What the ordinary protocol gives for one view."""
    how = {"max_tokens": 220, "temperature": ask.temperature, "seed": ask.seed, "stop": ["\n"]}
    return lm.sample(ask.view, 1, **how)[0].text  # type: ignore[arg-type]


def test_a_reply_is_a_sample_of_the_model_for_that_view(lm: LocalLM) -> None:
    """Many asks in one batch, twice over, with what was read before in between; every one as if it were alone."""
    asks = [Ask(view, heat, seed) for view in (VIEW, LATER) for heat in (0.35, 1.0) for seed in range(6)]
    voices = Voices(lm)
    assert voices.say(asks[:5]) == [alone(lm, ask) for ask in asks[:5]]
    assert voices.say(asks) == [alone(lm, ask) for ask in asks]


def test_what_was_said_before_is_not_asked_again(lm: LocalLM) -> None:
    """The second time every word is known."""
    voices = Voices(lm)
    asks = [Ask(VIEW, 0.35, seed) for seed in range(20)]
    first = voices.say(asks)
    asked = voices.asked
    assert 0 < asked < sum(len(reply.split()) for reply in first)
    assert voices.say(asks) == first
    assert voices.asked == asked


def test_a_view_that_fills_the_context_gets_no_reply(lm: LocalLM) -> None:
    """2,048 tokens and more: there is no room for a word."""
    assert Voices(lm).say([Ask(" Kim" * 2_100, 0.35, 0), Ask(VIEW, 0.35, 0)])[0] == ""


def test_a_view_that_is_none_of_the_models_texts_gets_no_reply(lm: LocalLM) -> None:
    """It would be refused if it were asked for by itself."""
    assert Voices(lm).say([Ask("User: toNorth: Whatis Kimm?\nNorth:", 0.35, 0)]) == [""]


def test_forgetting_changes_nothing(lm: LocalLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for next to nothing all is read again and again, to the same end."""
    asks = [Ask(view, 1.0, seed) for view in (VIEW, LATER) for seed in range(8)]
    expected = Voices(lm).say(asks)
    monkeypatch.setattr("tracer.data.voices.KEPT", 1)
    monkeypatch.setattr("tracer.data.voices.READ", 1)
    voices = Voices(lm)
    assert [voices.say([ask])[0] for ask in asks] == expected
