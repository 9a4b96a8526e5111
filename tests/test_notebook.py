"""The report in a notebook: a page in a frame, which follows its own links and reaches nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracer.explanation import Explanation
from tracer.records import Candidate, Finding, Run, Step

Visit = Any
"""An open page with what it asked for and complained of: see the fixture."""
RUN = Run(id="a1b2c3d4e5f6", content_hash="0", source="x.json", format="chat", outcome="failure")
STEPS = [
    Step(index=index, agent="coder", kind="message", content=f"Step {index} \"says\" <b>'so'.") for index in (0, 1)
]
FINDING = Finding(
    run=RUN.id,
    analysis="blame",
    version=1,
    verdict="root_cause",
    method="ranker",
    candidates=tuple(Candidate(rank=1 + step, step=step, agent="coder", probability=0.4) for step in (0, 1)),
)


def test_the_page_is_framed_with_nothing_but_its_own_script() -> None:
    """Sandboxed, and each quote inside escaped."""
    framed = Explanation(RUN, STEPS, [], FINDING)._repr_html_()
    assert framed.startswith('<iframe sandbox="allow-scripts" srcdoc="&lt;!doctype html&gt;')
    assert framed.count("<") == 2


def test_a_link_of_the_page_stays_in_its_frame(visit: Visit, tmp_path: Path) -> None:
    """Else it would lead to the notebook, of which the frame may know nothing."""
    framed = Explanation(RUN, STEPS, [], FINDING)._repr_html_()
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!doctype html><title>A notebook</title>{framed}", encoding="utf-8")
    visit.page.goto(notebook.as_uri())
    frame = visit.page.frame_locator("iframe")
    frame.locator(".candidates a").nth(1).click()
    assert frame.locator("#evidence .title").inner_text() == "Step 1"
    assert "\"says\" <b>'so'." in frame.locator("#evidence").inner_text()
    assert visit.page.url == notebook.as_uri()
    assert visit.requests == [notebook.as_uri()]
    assert visit.complaints == []


def test_a_notebook_that_shows_markdown_only_gets_it() -> None:
    """The same report."""
    assert Explanation(RUN, STEPS, [], FINDING)._repr_markdown_().startswith("## Root cause: step 0 by `coder`")
