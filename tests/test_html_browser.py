"""The report in a real browser: it loads nothing, runs nothing of a log's, and shows what one clicks."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tracer.records import Candidate, Edge, Finding, PathStep, Pointer, Run, Step, TextSpan
from tracer.viz.html import write_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
RUN = Run(id="a1b2c3d4e5f6", content_hash="a1b2c3d4e5f6", source="log.json", format="chat", task="Count the whales.")
HOSTILE = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=1</script>",
    "</SCRIPT ><script>window.pwned=1</script>",
    "<!--<script>window.pwned=1</script>",
    "--><script>window.pwned=1</script>",
    "<![CDATA[<script>window.pwned=1</script>]]>",
    "</style><script>window.pwned=1</script>",
    "</title><script>window.pwned=1</script>",
    "</textarea><script>window.pwned=1</script>",
    "</noscript><script>window.pwned=1</script>",
    "</svg><script>window.pwned=1</script>",
    "</template><script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<img src=https://example.com/beacon.png>",
    '"><img src=x onerror=window.pwned=1>',
    "'><img src=x onerror=window.pwned=1>",
    "` onmouseover=window.pwned=1 x=`",
    '" onfocus=window.pwned=1 autofocus x="',
    "' onpointerenter='window.pwned=1' x='",
    "<svg onload=window.pwned=1>",
    "<svg><script>window.pwned=1</script></svg>",
    "<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg onload=window.pwned=1>'/></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.pwned=1>",
    "<body onload=window.pwned=1>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<iframe src=javascript:parent.pwned=1></iframe>",
    "<object data=javascript:window.pwned=1></object>",
    "<embed src=javascript:window.pwned=1>",
    "<a href=javascript:window.pwned=1>step 0</a>",
    "<base href=https://example.com/>",
    "<link rel=stylesheet href=https://example.com/x.css>",
    "<style>@import 'https://example.com/x.css'; *{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=https://example.com/'>",
    "<form action=https://example.com/><input autofocus onfocus=window.pwned=1></form>",
    "<details open ontoggle=window.pwned=1>",
    "<video><source onerror=window.pwned=1></video>",
    "<marquee onstart=window.pwned=1>",
    "<input id=data><input id=evidence><input id=search>",
    "{{ 7 * 7 }}{% for x in [1] %}{{ self.__init__ }}{% endfor %}",
    "${window.pwned=1}#{window.pwned=1}<%= window.pwned=1 %>",
    "__proto__",
    "constructor",
    '{"__proto__": {"pwned": 1}}',
    "javascript:window.pwned=1",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "\u003cscript\u003ewindow.pwned=1\u003c/script\u003e\u2028\u2029",
    "\x00<script>window.pwned=1</script>\x1b[2J\x07",
    "\u202e<script>window.pwned=1</script>\u2066",
    "\ud800<script>window.pwned=1</script>",
    "+ADw-script+AD4-window.pwned=1+ADw-/script+AD4-",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; Playwright downloads none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the report is not opened in a browser")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """An open page and everything it tried to do behind our back."""

    def __init__(self, browser: Browser, width: int = 1280, height: int = 800) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": height})
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    def open(self, path: Path, fragment: str = "") -> Page:
        self.page.goto(path.as_uri() + fragment)
        return self.page


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """A desktop window."""
    opened = Visit(browser)
    yield opened
    opened.page.close()


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


def hostile_report(path: Path) -> Path:
    """Every field that a log can fill holds an attack."""
    steps = [
        Step(
            index=index,
            agent=attack,
            kind="tool_result",
            role=attack,
            content=attack,
            reasoning=attack,
            reasoning_state="present",
            recipient=attack,
            tool=attack,
            arguments=attack,
            call_id=attack,
            tool_status="error",
            tool_rule=attack,
            model=attack,
            raw_time=attack,
            pointer=Pointer(file=attack, member=attack, path=attack),
        )
        for index, attack in enumerate(HOSTILE)
    ]
    edges = [
        Edge(
            source=index - 1,
            target=index,
            origin="reused",
            weight=0.5,
            reason=HOSTILE[index],
            source_spans=(TextSpan(start=0, end=99, text=HOSTILE[index]),),
            target_spans=(TextSpan(start=1, end=4, text=HOSTILE[index]),),
        )
        for index in range(1, len(HOSTILE))
    ]
    candidates = tuple(
        Candidate(
            rank=index + 1,
            step=index,
            agent=attack,
            probability=0.1,
            cues=(attack,),
            path=tuple(PathStep(step=i, agent=a, text=a, origin="reused") for i, a in enumerate(HOSTILE)),
        )
        for index, attack in enumerate(HOSTILE)
    )
    everything = "".join(HOSTILE)
    run = RUN.model_copy(
        update={
            "id": everything,
            "task": everything,
            "framework": everything,
            "outcome": "failure",
            "outcome_source": everything,
        }
    )
    finding = Finding(
        run=everything,
        analysis=everything,
        version=1,
        verdict="root_cause",
        verdict_reason=everything,
        method=everything,
        probability_basis=everything,
        basis_reason=everything,
        symptom=len(HOSTILE) - 1,
        candidates=candidates,
    )
    return write_html(path / "hostile.html", run, steps, edges, finding)


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


def test_nothing_in_a_hostile_log_runs_loads_or_becomes_an_element(visit: Visit, tmp_path: Path) -> None:
    """Every step is opened; the page keeps its two scripts, asks for nothing and complains of nothing."""
    assert len(HOSTILE) >= 40
    report = hostile_report(tmp_path)
    page = visit.open(report)
    clean = page.evaluate("Object.getOwnPropertyNames(Object.prototype).sort().join()")
    for index in range(len(HOSTILE)):
        page.evaluate("index => { location.hash = `#step=${index}` }", index)
        page.wait_for_function("title => document.querySelector('.title').textContent === title", arg=f"Step {index}")
    page.evaluate("document.querySelectorAll('*').forEach((node) => { node.dispatchEvent(new Event('pointerenter')) })")
    assert page.evaluate("window.pwned ?? ({}).pwned ?? null") is None
    assert page.evaluate("Object.getOwnPropertyNames(Object.prototype).sort().join()") == clean
    assert "__defineGetter__" in clean
    assert "pwned" not in clean
    assert page.locator("script").count() == 2
    assert (
        page.locator("img, iframe, object, embed, base, link, form, video, marquee, math, foreignObject").count() == 0
    )
    assert page.evaluate(
        "[...document.querySelectorAll('a')].every((a) => /^#step=\\d+$/.test(a.getAttribute('href')))"
    )
    assert visit.requests == [report.as_uri()]
    assert visit.complaints == []


def test_attacks_are_shown_as_the_text_that_they_are(visit: Visit, tmp_path: Path) -> None:
    """Escaping hides nothing: the reader sees the tag that the log holds."""
    page = visit.open(hostile_report(tmp_path), "#step=0")
    assert page.locator("#evidence pre").first.inner_text() == HOSTILE[0]


def test_the_policy_stops_a_script_that_gets_in_all_the_same(visit: Visit, tmp_path: Path) -> None:
    """A second line of defence: an inline script added to the page is refused by the browser."""
    page = visit.open(plain_report(tmp_path))
    page.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.pwned = 1'; document.body.append(s) }"
    )
    assert page.evaluate("window.pwned ?? null") is None
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)


@pytest.mark.parametrize(("width", "height"), [(390, 844), (800, 900), (1280, 800)])
def test_no_screen_scrolls_sideways(browser: Browser, tmp_path: Path, width: int, height: int) -> None:
    """Even names and words of a hostile length break inside their column."""
    visit = Visit(browser, width, height)
    page = visit.open(hostile_report(tmp_path))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_on_a_phone_the_evidence_comes_up_as_a_sheet_and_goes_again(browser: Browser, tmp_path: Path) -> None:
    """Out of sight until a step is chosen; Close puts it away."""
    visit = Visit(browser, 390, 844)
    page = visit.open(plain_report(tmp_path))
    sheet = page.locator("#evidence")
    assert not sheet.is_visible()
    page.locator(".candidates a").first.click()
    sheet.locator("mark").first.wait_for(state="visible")
    page.get_by_role("button", name="Close").click()
    sheet.wait_for(state="hidden")
    page.close()
