"""The report in a real browser: it loads nothing, runs nothing of a log's, and shows what one clicks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tracer.records import Candidate, Edge, Finding, PathStep, Run, Step, TextSpan
from tracer.viz.html import write_html

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Any
"""An open page with what it asked for and complained of: see the fixture."""


RUN = Run(id="a1b2c3d4e5f6", content_hash="a1b2c3d4e5f6", source="log.json", format="chat", task="Count the whales.")


def span(text: str, words: str) -> TextSpan:
    start = text.index(words)
    return TextSpan(start=start, end=start + len(words), text=words)


def plain_report(path: Path) -> Path:
    """Three steps; the emoji before the reused number shifts it by one UTF-16 unit."""
    texts = ["Please count the whales.", "🐋 I assume 42 whales.", "The answer is 42."]
    agents = ["Manager", "Counter", "Writer"]
    steps = [Step(index=i, agent=agents[i], kind="message", content=texts[i]) for i in range(3)]
    steps[1] = steps[1].model_copy(update={"reasoning": "Nobody will check.", "reasoning_state": "present"})
    edge = Edge(
        source=1,
        target=2,
        origin="reused",
        weight=0.8,
        reason="reuses 42",
        source_spans=(span(texts[1], "42"),),
        target_spans=(span(texts[2], "42"),),
    )
    path_steps = (
        PathStep(step=1, agent="Counter", text=""),
        PathStep(step=2, agent="Writer", text="42", origin="reused"),
    )
    cause = Candidate(
        rank=1, step=1, agent="Counter", probability=0.41, cues=("states a guess as a fact",), path=path_steps
    )
    other = Candidate(rank=2, step=0, agent="Manager", probability=0.2)
    finding = Finding(
        run=RUN.id,
        analysis="blame",
        version=1,
        verdict="root_cause",
        method="ranker",
        probability_basis="in-domain",
        symptom=2,
        candidates=(cause, other),
    )
    return write_html(path / "report.html", RUN, steps, [edge], finding)


def test_the_report_opens_from_disk_without_a_request_or_a_complaint(visit: Visit, tmp_path: Path) -> None:
    """The one request is the file itself, and the console stays empty: the hashes in the policy are right."""
    report = plain_report(tmp_path)
    page = visit.open(report)
    assert page.locator("#evidence .title").inner_text() == "Step 1"
    assert visit.requests == [report.as_uri()]
    assert visit.complaints == []


def test_a_click_on_a_candidate_shows_what_the_step_said(visit: Visit, tmp_path: Path) -> None:
    """The second candidate is step 0."""
    page = visit.open(plain_report(tmp_path))
    page.locator(".candidates a").nth(1).click()
    assert page.locator("#evidence .title").inner_text() == "Step 0"
    assert "Please count the whales." in page.locator("#evidence").inner_text()


def test_the_cause_shows_its_text_cues_reasoning_and_the_words_it_passed_on(visit: Visit, tmp_path: Path) -> None:
    """The highlighted word is 42 although an emoji stands before it."""
    page = visit.open(plain_report(tmp_path))
    evidence = page.locator("#evidence").inner_text()
    assert page.locator("#evidence mark").all_inner_texts() == ["42"]
    for words in ("I assume 42 whales.", "states a guess as a fact", "Nobody will check.", "step 2 · Writer", "“42”"):
        assert words in evidence


def test_words_reused_in_a_call_are_marked_in_its_arguments(visit: Visit, tmp_path: Path) -> None:
    """Spans count on from the content: "Look." has 5 characters, a line end follows, then {"n": 42} with 42 at 6."""
    steps = [
        Step(index=0, agent="a", kind="message", content="42"),
        Step(index=1, agent="b", kind="tool_call", content="Look.", tool="find", arguments='{"n": 42}'),
    ]
    edge = Edge(
        source=0,
        target=1,
        origin="reused",
        weight=1,
        reason="reuses 42",
        target_spans=(TextSpan(start=12, end=14, text="42"),),
    )
    finding = Finding(run=RUN.id, analysis="blame", version=1, verdict="no_failure", method="ranker")
    page = visit.open(write_html(tmp_path / "call.html", RUN, steps, [edge], finding), "#step=1")
    assert page.locator("#evidence pre.code mark").all_inner_texts() == ["42"]


def test_a_deep_link_opens_its_step(visit: Visit, tmp_path: Path) -> None:
    """#step=2 shows step 2; a link to a step that does not exist leaves the cause on view."""
    report = plain_report(tmp_path)
    page = visit.open(report, "#step=2")
    assert page.locator("#evidence .title").inner_text() == "Step 2"
    page.evaluate("location.hash = '#step=999'")
    assert page.locator("#evidence .title").inner_text() == "Step 2"


def test_an_unknown_deep_link_shows_the_cause(visit: Visit, tmp_path: Path) -> None:
    """A report is never empty, whatever stands in the address."""
    page = visit.open(plain_report(tmp_path), "#step=999")
    assert page.locator("#evidence .title").inner_text() == "Step 1"


def test_keys_move_between_steps(visit: Visit, tmp_path: Path) -> None:
    """j goes on, k goes back, c returns to the cause; at the last step j stays."""
    page = visit.open(plain_report(tmp_path))
    for key, title in (("j", "Step 2"), ("j", "Step 2"), ("k", "Step 1"), ("k", "Step 0"), ("c", "Step 1")):
        page.keyboard.press(key)
        page.wait_for_function("title => document.querySelector('#evidence .title').textContent === title", arg=title)


def test_search_counts_and_marks_the_steps_that_hold_the_words(visit: Visit, tmp_path: Path) -> None:
    """ "42" stands in two of three steps."""
    page = visit.open(plain_report(tmp_path))
    page.keyboard.press("/")
    page.keyboard.type("42")
    assert page.locator("#found").inner_text() == "2 of 3"
    assert page.locator(".row.hit").count() == 2


def test_a_long_text_waits_behind_a_button(visit: Visit, tmp_path: Path) -> None:
    """Of 5,000 letters 4,000 are shown until one asks for the rest."""
    finding = Finding(run=RUN.id, analysis="blame", version=1, verdict="no_failure", method="ranker")
    step = Step(index=0, agent="a", kind="message", content="x" * 5_000)
    page = visit.open(write_html(tmp_path / "long.html", RUN, [step], [], finding))
    assert len(page.locator("#evidence pre").inner_text()) == 4_000
    page.get_by_role("button", name="Show all 5,000 characters").click()
    assert len(page.locator("#evidence pre").inner_text()) == 5_000


def test_the_policy_stops_a_script_that_gets_in_all_the_same(visit: Visit, tmp_path: Path) -> None:
    """A second line of defence: an inline script added to the page is refused by the browser."""
    page = visit.open(plain_report(tmp_path))
    page.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.pwned = 1'; document.body.append(s) }"
    )
    assert page.evaluate("window.pwned ?? null") is None
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)


def test_a_click_on_an_edge_shows_the_reused_words_on_both_sides(visit: Visit, tmp_path: Path) -> None:
    """In the panel's list; 42 is marked where it came from and where it went."""
    page = visit.open(plain_report(tmp_path))
    page.locator("#evidence .links button").click()
    assert page.locator("#evidence .title").inner_text() == "1 → 2"
    assert page.locator("#evidence mark").all_inner_texts() == ["42", "42"]
    assert page.locator("#evidence .end pre").all_inner_texts() == ["🐋 I assume 42 whales.", "The answer is 42."]


def test_a_click_on_the_drawn_edge_does_the_same(visit: Visit, tmp_path: Path) -> None:
    """Half way between the dots of step 1 and step 2: lanes 2 and 3 of 44 px, rows of 54 px after one of 26."""
    page = visit.open(plain_report(tmp_path))
    canvas = page.locator("canvas.lanes").bounding_box()
    page.mouse.click(canvas["x"] + 34 + 44 * 1.5, canvas["y"] + 14 + 26 + 54)
    assert page.locator("#evidence .title").inner_text() == "1 → 2"


def test_a_click_on_a_dot_opens_its_step(visit: Visit, tmp_path: Path) -> None:
    """Step 0 stands in the first lane, half a row below the margin."""
    page = visit.open(plain_report(tmp_path))
    canvas = page.locator("canvas.lanes").bounding_box()
    page.mouse.click(canvas["x"] + 34, canvas["y"] + 14 + 13)
    page.wait_for_function("() => document.querySelector('#evidence .title').textContent === 'Step 0'")


def pixels(page: Page) -> int:
    """How much of the lanes is painted."""
    return int(
        page.evaluate(
            """() => { const c = document.querySelector('canvas.lanes');
            const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
            return data.filter((v, k) => k % 4 === 3 && v).length }"""
        )
    )


def many_report(path: Path, count: int = 200) -> Path:
    """An order before every tenth step, two agents who reuse each other's numbers, the cause at 30."""
    steps = [
        Step(
            index=k, agent=("Ann", "Bob", "Cid")[k % 3], kind="message", content=f"Number {1000 + k}.",
            marks=("instruction",) if k % 10 == 0 else (),
        )
        for k in range(count)
    ]  # fmt: skip
    edges = [
        Edge(
            source=k, target=k + 1, origin=("declared", "reused", "similar")[k % 3], weight=0.5, reason="says it again"
        )
        for k in range(count - 1)
    ]
    cause = Candidate(rank=1, step=30, agent="Ann", probability=0.5, path=(PathStep(step=30, agent="Ann", text=""),))
    finding = Finding(
        run=RUN.id, analysis="blame", version=1, verdict="root_cause", method="ranker", symptom=count - 1,
        candidates=(cause,),
    )  # fmt: skip
    return write_html(path / "many.html", RUN, steps, edges, finding)


def test_each_origin_can_be_switched_off_and_on_again(visit: Visit, tmp_path: Path) -> None:
    """Less is drawn without the declared edges; the button says how it stands."""
    page = visit.open(many_report(tmp_path))
    switch = page.get_by_role("button", name="declared", exact=True)
    before = pixels(page)
    switch.click()
    assert switch.get_attribute("aria-pressed") == "false"
    page.wait_for_function("before => true", arg=before)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert pixels(page) < before
    switch.click()
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert pixels(page) == before


def test_phases_fold_to_one_line_each_but_what_matters_stays(visit: Visit, tmp_path: Path) -> None:
    """Twenty orders: twenty headings, with the cause and the symptom between them; one opens by a click."""
    page = visit.open(many_report(tmp_path))
    page.get_by_role("button", name="Fold phases").click()
    page.wait_for_selector(".row.heading")
    assert page.locator(".row.heading").count() == 20
    assert page.locator(".row a .index").all_inner_texts() == ["30", "199"]
    page.locator(".row.heading button", has_text="steps 50–59").click()
    page.wait_for_selector(".row a[data-step='55']")
    assert page.locator(".row a .index").all_inner_texts() == ["30", *map(str, range(50, 60)), "199"]


def test_an_agents_steps_fold_away_at_its_lane(visit: Visit, tmp_path: Path) -> None:
    """Bob's step 31 becomes a line that says so, and a click on that line brings it back."""
    page = visit.open(many_report(tmp_path))
    page.get_by_role("button", name="Bob").first.click()
    page.wait_for_selector(".row.folded")
    assert page.locator(".row a[data-step='31']").count() == 0
    page.locator(".row.folded button").first.click()
    page.wait_for_selector(".row a[data-step='31']")


def test_the_whole_run_fits_the_window_and_comes_back(visit: Visit, tmp_path: Path) -> None:
    """f: 200 steps without scrolling and without rows of text; f again: rows, with the chosen step among them."""
    page = visit.open(many_report(tmp_path))
    page.keyboard.press("f")
    page.wait_for_selector(".board.far")
    assert (
        page.evaluate("() => { const s = document.querySelector('.scroller'); return s.scrollHeight - s.clientHeight }")
        <= 1
    )
    page.keyboard.press("f")
    page.wait_for_selector(".board:not(.far)")
    assert page.locator(".row a[data-step='30']").is_visible()


def test_only_the_rows_in_view_exist(visit: Visit, tmp_path: Path) -> None:
    """Of 200 steps some thirty fit an 800 px window; at the end of the run the last one is there."""
    page = visit.open(many_report(tmp_path))
    assert page.locator(".row").count() < 60
    page.evaluate("() => { const s = document.querySelector('.scroller'); s.scrollTop = s.scrollHeight }")
    page.wait_for_selector(".row a[data-step='199']")
    assert page.locator(".row a[data-step='30']").count() == 0


def test_the_minimap_leads_to_the_end(visit: Visit, tmp_path: Path) -> None:
    """A press at its foot scrolls to the last step."""
    page = visit.open(many_report(tmp_path))
    box = page.locator("canvas.minimap").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + box["height"] - 2)
    page.wait_for_selector(".row a[data-step='199']")


def test_a_drag_moves_the_run(visit: Visit, tmp_path: Path) -> None:
    """Two hundred pixels up; a drag is no click, so the chosen step stays."""
    page = visit.open(many_report(tmp_path))
    canvas = page.locator("canvas.lanes").bounding_box()
    top = page.evaluate("document.querySelector('.scroller').scrollTop")
    page.mouse.move(canvas["x"] + 50, canvas["y"] + 400)
    page.mouse.down()
    page.mouse.move(canvas["x"] + 50, canvas["y"] + 200, steps=4)
    page.mouse.up()
    assert page.evaluate("document.querySelector('.scroller').scrollTop") == top + 200
    assert page.locator("#evidence .title").inner_text() == "Step 30"


def test_enter_in_the_search_goes_from_hit_to_hit(visit: Visit, tmp_path: Path) -> None:
    """1111 stands in step 111 only; then 1190 to 1199 in ten steps, of which the first behind step 111 is 190."""
    page = visit.open(many_report(tmp_path))
    page.locator("#search").fill("1111")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#evidence .title').textContent === 'Step 111'")
    page.locator("#search").fill("number 119")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#evidence .title').textContent === 'Step 190'")
    assert page.locator("#found").inner_text() == "10 of 200"


def test_the_keys_are_told_and_the_list_goes_away(visit: Visit, tmp_path: Path) -> None:
    """? opens, Escape closes."""
    page = visit.open(plain_report(tmp_path))
    page.keyboard.press("?")
    assert "next and previous step" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def test_the_evidence_can_be_read_wide(visit: Visit, tmp_path: Path) -> None:
    """w gives it the place of the run, w again gives it back."""
    page = visit.open(plain_report(tmp_path))
    narrow = page.locator("#evidence").bounding_box()["width"]
    page.keyboard.press("w")
    assert page.locator("#evidence").bounding_box()["width"] > 2 * narrow
    page.keyboard.press("w")
    assert page.locator("#evidence").bounding_box()["width"] == narrow


def test_the_reader_may_choose_light_or_dark(visit: Visit, tmp_path: Path) -> None:
    """Whatever the system prefers."""
    page = visit.open(plain_report(tmp_path))
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(252, 251, 249)"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) == "rgb(19, 19, 18)"


def test_a_figure_says_what_it_rests_on(visit: Visit, tmp_path: Path) -> None:
    """Method, version and basis of the probability, when one points at it."""
    page = visit.open(plain_report(tmp_path))
    page.locator(".candidates .share").first.hover()
    assert "estimated P(step 1 is the decisive one | the run failed) = 0.410" in page.locator("#tip").inner_text()


def test_a_text_that_was_cut_says_so(visit: Visit, tmp_path: Path) -> None:
    """Of 25,000 letters 20,000 are in the file."""
    finding = Finding(run=RUN.id, analysis="blame", version=1, verdict="no_failure", method="ranker")
    step = Step(index=0, agent="a", kind="message", content="x" * 25_000)
    page = visit.open(write_html(tmp_path / "cut.html", RUN, [step], [], finding))
    assert "the first 20,000 of 25,000 characters" in page.locator("#evidence").inner_text()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (800, 900), (1280, 800)])
def test_no_screen_scrolls_sideways(window: Callable[..., Visit], tmp_path: Path, width: int, height: int) -> None:
    """The page is as wide as the window."""
    page = window(width, height).open(many_report(tmp_path))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_the_evidence_comes_up_as_a_sheet_and_goes_again(
    window: Callable[..., Visit], tmp_path: Path
) -> None:
    """Out of sight until a step is chosen; Close puts it away."""
    page = window(390, 844).open(plain_report(tmp_path))
    sheet = page.locator("#evidence")
    assert not sheet.is_visible()
    page.locator(".candidates a").first.click()
    sheet.locator("mark").first.wait_for(state="visible")
    page.get_by_role("button", name="Close").click()
    sheet.wait_for(state="hidden")
