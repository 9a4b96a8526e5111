"""Make the pictures of the reports that the documentation shows: `python scripts/make_screenshots.py docs/images`.

Runs `tracer demo` in a temporary folder, reports one run, all runs and a pair of them, and takes each view by day and
by night: VIEW-light.webp and VIEW-dark.webp, half as large as PNG. The views of a step's reasoning need torch and are
left out without it. Needs Chromium on the machine and playwright from the group `tests`.
"""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracer.cli import main as tracer
from tracer.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MOST = 150_000
"""Bytes of one picture."""
QUALITY = 90
"""Of WebP: above it letters look the same."""
CAUSE, FAILED, GOOD = "rail-orders.ag2.json", "quarterly-report.otlp.jsonl", "quarterly-report-ok.spans.json"
"""A run of which blame is sure, and one that failed beside one that did not."""
DESK, PHONE = (1280, 800), (390, 844)
REASONING = "#evidence .sentence"


class View(NamedTuple):
    """One picture."""

    name: str
    page: str
    act: Callable[[Page], None]
    """What one does to get there."""
    size: tuple[int, int] = DESK
    needs: str = "#page"
    """The view is left out of a page that has no such element."""


def as_it_opens(page: Page) -> None:
    """Nothing has to be done."""


def words_of_an_edge(page: Page) -> None:
    page.locator("#evidence .links button", has_text="reused").first.click()


def sentence(page: Page) -> None:
    """The one that the finding names, else the first."""
    named = page.locator("#evidence .an-lead a")
    (named if named.count() else page.locator(REASONING)).first.click()
    page.wait_for_timeout(100)  # the page itself goes to the sentence; the picture begins with the heading
    page.locator("#evidence .inside").evaluate(
        "(node) => { node.scrollIntoView(); node.parentElement.scrollTop -= 20 }"
    )


def wide(page: Page) -> None:
    page.keyboard.press("w")
    sentence(page)


def methods(page: Page) -> None:
    page.keyboard.press("w")
    page.get_by_role("tab").last.click()


def first_candidate(page: Page) -> None:
    page.locator("#summary .candidates a").first.click()


VIEWS = (
    View("run", "cause", as_it_opens),
    View("edge", "cause", words_of_an_edge),
    View("anchors", "demo", sentence, needs=REASONING),
    View("wide", "demo", wide, needs=REASONING),
    View("methods", "demo", methods, needs="#evidence [role=tab]"),
    View("list", "all", as_it_opens),
    View("pair", "pair", as_it_opens),
    View("phone", "demo", as_it_opens, PHONE),
    View("phone-step", "demo", first_candidate, PHONE),
)


def reports(folder: Path) -> dict[str, Path]:
    """The demo's own report, that of a run of which blame is sure, all runs, and a pair; by name."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        ask("demo", "--folder", str(folder))
        with Store.open(folder / "demo.duckdb", read_only=True) as store:
            runs = {Path(run.source).name: run.id for run in store.runs()}
        for name, what in (("cause", [runs[CAUSE]]), ("all", ["--all"]), ("pair", [runs[FAILED], runs[GOOD]])):
            ask("report", *what, "--html", str(folder / f"{name}.html"), "--db", str(folder / "demo.duckdb"))
    return {"demo": folder / "report.html", **{name: folder / f"{name}.html" for name in ("cause", "all", "pair")}}


def ask(*arguments: str) -> None:
    if tracer(list(arguments)) != 0:
        raise SystemExit(f"`tracer {' '.join(arguments)}` failed")


def take(browser: Browser, view: View, report: Path, scheme: str, folder: Path) -> Path | None:
    """The picture's file, or None where there is nothing to show."""
    width, height = view.size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    if not page.locator(view.needs).count():
        page.close()
        return None
    view.act(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)  # until the canvases are drawn
    file = folder / f"{view.name}-{scheme}.webp"
    shot = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    file.write_bytes(base64.b64decode(shot["data"]))
    page.close()
    return file


def main() -> None:
    from playwright.sync_api import sync_playwright

    if len(sys.argv) != 2:
        raise SystemExit("usage: python scripts/make_screenshots.py FOLDER")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        made = reports(Path(place))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for view in VIEWS:
            for scheme in ("light", "dark"):
                file = take(browser, view, made[view.page], scheme, folder)
                size = file.stat().st_size if file else 0
                told = f"{size / 1000:.0f} kB" if file else "left out: needs torch"
                print(f"{view.name}-{scheme}: {told}{' TOO LARGE' * (size > MOST)}")
        browser.close()


if __name__ == "__main__":
    main()
