"""The report for everyone: readable contrast, the keyboard alone, a screen reader, a phone, paper, no script at all."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import tracer
from tracer.analyses.agreement import compare
from tracer.data.demo import DEMO_RUNS, demo_files
from tracer.document import document
from tracer.records import (
    Alternative,
    Anchors,
    AnchorSentence,
    Candidate,
    Edge,
    Finding,
    PathStep,
    Resampled,
    Run,
    Step,
)
from tracer.reported import Reported
from tracer.reporting import report_all
from tracer.sentences import chunks
from tracer.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Visit = Any
"""An open page with what it asked for and complained of: see the fixture."""
Window = Callable[..., Visit]
Reports = Mapping[str, Path]
"""A run, one that is inconclusive, one without a failure, the list, a pair."""

KINDS: Final = ("fact_retrieval", "plan_generation", "active_computation", "uncertainty_management", None)
VERDICTS: Final = ("anchor", "no effect", "undecided", "overdetermined", "anchor")
EFFECTS: Final = (0.5, 0.01, 0.1, 0.02, -0.3)
SIZES: Final = [(390, 844), (800, 900), (1280, 800)]
SCHEMES: Final = ["light", "dark"]


def resampled(k: int) -> Resampled:
    """Each verdict occurs, and both signs."""
    effect = EFFECTS[k % len(EFFECTS)]
    said = Alternative(text="It says so.", count=9, similarity=0.3, similar=False, share=0.1, answers={"7": 8, "9": 1})
    return Resampled(
        before=0.4, after=0.4 + effect, effect=effect, low=effect - 0.2, high=effect + 0.1, n_before=20, n_after=30,
        q=0.01, verdict=VERDICTS[k % len(VERDICTS)], different=12, counterfactual=(effect, effect - 0.2, effect + 0.2),
        alternatives=(said, said.model_copy(update={"similar": True, "similarity": 0.9})),
    )  # fmt: skip


def anchors(method: str, texts: Sequence[str]) -> Anchors:
    """What a method might say of these sentences."""
    size = range(len(texts))
    told = [resampled(k) if method == "resample" else None for k in size]
    sentences = tuple(
        AnchorSentence(
            index=k, start=1000 * k, end=1000 * k + len(texts[k]), text=texts[k], part="chain" if k else "prompt",
            kind=KINDS[k % len(KINDS)] if k else None, weight=abs(EFFECTS[k % len(EFFECTS)]) if k else None,
            resampled=told[k] if k else None,
        )
        for k in size
    )  # fmt: skip
    matrix = tuple(tuple(1 / (t - s) if s < t else 0.0 for s in size) for t in size)
    heads = {"4": [{"layer": 1, "head": 2, "kurtosis": 9.5}]}
    along: dict[str, Any] = {"answers": ["7", "9"], "distribution": [[0.4, 0.6]] * len(texts), "target": "7"}
    return Anchors(
        content="c", target="@last", method=method, score="how much", model="a model", revision="1",
        sentences=sentences, matrix=None if method == "resample" else matrix, notes=("A note.",),
        evidence={"receiver_heads": heads} if method == "receivers" else along if method == "resample" else {},
    )  # fmt: skip


def explained(found: Reported) -> Reported:
    """With what three methods say of the first step that has reasoning, and with an order that opens a second phase."""
    index = next((step.index for step in found.steps if (step.reasoning or "").strip()), None)
    if index is None:
        return found
    texts = ["What was asked for?", *chunks(found.steps[index].reasoning or "")][:12]
    answers = [anchors(method, texts) for method in ("resample", "suppress", "receivers")]
    steps = [step.model_copy(update={"marks": ("instruction",) * (step.index == 2)}) for step in found.steps]
    return found._replace(steps=steps, anchors={index: answers}, agreement={index: compare(answers)})


@pytest.fixture(scope="module", name="reports")
def _reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Of the demo runs, with every view that there is."""
    folder = tmp_path_factory.mktemp("access")
    tracer.ingest(demo_files(), folder / "runs.duckdb")
    with Store.open(folder / "runs.duckdb") as store:
        for run, demo in zip(store.runs(), DEMO_RUNS, strict=True):
            store.mark(run.id, demo.outcome)
    found = [explained(each) for each in report_all(folder / "runs.duckdb")]
    good = next(each for each in found if each.run.outcome == "success")
    failed = found[[Path(each.run.source).name for each in found].index("quarterly-report.otlp.jsonl")]
    unsure = failed.finding.model_copy(update={"verdict": "inconclusive", "verdict_reason": "Replay a step."})
    texts = {
        "run": document(found[:1], "run", "html"),
        "inconclusive": document([failed._replace(finding=unsure)], "run", "html"),
        "good": document([good], "run", "html"),
        "list": document(found, "list", "html"),
        "pair": document([failed, good], "pair", "html"),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


CONTRAST: Final = """
() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, below) => {
    const a = top[3] + below[3] * (1 - top[3]);
    const mix = (k) => (a ? (top[k] * top[3] + below[k] * below[3] * (1 - top[3])) / a : 0);
    return [mix(0), mix(1), mix(2), a];
  };
  const luminance = (colour) => {
    const part = (value) => (value <= 0.04045 * 255 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2]);
  };
  // What is painted where the text is, and where it is not: every ancestor lays its ground behind, and fades both.
  const ratio = (node, colour) => {
    let [ink, ground] = [rgba(colour), [0, 0, 0, 0]];
    for (let each = node; each; each = each.parentElement) {
      const style = getComputedStyle(each);
      const own = each.namespaceURI.endsWith("svg") ? [0, 0, 0, 0] : rgba(style.backgroundColor);
      const fade = ([r, g, b, a]) => [r, g, b, a * Number(style.opacity)];
      [ink, ground] = [fade(over(ink, own)), fade(over(ground, own))];
    }
    const paper = rgba(getComputedStyle(document.body).backgroundColor);
    const [a, b] = [over(ink, paper), over(ground, paper)].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const poor = new Set();
  const judge = (node, colour, words) => {
    const { fontSize, fontWeight } = getComputedStyle(node);
    const large = parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.66 && Number(fontWeight) >= 700);
    const found = ratio(node, colour);
    const who = `${node.localName}.${node.getAttribute("class")}: ${words.trim().slice(0, 40)}`;
    if (found < (large ? 3 : 4.5)) poor.add(`${found.toFixed(2)} ${who}`);
    return 1;
  };
  let judged = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    if (![...range.getClientRects()].some((box) => box.width > 1 && box.height > 1)) continue;
    const style = getComputedStyle(node);
    judged += judge(node, node.namespaceURI.endsWith("svg") ? style.fill : style.color, text.data);
  }
  for (const node of document.querySelectorAll("input")) {
    if (node.checkVisibility()) judged += judge(node, getComputedStyle(node, "::placeholder").color, node.placeholder);
  }
  return [judged, [...poor]];
}
"""
"""How many texts are on view, and which of them contrast with their ground by less than WCAG AA asks."""


def poor_texts(page: Page, least: int = 20) -> list[str]:
    judged, poor = page.evaluate(CONTRAST)
    assert judged >= least
    return [str(each) for each in poor]


def title_is(page: Page, words: str) -> None:
    page.wait_for_function("words => document.querySelector('#evidence .title').textContent === words", arg=words)


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true })")


def views(page: Page) -> Iterator[str]:
    """One after another, what one can bring on view in the report of a run."""
    yield "as it opens"
    page.locator("#evidence .links button").first.click()
    yield "the words of an edge"
    page.locator("#evidence .end a").first.click()
    page.locator("#search").fill("the")
    page.wait_for_timeout(50)
    yield "searched"
    page.locator("#search").fill("")
    page.keyboard.press("Escape")
    unfold(page)
    yield "everything unfolded"
    page.locator("#summary .candidates a").first.hover()
    yield "pointed at a candidate"
    page.get_by_role("button", name="Fold phases").click()
    yield "phases folded"
    page.keyboard.press("f")
    yield "the whole run"
    page.keyboard.press("f")
    page.keyboard.press("?")
    yield "the keys"
    page.keyboard.press("Escape")


def reasoned(page: Page) -> Iterator[str]:
    """The views of a step's reasoning: a sentence chosen, each method, narrow and wide."""
    page.locator("#evidence .sentence").nth(1).click()
    yield "a sentence"
    for tab in page.locator("#evidence [role=tab]").all():
        tab.click()
        yield f"tab {tab.inner_text()}"
    page.keyboard.press("w")
    for switch in page.locator("#evidence .inside button[aria-pressed=false]").all():
        switch.click()
    yield "wide"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_of_a_run_can_be_read(window: Window, reports: Reports, scheme: str) -> None:
    """WCAG AA: 4.5 to 1, and 3 to 1 where letters are large, in every view, by day and by night."""
    page = window(scheme=scheme).open(reports["run"])
    assert [(view, poor) for each in (views, reasoned) for view in each(page) if (poor := poor_texts(page))] == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["inconclusive", "good", "list", "pair"])
def test_every_text_of_the_other_pages_can_be_read(window: Window, reports: Reports, scheme: str, name: str) -> None:
    """The list, the comparison, and the verdicts that name no cause."""
    page = window(scheme=scheme).open(reports[name])
    assert poor_texts(page) == []
    unfold(page)
    assert poor_texts(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_one_points_at_is_told_readably(window: Window, reports: Reports, scheme: str) -> None:
    """The tooltip, on a phone, too."""
    page = window(800, 900, scheme).open(reports["run"])
    page.locator("#summary [data-tip]").first.hover()
    assert page.locator("#tip").is_visible()
    assert poor_texts(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_marks_and_frames_stand_out(window: Window, reports: Reports, scheme: str) -> None:
    """3 to 1: the discs of cause and symptom, the way between, the ring of the focus, the frame of the search."""
    page = window(scheme=scheme).open(reports["run"])
    tints = page.evaluate(
        """() => Object.fromEntries(["paper", "card", "ink", "soft", "accent", "counter"].map((name) => {
          const probe = document.body.appendChild(document.createElement("i"));
          probe.style.setProperty("color", `var(--${name})`);
          const tint = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number);
          probe.remove();
          return [name, tint];
        }))"""
    )
    for mark in ("ink", "soft", "accent", "counter"):
        assert min(contrast(tints[mark], tints[ground]) for ground in ("paper", "card")) >= 3, mark
    page.keyboard.press("/")
    frame, ring = page.locator("#search").evaluate(
        "(node) => [getComputedStyle(node).borderTopColor, getComputedStyle(node).outlineColor]"
    )
    for line in (frame, ring):
        assert contrast([float(part) for part in re.findall(r"[\d.]+", line)[:3]], tints["paper"]) >= 3


def contrast(one: Sequence[float], two: Sequence[float]) -> float:
    """WCAG: (lighter + 0.05) / (darker + 0.05)."""
    dark, light = sorted((luminance(one), luminance(two)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Sequence[float]) -> float:
    red, green, blue = ((c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


OUTSIDE: Final = """
() => [...document.querySelectorAll("#page *")].filter((node) => {
  const box = node.getBoundingClientRect();
  const clips = (each) => each && (getComputedStyle(each).overflowX !== "visible" || clips(each.parentElement));
  const shown = box.width && node.checkVisibility({ visibilityProperty: true });
  return shown && box.right > innerWidth + 1 && !clips(node.parentElement);
}).map((node) => `${node.localName}.${node.className}`)
"""
"""What stands beyond the right edge, where nothing scrolls or cuts it."""


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", ["run", "list", "pair"])
def test_no_page_scrolls_sideways(window: Window, reports: Reports, name: str, width: int, height: int) -> None:
    """Nor does anything stand beyond the edge, in the panel of a step neither."""
    page = window(width, height).open(reports[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OUTSIDE) == []
    if name == "run":
        page.evaluate("location.hash = '#step=3'")
        title_is(page, "Step 3")
        assert (
            page.evaluate(
                "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('#evidence'))"
            )
            == 0
        )


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_word_of_any_length_breaks_inside_its_column(window: Window, tmp_path: Path, width: int, height: int) -> None:
    """3,000 letters without a blank, as a name, a task, a tool and a text."""
    word = "W" * 3_000
    steps = [
        Step(index=k, agent=f"{word}{k}", kind="tool_call", content=word, tool=word, arguments=word, reasoning=word)
        for k in range(3)
    ]
    path = tuple(PathStep(step=k, agent=word, text=word, origin="reused") for k in range(3))
    cause = Candidate(rank=1, step=1, agent=word, probability=0.4, cues=(word,), path=path)
    edge = Edge(source=0, target=1, origin="reused", weight=1, reason=word)
    run = Run(id=word, content_hash=word, source=word, format=word, task=word, outcome="failure", notes=(word,))
    finding = Finding(
        run=word, analysis="blame", version=1, verdict="root_cause", verdict_reason=word, method=word, symptom=2,
        candidates=(cause,),
    )  # fmt: skip
    report = tmp_path / "long.html"
    report.write_text(document([Reported(run, steps, [edge], finding, {}, {})], "run", "html"), encoding="utf-8")
    page = window(width, height).open(report, "#step=1")
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OUTSIDE) == []


CONTROLS: Final = """
() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
  .filter((node) => node.tabIndex >= 0 && !node.disabled && node.checkVisibility({ visibilityProperty: true }))
"""
NOTED: Final = "(node) => (node.dataset.number ??= String((window.counted = (window.counted ?? 0) + 1)))"


def controls(page: Page) -> set[str]:
    """Everything on view that one can operate, by a number given to it."""
    return set(page.evaluate(f"() => ({CONTROLS})().map({NOTED})"))


def tabbed(page: Page, most: int = 400) -> Iterator[dict[str, Any]]:
    """What the tab key reaches, one after another, from the top of the page until it leaves the page again."""
    page.evaluate("document.activeElement.blur()")
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(
            f"""() => {{
              const node = document.activeElement;
              if (node === document.body) return null;
              const styles = [null, "::after"].map((part) => getComputedStyle(node, part));
              const box = node.getBoundingClientRect();
              return {{
                number: ({NOTED})(node),
                name: `${{node.localName}}.${{node.className}} ${{node.innerText?.slice(0, 30)}}`,
                ring: styles.some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
                seen: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
              }};
            }}"""
        )
        if found is None:
            return
        yield found
    raise AssertionError("the tab key never leaves the page")


@pytest.mark.parametrize("name", ["run", "inconclusive", "list", "pair"])
def test_the_tab_key_reaches_every_control_and_shows_where_it_is(window: Window, reports: Reports, name: str) -> None:
    """In the order of the page, never into a trap; a ring is drawn, in view, around what has the focus."""
    page = window(1280, 1600).open(reports[name])
    asked = controls(page)
    reached = list(tabbed(page))
    assert {each["name"] for each in reached if not each["ring"]} == set()
    assert {each["name"] for each in reached if not each["seen"]} == set()
    missed = asked - {each["number"] for each in reached}
    told = [
        page.locator(f'[data-number="{number}"]').evaluate("(node) => node.outerHTML.slice(0, 120)")
        for number in missed
    ]
    assert told == []


@pytest.mark.parametrize("name", ["run", "list", "pair"])
def test_whatever_looks_clickable_is_a_control(window: Window, reports: Reports, name: str) -> None:
    """A hand for a pointer promises an action, and actions have native controls; a picture has a list beside it."""
    page = window().open(reports[name], "#step=3" if name == "run" else "")
    native = "a, button, input, select, label, summary, canvas, [role=tab], [tabindex]"
    loose = page.evaluate(
        """(native) => [...document.querySelectorAll("#page *")]
          .filter((node) => getComputedStyle(node).cursor === "pointer" && !node.closest(native))
          .filter((node) => !node.closest("svg[aria-hidden=true]")).map((node) => node.outerHTML.slice(0, 100))""",
        native,
    )
    assert loose == []


def test_the_keyboard_alone_leads_from_the_verdict_to_the_words_of_an_edge(visit: Visit, reports: Reports) -> None:
    """Enter on a candidate, on a step of the run and on an edge shows each; Escape and the browser's way back, too."""
    page = visit.open(reports["run"])
    page.locator("#summary .candidates a").nth(1).focus()
    page.keyboard.press("Enter")
    title_is(page, f"Step {page.locator('#summary .candidates a.on').get_attribute('href')[6:]}")
    page.locator(".rows a").nth(1).focus()
    page.keyboard.press("Enter")
    title_is(page, "Step 1")
    page.locator("#evidence .links button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#evidence .title').textContent.includes('→')")
    page.keyboard.press("Tab")
    page.go_back()
    title_is(page, f"Step {page.evaluate('location.hash')[6:]}")


def test_every_figure_tells_what_it_rests_on_without_a_mouse(visit: Visit, reports: Reports) -> None:
    """Beside a run's figures the focus brings the tooltip, and assistive software reads it as a description."""
    page = visit.open(reports["run"])
    for place in ("#summary .candidates a", "#evidence .odds", "#evidence .links button"):
        page.locator(place).first.focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        assert page.locator("#tip").is_visible(), place
    alone = page.evaluate(
        """() => [...document.querySelectorAll("[data-tip]")]
          .filter((node) => !node.closest("a, button, [tabindex], td, th, summary") && node.checkVisibility())
          .map((node) => node.outerHTML.slice(0, 100))"""
    )
    assert alone == []


def nodes(page: Page) -> list[dict[str, Any]]:
    """The page as assistive software sees it."""
    found = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            **{each["name"]: each["value"].get("value") for each in node.get("properties", ())},
        }
        for node in found
        if not node["ignored"]
    ]


NAMED: Final = {"button", "link", "searchbox", "textbox", "combobox", "tab", "tabpanel", "table", "dialog", "image"}


@pytest.mark.parametrize("name", ["run", "inconclusive", "good", "list", "pair"])
def test_every_control_and_heading_has_a_name(visit: Visit, reports: Reports, name: str) -> None:
    """One main part, one first heading, no level left out, and no picture without words."""
    found = nodes(visit.open(reports[name]))
    unnamed = [node for node in found if node["role"] in NAMED and not node["name"].strip()]
    assert unnamed == []
    assert [node["role"] for node in found].count("main") == 1
    levels = [node["level"] for node in found if node["role"] == "heading"]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_the_picture_of_the_run_has_an_equivalent_list(visit: Visit, reports: Reports) -> None:
    """Each step with its place among all; the one on view is the current one; canvases are left to the eyes."""
    page = visit.open(reports["run"])
    steps = page.get_by_role("list", name="Steps in order of time")
    items = steps.get_by_role("listitem").all()
    total = len(items)
    assert [(item.get_attribute("aria-posinset"), item.get_attribute("aria-setsize")) for item in items] == [
        (str(k + 1), str(total)) for k in range(total)
    ]
    current = page.locator(".rows a[aria-current]")
    assert current.count() == 1
    page.keyboard.press("j")
    page.wait_for_function(
        "() => document.querySelector('.rows a[aria-current]').getAttribute('href') === location.hash"
    )
    assert page.locator("canvas:not([aria-hidden=true])").count() == 0
    assert page.get_by_role("complementary", name="Evidence").count() == 1
    assert page.locator("html[lang]").count() == 1


def test_what_changes_by_itself_is_announced(visit: Visit, reports: Reports) -> None:
    """How many steps a search finds stands in an output element, which assistive software reads out."""
    page = visit.open(reports["run"])
    page.keyboard.press("/")
    page.keyboard.type("boxes")
    assert re.fullmatch(r"\d+ of \d+", page.get_by_role("status").first.inner_text())


def test_the_list_of_keys_is_a_dialog_that_escape_closes(visit: Visit, reports: Reports) -> None:
    """The focus goes into it and comes back."""
    page = visit.open(reports["run"])
    page.get_by_role("button", name="Keys").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").evaluate("(node) => node.contains(document.activeElement)")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Keys"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_on_paper_every_step_stands_in_black_on_white(window: Window, reports: Reports, scheme: str) -> None:
    """The summary and all steps, without panel and tools; of the dark page, too, for paper is never dark."""
    visit = window(scheme=scheme)
    page = visit.open(reports["run"])
    total = int(page.locator(".rows li[aria-setsize]").first.get_attribute("aria-setsize") or 0)
    page.emulate_media(media="print", color_scheme="light")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".printed li").count() == total
    assert page.locator("#summary").is_visible()
    assert not page.locator("#evidence").is_visible()
    assert not page.locator("#search").is_visible()
    assert page.locator(".printed li").last.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".printed").count() == 0
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf())) >= 1
    assert visit.complaints == []


def test_who_wants_no_motion_gets_none(window: Window, reports: Reports) -> None:
    """Neither the sheet on a phone nor anything else moves."""
    page = window(390, 844).open(reports["run"])
    page.emulate_media(reduced_motion="reduce")
    page.locator("#summary .candidates a").first.click()
    assert page.locator("#evidence").is_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    lasting = page.evaluate(
        """() => [...document.querySelectorAll("*")].filter((node) => {
          const { transitionDuration, animationName } = getComputedStyle(node);
          return animationName !== "none" || transitionDuration.split(", ").some((each) => parseFloat(each) > 0.01);
        }).map((node) => node.outerHTML.slice(0, 80))"""
    )
    assert lasting == []


@pytest.mark.parametrize(
    ("name", "words"), [("run", "solver"), ("good", "no failure"), ("list", "6 runs"), ("pair", "part")]
)
def test_without_scripts_the_finding_is_told_in_plain_lines(
    browser: Browser, reports: Reports, name: str, words: str
) -> None:
    """No blank page: the verdict, the candidates with their figures, and what is not claimed."""
    page = browser.new_page(java_script_enabled=False)
    page.goto(reports[name].as_uri())
    told = page.locator("noscript").inner_text()
    assert words in told
    assert "script, which is off" in told
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.close()


@pytest.mark.parametrize("count", [200, 2_000])
def test_a_long_run_opens_at_once_and_stays_small(visit: Visit, tmp_path: Path, count: int) -> None:
    """Without a request or a complaint, with few elements, and in less than 1 kB for each 1 kB of text."""
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(20_000)]
    steps = [
        Step(index=k, agent=f"agent {k % 8}", kind="message", content=" ".join(chance.choices(words, k=145)))
        for k in range(count)
    ]
    edges = [Edge(source=k // 2, target=k, origin="similar", weight=0.5, reason="says it") for k in range(1, count)]
    finding = Finding(run="r", analysis="blame", version=1, verdict="inconclusive", method="ranker")
    run = Run(id="r", content_hash="r", source="r", format="chat", outcome="failure")
    report = tmp_path / "long.html"
    report.write_text(document([Reported(run, steps, edges, finding, {}, {})], "run", "html"), encoding="utf-8")
    page = visit.open(report, f"#step={count - 1}")
    title_is(page, f"Step {count - 1}")
    assert page.locator(".rows a[aria-current]").get_attribute("href") == f"#step={count - 1}"
    assert page.locator("#page *").count() < 700
    assert visit.requests == [report.as_uri()]
    assert visit.complaints == []
    assert report.stat().st_size < 200_000 + 1_000 * count
