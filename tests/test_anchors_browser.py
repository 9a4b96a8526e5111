"""The anchors view in a real browser: what one sees, clicks and types, on a page of a chain of thought."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tracer.analyses.agreement import compare
from tracer.records import Alternative, Anchors, AnchorSentence, Candidate, Finding, Resampled, Run, Step
from tracer.viz.html import write_html

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Any
"""An open page with what it asked for and complained of: see the fixture."""
Window = Callable[..., Visit]

PROMPT = ("Ana is Eva plus two. ", "They say Eva is one.\n")
CHAIN = (
    "We need Ana. ",
    "Eva is minus eight. ",
    "They say Eva is one. ",
    "Maybe not. ",
    "But Eva is minus eight. ",
    "Ana is three.\n\n",
    "So Ana is three.",
)
"""Sentences 2 to 8: sentence 4 brings the answer 3 about, sentence 6 works against it."""
EFFECTS = (0.01, -0.02, 0.8, -0.05, -0.4, 0.02, 0.0)
VERDICTS = ("no effect", "no effect", "anchor", "undecided", "anchor", "overdetermined", "no effect")
ELSE = "Eva is minus eight, as said."


def alternatives(words: Sequence[str]) -> tuple[Alternative, ...]:
    """Two that say something else, and the sentence itself."""
    return (
        Alternative(text=words[0], count=9, similarity=0.4, similar=False, share=0.1, answers={"-6": 8, "3": 1}),
        Alternative(text="Hm.", count=3, similarity=0.1, similar=False, share=0, answers={"none": 3}),
        Alternative(text="They say so.", count=8, similarity=0.9, similar=True, share=0.75, answers={"3": 6, "-6": 2}),
    )


def resampled(effect: float, verdict: Any, before: float, words: Sequence[str]) -> Resampled:
    return Resampled(
        before=before,
        after=before + effect,
        effect=effect,
        low=effect - 0.12,
        high=effect + 0.12,
        n_before=22,
        n_after=41,
        q=0.0002 if verdict == "anchor" else 0.7,
        verdict=verdict,
        different=12,
        counterfactual=(effect, effect - 0.15, effect + 0.15),
        alternatives=alternatives(words),
    )


def anchors(method: str, weights: Sequence[float | None], texts: Sequence[str], **more: Any) -> Anchors:
    """The first two sentences are the prompt's."""
    ends = [sum(len(text) for text in texts[: k + 1]) for k in range(len(texts))]
    told = more.pop("resampled", [None] * len(texts))
    sentences = tuple(
        AnchorSentence(
            index=k,
            start=end - len(text),
            end=end,
            text=text,
            part="prompt" if k < len(PROMPT) else "chain",
            kind="fact_retrieval" if k >= len(PROMPT) else None,
            weight=weight,
            resampled=each,
        )
        for k, (text, end, weight, each) in enumerate(zip(texts, ends, weights, told, strict=True))
    )
    named: dict[str, Any] = {"content": "c", "target": "@last:1", "score": f"score of {method}", "model": "a model"}
    return Anchors(method=method, revision="abc", sentences=sentences, **{**named, **more})


def swept(
    texts: Sequence[str], words: Sequence[str] = (ELSE,), answers: Sequence[str] = ("3", "-6", "none")
) -> Anchors:
    """By resampling: P(3) goes from .05 by the effects."""
    levels, told = [0.05], []
    for k in range(len(texts) - len(PROMPT)):
        effect, verdict = EFFECTS[k % len(EFFECTS)], VERDICTS[k % len(VERDICTS)]
        effect = min(max(effect, -levels[-1]), 1 - levels[-1])
        told.append(resampled(effect, verdict, levels[-1], words))
        levels.append(levels[-1] + effect)
    rows = [[p, (1 - p) * 0.7, (1 - p) * 0.3, *[0.0] * (len(answers) - 3)] for p in levels]
    link = {"source": 4, "target": 7, "before": 0.1, "after": 0.7, "effect": 0.6, "low": 0.4, "high": 0.8, "q": 0.001}
    evidence = {"target": answers[0], "answers": list(answers), "distribution": rows, "links": [link], "rollouts": 300}
    weights = [*[None] * len(PROMPT), *(max(0.0, abs(each.effect) - 0.12) for each in told)]
    return anchors("resample", weights, texts, resampled=[*[None] * len(PROMPT), *told], evidence=evidence)


def suppressed(texts: Sequence[str]) -> Anchors:
    """A matrix in which each sentence rests on the one before, and a pair of which either suffices."""
    size = len(texts)
    matrix = tuple(
        tuple(0.9 if t - s == 1 else 0.1 / (t - s) if s < t else 0.0 for s in range(size)) for t in range(size)
    )
    weights = [*[1.0 + k / size for k in range(size - 1)], None]
    either = {"sentences": [1, 4], "target": 7, "single": 0.02, "joint": 1.1, "interaction": 1.0}
    return anchors("suppress", weights, texts, matrix=matrix, redundant=(either,))


def looked(texts: Sequence[str]) -> Anchors:
    heads = {"4": [{"layer": 3, "head": 1, "kurtosis": 4.99}]}
    return anchors("receivers", [0.01 * k for k in range(len(texts))], texts, evidence={"receiver_heads": heads})


def report(path: Path, found: Sequence[Anchors]) -> Path:
    """A run of two steps, of which the second has the reasoning."""
    reasoning = "".join(each.text for each in found[0].sentences if each.part == "chain")
    steps = [
        Step(index=0, agent="user", kind="message", content="What is Ana?"),
        Step(index=1, agent="solver", kind="message", content="3", reasoning=reasoning, reasoning_state="present"),
    ]
    run = Run(id="a1b2c3d4e5f6", content_hash="a1b2c3d4e5f6", source="log.json", format="chat", task="What is Ana?")
    cause = Candidate(rank=1, step=1, agent="solver", probability=0.5)
    finding = Finding(
        run=run.id, analysis="blame", version=1, verdict="root_cause", method="ranker", candidates=(cause,)
    )
    agreement = {1: compare(found)} if len(found) > 1 else None
    return write_html(path / "report.html", run, steps, [], finding, {1: found}, agreement)


TEXTS = (*PROMPT, *CHAIN)


@pytest.fixture
def page_file(tmp_path: Path) -> Path:
    """All kinds of methods on one short chain."""
    return report(tmp_path, [swept(TEXTS), suppressed(TEXTS), looked(TEXTS)])


def sentence(page: Page, k: int) -> Any:
    return page.locator(f'.sentence[data-at="{k}"]')


def tab(page: Page, name: str) -> Any:
    return page.get_by_role("tab", name=name)


def test_the_reasoning_stands_there_in_full_without_a_request_or_a_complaint(visit: Visit, page_file: Path) -> None:
    """Numbers and figures beside the sentences are not the text's."""
    page = visit.open(page_file, "#step=1")
    told = [page.locator(".an-flow").last.locator(".sentence > bdi").nth(k).inner_text() for k in range(len(CHAIN))]
    assert told == [text.strip() for text in CHAIN]
    assert visit.requests == [f"{page_file.as_uri()}#step=1"] or visit.requests == [page_file.as_uri()]
    assert visit.complaints == []


def test_the_headline_names_the_sentence_that_turned_it(visit: Visit, page_file: Path) -> None:
    """With the chance of the outcome before and after it, and the interval."""
    page = visit.open(page_file, "#step=1")
    told = page.locator(".an-lead").inner_text()
    assert "Sentence 4 turned it." in told
    assert "“They say Eva is one.”" in told
    assert "4 % → 84 % +0.80 [+0.68, +0.92]" in re.sub(r"\s+", " ", told)


def test_tints_keep_the_sign_and_what_is_not_sure_is_grey(visit: Visit, page_file: Path) -> None:
    """By class, by underline and by figure, so that no one has to tell the hues apart."""
    page = visit.open(page_file, "#step=1")
    classes = [str(sentence(page, k).get_attribute("class")).split()[1] for k in range(2, 9)]
    assert classes == ["idle", "idle", "towards", "undecided", "against", "fixed", "idle"]
    assert sentence(page, 4).locator(".an-figure").inner_text() == "+0.80"
    assert sentence(page, 6).locator(".an-figure").inner_text() == "−0.40"
    assert sentence(page, 5).locator(".an-figure").count() == 0
    line = "node => getComputedStyle(node).textDecorationStyle"
    assert [sentence(page, k).locator("> bdi").evaluate(line) for k in (4, 5, 6)] == ["solid", "dotted", "dashed"]
    soft = sentence(page, 2).evaluate("n => getComputedStyle(n).color")
    assert soft != sentence(page, 4).evaluate("n => getComputedStyle(n).color")


def test_a_click_on_a_sentence_shows_its_effect_and_what_else_is_written_there(visit: Visit, page_file: Path) -> None:
    """Different and similar ones apart, each with its answers; the address says which sentence."""
    page = visit.open(page_file, "#step=1")
    sentence(page, 4).click()
    note = page.locator(".an-note")
    told = re.sub(r"\s+", " ", note.inner_text())
    assert "Sentence 4" in told
    assert "+0.80 [+0.68, +0.92] towards it q <0.001" in told
    assert "without it 4 %" in told
    assert "with it 84 %" in told
    assert f"Something else is written here 12 of 22 9× {ELSE} → -6 (8×), 3 (1×)" in told
    assert "The same, or much like it 10 of 22 8× They say so. → 3 (6×), -6 (2×)" in told
    assert "What is written because of it +0.60 7 Ana is three." in told
    assert page.url.endswith("#step=1&sentence=4")
    sentence(page, 6).click()
    assert note.count() == 1
    assert "−0.40" in note.inner_text()


def test_a_deep_link_opens_the_sentence(visit: Visit, page_file: Path) -> None:
    """A prompt's sentence is unfolded; one that does not exist is none."""
    page = visit.open(page_file, "#step=1&sentence=6")
    assert sentence(page, 6).get_attribute("aria-current") == "true"
    assert page.locator(".an-note").is_visible()
    page.goto(f"{page_file.as_uri()}#step=1&sentence=1")
    page.wait_for_selector('.sentence[data-at="1"].chosen')
    assert sentence(page, 1).is_visible()
    page.goto(f"{page_file.as_uri()}#step=1&sentence=99")
    page.wait_for_function("!document.querySelector('.sentence.chosen')")
    assert visit.complaints == []


def test_the_keyboard_walks_along_the_sentences_and_stays_where_it_is(visit: Visit, page_file: Path) -> None:
    """One stop for the tabulator, arrows from there, Enter to choose; the focus outlives the choice."""
    page = visit.open(page_file, "#step=1")
    assert page.locator('.sentence[tabindex="0"]').get_attribute("data-at") == "4"
    sentence(page, 4).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector('.sentence[data-at="6"].chosen')
    page.wait_for_function("() => document.activeElement.dataset.at === '6'")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.at") == "5"
    assert "undecided: −0.05" in str(sentence(page, 5).get_attribute("aria-description"))


def test_a_chosen_sentence_stays_where_it_was_on_the_screen(window: Window, tmp_path: Path) -> None:
    """Even though the panel is filled anew; on a phone the note opens right below it."""
    texts = (*PROMPT, *[f"Sentence number {k} of a long chain of thought. " for k in range(60)])
    visit = window(390, 800)
    page = visit.open(report(tmp_path, [swept(texts)]), "#step=1")
    sentence(page, 40).scroll_into_view_if_needed()
    before = sentence(page, 40).bounding_box()
    sentence(page, 40).click()
    page.wait_for_timeout(200)
    after, note = sentence(page, 40).bounding_box(), page.locator(".an-note").bounding_box()
    assert before
    assert after
    assert note
    assert after["y"] == pytest.approx(before["y"], abs=3)
    assert note["y"] > after["y"]


def test_tabs_switch_the_method_by_click_and_by_arrow(visit: Visit, page_file: Path) -> None:
    """What intervenes comes first; a method without direction has no sign."""
    page = visit.open(page_file, "#step=1")
    names = page.get_by_role("tab").all_inner_texts()
    assert names == ["Resampling", "Suppression", "Receiver heads", "Side by side"]
    tab(page, "Resampling").focus()
    page.keyboard.press("ArrowRight")
    assert tab(page, "Suppression").get_attribute("aria-selected") == "true"
    assert page.evaluate("document.activeElement.textContent") == "Suppression"
    assert "Most rests on sentences 7, 6 and 5." in page.locator(".an-lead").inner_text()
    assert {str(sentence(page, k).get_attribute("class")).split()[1] for k in range(2, 8)} == {"weighs"}
    assert "1 and 4 for 7: 1.10 together, 0.02 at most alone" in page.locator(".an-between").inner_text()
    page.keyboard.press("ArrowRight")
    assert "4.99" in page.locator(".an-figures").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert tab(page, "Resampling").get_attribute("aria-selected") == "true"


def test_a_chosen_sentence_stays_chosen_from_tab_to_tab(visit: Visit, page_file: Path) -> None:
    """Its note says what rests on it by suppression."""
    page = visit.open(page_file, "#step=1&sentence=4")
    tab(page, "Suppression").click()
    told = re.sub(r"\s+", " ", page.locator(".an-note").inner_text())
    assert "Sentence 4" in told
    assert "What rests on it 0.900 5 Maybe not." in told
    assert "By the other methods +0.80 Resampling, 1. of 7" in told
    tab(page, "Side by side").click()
    assert page.locator("tr.chosen").get_attribute("data-at") == "4"


def test_the_strip_has_bars_whiskers_answers_and_links_on_one_axis(visit: Visit, page_file: Path) -> None:
    """Seven sentences; the bar of the one that works against the outcome hangs below the axis."""
    page = visit.open(page_file, "#step=1")
    assert page.locator(".an-bars rect").count() == len(CHAIN)
    assert page.locator(".an-bars .an-whisker").count() == len(CHAIN)
    assert page.locator(".an-answers path").count() == 3
    assert page.locator(".an-arcs path").count() == 1
    widths = {
        round(page.locator(f".an-{name}").evaluate("n => n.getBoundingClientRect().width"))
        for name in ("bars", "answers", "arcs", "hits")
    }
    assert len(widths) == 1
    up, down = (page.locator(".an-bars rect").nth(k).bounding_box() for k in (2, 4))
    assert up
    assert down
    assert up["y"] + up["height"] <= down["y"] + 2
    page.locator(".an-hits rect").nth(3).hover()
    assert "Sentence 4: “They say Eva is one.”" in page.locator("#tip").inner_text()
    page.locator(".an-hits rect").nth(5).click()
    page.wait_for_selector('.sentence[data-at="6"].chosen')


def test_the_matrix_tells_a_pair_at_hover_and_chooses_at_click(visit: Visit, page_file: Path) -> None:
    """It is one canvas; row 0 is sentence 2, the reasoning's first, and column 0 the prompt's."""
    page = visit.open(page_file, "#step=1")
    tab(page, "Suppression").click()
    canvas = page.locator("canvas.an-heat")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(9 / 7, rel=0.05)
    page.mouse.move(box["x"] + box["width"] * 4.5 / 9, box["y"] + box["height"] * 3.5 / 7)
    tip = page.locator("#tip").inner_text()
    assert tip.splitlines() == ["0.900", "4: They say Eva is one.", "→ 5: Maybe not."]
    assert (
        canvas.evaluate("n => n.getContext('2d').getImageData(n.width * 4.5 / 9, n.height * 3.5 / 7, 1, 1).data[3]")
        > 200
    )
    page.mouse.click(box["x"] + box["width"] * 4.5 / 9, box["y"] + box["height"] * 3.5 / 7)
    page.wait_for_selector('.sentence[data-at="4"].chosen')


def test_kinds_are_shown_when_asked_for_and_called_guesses(visit: Visit, page_file: Path) -> None:
    """A letter, so that the hue is not all there is."""
    page = visit.open(page_file, "#step=1")
    chip = sentence(page, 4).locator(".an-chip")
    assert not chip.is_visible()
    page.get_by_role("button", name="Sentence kinds (guessed)").click()
    assert chip.inner_text() == "F"
    assert chip.get_attribute("data-tip") == "fact (guessed)"
    assert "fact 7" in page.locator(".an-kinds").inner_text()


def test_methods_stand_side_by_side_with_their_agreement(visit: Visit, page_file: Path) -> None:
    """A row for each sentence of the reasoning; a click on a method sorts by it, and another one unsorts."""
    page = visit.open(page_file, "#step=1")
    tab(page, "Side by side").click()
    rows = page.locator(".an-side-by-side tbody tr")
    assert [rows.nth(k).get_attribute("data-at") for k in range(7)] == [str(k) for k in range(2, 9)]
    assert "+0.80" in rows.nth(2).inner_text()
    page.get_by_role("button", name="Resampling").click()
    assert [rows.nth(k).get_attribute("data-at") for k in range(2)] == ["4", "6"]
    assert page.locator('th[aria-sort="descending"]').inner_text() == "Resampling"
    page.get_by_role("button", name="Resampling").click()
    assert rows.nth(0).get_attribute("data-at") == "2"
    told = page.locator(".an-agreement").inner_text()
    for words in ("How far they agree", "Kendall’s W", "Resampling and Suppression", "top 3"):
        assert words in told
    page.locator('.an-side-by-side a:text-is("6")').click()
    page.wait_for_selector('tr.chosen[data-at="6"]')


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_panel(window: Window, page_file: Path, width: int) -> None:
    """Not by any method, with kinds on and a sentence open."""
    page = window(width, 900).open(page_file, "#step=1&sentence=4")
    page.get_by_role("button", name="Sentence kinds (guessed)").click()
    for name in page.get_by_role("tab").all_inner_texts():
        tab(page, name).click()
        wider = page.evaluate(
            """() => {
                const panel = document.querySelector('#evidence');
                const right = panel.getBoundingClientRect().right;
                const scrolled = (node) => node.closest('.an-across') || node.closest('svg');
                const all = [...document.querySelectorAll('.anchors *')].filter((node) => !scrolled(node));
                const beyond = (node) => node.getBoundingClientRect().right > right + 1;
                return all.filter(beyond).map((node) => node.className);
            }"""
        )
        assert wider == []
        assert page.evaluate(
            "document.querySelector('#evidence').scrollWidth <= document.querySelector('#evidence').clientWidth"
        )


def test_in_a_wide_panel_the_note_stands_in_the_margin(window: Window, page_file: Path) -> None:
    """Beside its sentence; in a narrow one below it."""
    page = window(1440, 1000).open(page_file, "#step=1&sentence=4")
    flow, note = page.locator(".an-flow").last, page.locator(".an-note")
    narrow, below = flow.bounding_box(), note.bounding_box()
    page.keyboard.press("w")
    text, beside = flow.bounding_box(), note.bounding_box()
    assert narrow
    assert below
    assert text
    assert beside
    assert narrow["x"] <= below["x"] <= below["x"] + below["width"] <= narrow["x"] + narrow["width"]
    assert beside["x"] > text["x"] + text["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tint_can_be_read(window: Window, page_file: Path, scheme: str) -> None:
    """WCAG AA: text on its tint, on the panel, has a contrast of at least 4.5; with kinds, their letters as well."""
    page = window(1280, 900, scheme).open(page_file, "#step=1")
    page.get_by_role("button", name="Sentence kinds (guessed)").click()
    for name in ("Resampling", "Suppression"):
        tab(page, name).click()
        found = page.evaluate(
            """() => {
                const pen = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d');
                const over = (...colours) => {
                    for (const each of colours) { pen.fillStyle = each; pen.fillRect(0, 0, 1, 1); }
                    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
                };
                const card = getComputedStyle(document.querySelector('#evidence')).backgroundColor;
                const style = (node) => getComputedStyle(node);
                const grounds = (node) => [node.closest('.sentence'), node].filter(Boolean);
                const ground = (node) => grounds(node).map((each) => style(each).backgroundColor);
                const texts = '.sentence > *, .an-swatch-word, .an-soft, .an-asks, .an-chip, .an-side *';
                return [...document.querySelectorAll(texts)]
                    .filter((node) => node.getClientRects().length)
                    .map((node) => [over(card, ...ground(node)), over(card, style(node).color), node.className]);
            }"""
        )
        assert len(found) > 20
        assert [(each, contrast(ground, ink)) for ground, ink, each in found if contrast(ground, ink) < 4.5] == []


def contrast(one: Sequence[int], two: Sequence[int]) -> float:
    """(L1 + .05) / (L2 + .05) of the relative luminances, the lighter one first."""
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Sequence[int]) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else math.pow((c + 0.055) / 1.055, 2.4) for c in (each / 255 for each in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_three_hundred_sentences_open_at_once(visit: Visit, tmp_path: Path) -> None:
    """The matrix is a canvas: there is no element for any of its 45,000 cells."""
    texts = (*PROMPT, *[f"Sentence number {k} of a long chain of thought. " for k in range(298)])
    file = report(tmp_path, [swept(texts), suppressed(texts)])
    page = visit.open(file, "#step=0")
    began = time.monotonic()
    page.evaluate("location.hash = '#step=1'")
    page.wait_for_selector('.sentence[data-at="299"]')
    assert time.monotonic() - began < 2
    began = time.monotonic()
    tab(page, "Suppression").click()
    page.wait_for_function("() => document.querySelector('canvas.an-heat').width > 0")
    assert time.monotonic() - began < 2
    assert page.evaluate("document.querySelectorAll('.anchors *').length") < 300 * 12
    assert visit.complaints == []


HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><img src=x onerror=window.pwned=1>",
    '" onfocus=window.pwned=1 autofocus x="',
    "__proto__",
    "constructor",
    "\u202e<b>RLO</b>\u2066",
    "\x00\x1b[2J",
    "\ud800",
    "javascript:window.pwned=1",
)


def test_hostile_words_are_only_shown(visit: Visit, tmp_path: Path) -> None:
    """In sentences, answers, alternatives, notes and the names of model and method."""
    texts = (*PROMPT, *(f"{each} " for each in HOSTILE))
    found = [swept(texts, HOSTILE, ("__proto__", *HOSTILE)), suppressed(texts)]
    found = [each.model_copy(update={"model": HOSTILE[1], "notes": HOSTILE, "revision": HOSTILE[0]}) for each in found]
    found.append(anchors("constructor", [1.0] * len(texts), texts))
    page = visit.open(report(tmp_path, found), "#step=1&sentence=4")
    for name in page.get_by_role("tab").all_inner_texts():
        tab(page, name).click()
        for k in range(len(PROMPT), len(texts)):
            if sentence(page, k).count():
                sentence(page, k).click()
    assert "constructor" in page.get_by_role("tab").all_inner_texts()
    assert page.evaluate("window.pwned") is None
    assert page.locator(".anchors :is(img, script, iframe)").count() == 0
    assert visit.complaints == []


def test_a_method_that_weighs_nothing_says_so(visit: Visit, tmp_path: Path) -> None:
    """No strip, no sentence that stands out, and the note that tells why."""
    silent = anchors("receivers", [None] * len(TEXTS), TEXTS, notes=("this model has no receiver heads",))
    page = visit.open(report(tmp_path, [silent]), "#step=1")
    told = page.locator(".anchors").inner_text()
    assert "No sentence stands out." in told
    assert "this model has no receiver heads" in told
    assert page.locator(".an-strip").count() == 0
    assert page.get_by_role("tab").all_inner_texts() == ["Receiver heads"]
    assert visit.complaints == []


def test_an_empty_chain_says_that_it_has_no_sentence(visit: Visit, tmp_path: Path) -> None:
    """The step has reasoning, and the method found nothing in it."""
    nothing = anchors("suppress", [], [])
    page = visit.open(report(tmp_path, [nothing]), "#step=1")
    assert "This reasoning holds no sentence." in page.locator(".anchors").inner_text()
    assert visit.complaints == []
