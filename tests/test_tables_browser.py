"""The run list and the comparison in a real browser: what one sees, clicks and types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tracer.document import document
from tracer.records import Candidate, Finding, Outcome, Run, Step, Verdict
from tracer.reported import Reported

if TYPE_CHECKING:
    from playwright.sync_api import Page

Visit = Any
"""An open page with what it asked for and complained of: see the fixture."""


def reported(
    place: int, verdict: Verdict, agent: str = "coder", share: float | None = 0.5, texts: Sequence[str] = ("Go.", "I.")
) -> Reported:
    """A run whose second step leads, unless it did not fail."""
    outcome: Outcome = "success" if verdict == "no_failure" else "failure"
    run = Run(
        id=f"{place:012x}", content_hash="0", source="x.json", format="chat", outcome=outcome, task=f"Task {place}."
    )
    steps = [
        Step(index=index, agent="user" if not index else agent, kind="message", content=text, input_tokens=place + 1)
        for index, text in enumerate(texts)
    ]
    candidates = () if verdict == "no_failure" else (Candidate(rank=1, step=1, agent=agent, probability=share),)
    finding = Finding(
        run=run.id, analysis="blame", version=1, verdict=verdict, method="ranker", probability_basis="in-domain",
        candidates=candidates,
    )  # fmt: skip
    return Reported(run, steps, [], finding, {}, {})


FIVE = [
    reported(0, "no_failure"),
    reported(1, "inconclusive", "critic", 0.2),
    reported(2, "root_cause", "coder", 0.4),
    reported(3, "root_cause", "coder", 0.9),
    reported(4, "inconclusive", "planner", None),
]


def listed(path: Path, runs: Sequence[Reported]) -> Path:
    path.write_text(document(runs, "list", "html"), encoding="utf-8")
    return path


def paired(path: Path, left: Sequence[str], right: Sequence[str]) -> Path:
    """A failed run beside a good one."""
    runs = [reported(1, "root_cause", texts=left), reported(2, "no_failure", texts=right)]
    path.write_text(document(runs, "pair", "html"), encoding="utf-8")
    return path


def tasks(page: Page) -> list[str]:
    return page.locator(".runs .run-title").all_inner_texts()


@pytest.fixture(name="list_page")
def _list_page(visit: Visit, tmp_path: Path) -> Any:
    """Five runs."""
    return visit.open(listed(tmp_path / "all.html", FIVE))


def test_the_list_opens_from_disk_without_a_request_or_a_complaint(visit: Visit, tmp_path: Path) -> None:
    """What failed comes first, and of that the surest."""
    path = listed(tmp_path / "all.html", FIVE)
    page = visit.open(path)
    assert tasks(page) == ["Task 3.", "Task 2.", "Task 1.", "Task 4.", "Task 0."]
    assert page.locator("h1").inner_text() == "5 runs"
    assert visit.requests == [path.as_uri()]
    assert visit.complaints == []


def test_a_row_says_what_broke_the_run_and_how_sure_we_are(list_page: Page) -> None:
    """The figure with its basis; what it rests on at hover; "rank only" where the method gives none."""
    row = list_page.locator(".runs tbody tr").first
    assert row.locator("td.verdict").inner_text() == "●root cause"
    assert row.locator(".leads").inner_text() == "step 1 · coder"
    assert row.locator("td.chance").inner_text() == "90 % in domain"
    row.locator("td.chance [data-tip]").hover()
    assert "P(step 1 is the decisive one | the run failed) = 0.900" in list_page.locator("#tip").inner_text()
    assert list_page.locator(".runs tr").nth(4).locator("td.chance").inner_text() == "rank only"


def test_a_head_sorts_by_click_and_by_key_and_says_so(list_page: Page) -> None:
    """Numbers largest first, words from A; again turns round; what has no value stays last."""
    steps = list_page.get_by_role("columnheader", name="Tokens")
    steps.get_by_role("button").click()
    assert tasks(list_page) == [f"Task {place}." for place in (4, 3, 2, 1, 0)]
    assert steps.get_attribute("aria-sort") == "descending"
    leading = list_page.get_by_role("columnheader", name="Leading step")
    leading.get_by_role("button").focus()
    list_page.keyboard.press("Enter")
    assert tasks(list_page) == [f"Task {place}." for place in (2, 3, 1, 4, 0)]
    list_page.keyboard.press("Enter")
    assert tasks(list_page) == [f"Task {place}." for place in (4, 1, 2, 3, 0)]
    assert leading.get_attribute("aria-sort") == "descending"
    assert steps.get_attribute("aria-sort") is None


def test_runs_are_filtered_by_verdict_by_agent_and_by_words(list_page: Page) -> None:
    """The number that is left is told; a second press shows all again."""
    cause = list_page.get_by_role("button", name="root cause 2")
    cause.click()
    assert tasks(list_page) == ["Task 3.", "Task 2."]
    assert cause.get_attribute("aria-pressed") == "true"
    assert list_page.locator(".shown").inner_text() == "2 of 5 runs"
    cause.click()
    list_page.get_by_role("button", name="critic 1").click()
    assert tasks(list_page) == ["Task 1."]
    list_page.get_by_role("button", name="critic 1").click()
    list_page.keyboard.press("/")
    list_page.keyboard.type("planner TASK")
    assert tasks(list_page) == ["Task 4."]
    list_page.keyboard.type(" nowhere")
    assert list_page.locator(".rest").inner_text() == "no run like that"


def test_a_row_opens_its_run_and_the_list_is_found_again_as_it_was_left(list_page: Page) -> None:
    """The leading step opens at that step; inside a run its links stay in the run, and its address can be sent."""
    list_page.locator("#search").fill("coder")
    list_page.locator(".runs .leads").nth(1).click()
    list_page.wait_for_selector("#evidence .title")
    assert list_page.url.endswith("#run=000000000002&step=1")
    list_page.locator(".candidates a").first.click()
    list_page.keyboard.press("k")
    list_page.wait_for_function("() => location.hash === '#run=000000000002&step=0'")
    list_page.locator(".back a").click()
    list_page.wait_for_selector(".runs")
    assert list_page.locator("#search").input_value() == "coder"
    assert tasks(list_page) == ["Task 3.", "Task 2."]
    list_page.locator(".runs .run-link").first.click()
    list_page.wait_for_selector("#evidence .title")
    assert list_page.url.endswith("#run=000000000003")


def test_two_thousand_runs_are_there_at_once_and_all_can_be_found(visit: Visit, tmp_path: Path) -> None:
    """Rows are laid out as one comes to them; sorting and filtering reach all, and printing lays out all."""
    many = [reported(place, "root_cause", share=place / 2_000) for place in range(2_000)]
    page = visit.open(listed(tmp_path / "many.html", many))
    assert page.locator(".runs tbody tr").count() < 400
    assert page.get_by_role("table").get_attribute("aria-rowcount") == "2001"
    assert tasks(page)[0] == "Task 1999."
    page.locator("#search").fill("task 1234.")
    assert tasks(page) == ["Task 1234."]
    page.locator("#search").fill("")
    before = page.locator(".runs tbody tr").count()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("count => document.querySelectorAll('.runs tbody tr').length > count", arg=before)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".runs tbody tr").count() == 2_000
    assert visit.complaints == []


def test_on_a_phone_the_list_is_cards_and_still_a_table(window: Any, tmp_path: Path) -> None:
    """Nothing scrolls sideways; rows are sorted by a menu; a screen reader still hears a table of rows and cells."""
    page = window(390, 844).open(listed(tmp_path / "all.html", FIVE))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.get_by_role("columnheader").first.is_visible()
    page.get_by_role("combobox", name="Sort by").select_option("tokens")
    assert tasks(page)[0] == "Task 4."
    assert page.get_by_role("table").get_by_role("row").count() == 5
    assert page.get_by_role("row").first.get_by_role("cell").first.is_visible()


LEFT = ["Go.", *(f"Step {place}." for place in range(1, 9)), "I saw 4711 🐋.", "Same again.", "It is 4711.", "Bye."]
RIGHT = ["Go.", *(f"Step {place}." for place in range(1, 9)), "I saw 12 🐋.", "Same again.", "It is 12."]


@pytest.fixture(name="pair_page")
def _pair_page(visit: Visit, tmp_path: Path) -> Any:
    """Nine equal steps, then a difference."""
    page = visit.open(paired(tmp_path / "pair.html", LEFT, RIGHT))
    page.wait_for_selector(".duo-rows[data-ready]")
    return page


def test_a_comparison_shows_where_the_runs_part(pair_page: Page) -> None:
    """Said on top, marked in its row, with the words that differ."""
    assert pair_page.locator("h1").inner_text() == "The two runs part at step 9 · coder"
    assert pair_page.locator(".overview .reason").inner_text() == (
        "The 9 steps before it are the same · the failed run says “4711”, the good run “12”"
    )
    parting = pair_page.locator(".parting")
    assert parting.locator(".left mark").all_inner_texts() == ["4711"]
    assert parting.locator(".right mark").all_inner_texts() == ["12"]
    assert parting.locator(".relation").get_attribute("aria-label") == "changed"
    assert pair_page.locator(".duo.left .half.right").inner_text().endswith("not in the good run")


def test_both_verdicts_stand_on_top(pair_page: Page) -> None:
    """With the names that the outcomes give them."""
    left, right = pair_page.locator(".side").all_inner_texts()
    assert left.startswith("Failed run\n\nOpen run 000000000001")
    assert "root cause: step 1 · coder 50 % (in domain)" in left
    assert right.startswith("Good run\n\nOpen run 000000000002")
    assert "no failure" in right


def test_what_both_begin_with_is_folded_but_for_the_last_step(pair_page: Page) -> None:
    """A click unfolds it."""
    assert pair_page.locator(".duo").count() == 5
    pair_page.get_by_role("button", name="8 equal steps: 0 to 7").click()
    assert pair_page.locator(".duo").count() == 13
    assert pair_page.locator(".duo.same").count() == 10


def test_a_step_of_the_comparison_opens_in_its_run(pair_page: Page) -> None:
    """And one comes back."""
    pair_page.locator(".parting .right a").click()
    pair_page.wait_for_selector("#evidence .title")
    assert pair_page.url.endswith("#run=000000000002&step=9")
    assert "I saw 12" in pair_page.locator("#evidence").inner_text()
    pair_page.get_by_role("link", name="← both runs").click()
    pair_page.wait_for_selector(".parting")


def test_the_parting_is_in_view_on_a_small_screen_too(window: Any, tmp_path: Path) -> None:
    """And so is each next difference that one asks for."""
    visit = window(1000, 420)
    page = visit.open(paired(tmp_path / "pair.html", LEFT, RIGHT))
    page.wait_for_selector(".duo-rows[data-ready]")
    box = page.locator(".parting").bounding_box()
    assert box is not None
    assert 0 <= box["y"] <= 420 - 100
    page.get_by_role("button", name="Next difference").click()
    assert page.locator(".duo:not(.same)").nth(1).bounding_box()["y"] < 420
    assert visit.complaints == []


def test_on_a_phone_the_two_stand_below_each_other(window: Any, tmp_path: Path) -> None:
    """Each with its name; nothing scrolls sideways."""
    page = window(390, 844, "dark").open(paired(tmp_path / "pair.html", LEFT, RIGHT))
    page.wait_for_selector(".duo-rows[data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    left, right = (page.locator(f".parting .half.{side}").bounding_box() for side in ("left", "right"))
    assert left["y"] + left["height"] <= right["y"]
    assert page.locator(".parting .right").inner_text().startswith("good run:")


def test_what_each_run_does_on_its_own_stands_side_by_side(visit: Visit, tmp_path: Path) -> None:
    """Where they part the first step of each, then the rest; one is not below the other."""
    runs = [reported(1, "root_cause", "coder", texts="abc"), reported(2, "no_failure", "writer", texts="axyz")]
    (tmp_path / "apart.html").write_text(document(runs, "pair", "html"), encoding="utf-8")
    page = visit.open(tmp_path / "apart.html")
    page.wait_for_selector(".duo-rows[data-ready]")
    steps = [row.locator(".duo-who a").all_inner_texts() for row in page.locator(".duo").all()]
    assert steps == [
        ["step 0 · user", "step 0 · user"],
        ["step 1 · coder", "step 1 · writer"],
        ["step 2 · coder", "step 2 · writer", "step 3 · writer"],
    ]
    assert page.locator(".duo").nth(2).locator(".relation").get_attribute("aria-label") == "each on its own"


def test_equal_runs_have_nothing_to_go_to(visit: Visit, tmp_path: Path) -> None:
    """They say the same, and all of it is folded."""
    page = visit.open(paired(tmp_path / "pair.html", LEFT, LEFT))
    page.wait_for_selector(".duo-rows[data-ready]")
    assert page.locator("h1").inner_text() == "The two runs say the same in all 13 steps"
    assert page.get_by_role("button", name="Next difference").count() == 0
    assert page.locator(".duo").count() == 0


def test_thousands_of_differing_steps_stay_quick(visit: Visit, tmp_path: Path) -> None:
    """3,000 rows; those out of sight are not laid out."""
    texts = [f"{place} says {place % 7}." for place in range(3_000)]
    page = visit.open(paired(tmp_path / "pair.html", ["a", *texts], ["a", *(f"{text} No." for text in texts)]))
    page.wait_for_selector(".duo-rows[data-ready]")
    assert page.locator(".duo").count() == 3_001
    assert (
        page.evaluate("() => { const t = performance.now(); scrollBy(0, 9000); return performance.now() - t; }") < 1_000
    )
    assert visit.complaints == []
