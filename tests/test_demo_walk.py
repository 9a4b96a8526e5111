"""From `tracer demo` to "it was this sentence of this step" in three clicks, as someone who has read nothing."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tracer.data.demo import DEMO_RUNS


def wrong_sum() -> str:
    """The sentence of the solver in which the sum does not hold: found by doing the sums."""
    log = json.loads(files("tracer.data").joinpath("demo", DEMO_RUNS[0].file).read_text(encoding="utf-8"))
    thought = next(each["content"] for each in log["messages"] if each["name"] == "solver")
    sums = [part.strip() for part in thought.partition("</think>")[0].split(".") if part.count(" = ") == 2]
    [wrong] = [each for each in sums if eval(each.split(" = ")[1].replace("plus", "+")) != int(each.split(" = ")[2])]
    return f"{wrong}."


def test_three_clicks_lead_from_the_page_to_the_sentence(visit: Any, shown: Any) -> None:
    """Where it shows; the first candidate; the sentence that is marked. Each click shows the next by itself."""
    page = visit.open(shown.folder / "report.html")
    sentence = wrong_sum()

    page.locator(".shows a").click()
    page.wait_for_function("() => document.querySelector('#evidence .title').textContent === 'Step 5'")
    assert page.locator("#evidence .about").inner_text().startswith("reporter")

    page.locator(".candidates a").first.click()
    page.wait_for_function("() => document.querySelector('#evidence .title').textContent === 'Step 3'")
    assert page.locator("#evidence .about").inner_text().startswith("solver")
    assert sentence in page.locator("#evidence .tiers").inner_text()

    page.locator("#evidence a.sentence", has_text=sentence).click()
    page.wait_for_function("() => location.hash.includes('sentence=')")
    assert page.evaluate("location.hash").startswith("#step=3&sentence=")
    chosen = page.locator("#evidence a.sentence.chosen")
    assert chosen.is_visible()
    assert sentence in chosen.inner_text()
    assert visit.complaints == []
