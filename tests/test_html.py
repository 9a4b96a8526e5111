"""The report as a file: self-contained, escaped, exact, and written whole or not at all."""

import base64
import hashlib
import json
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tracer.errors import TracerError
from tracer.records import Candidate, Edge, Finding, PathStep, Run, Step, TextSpan
from tracer.viz.html import html_report, write_html
from tracer.viz.run_data import LONGEST, part

RUN = Run(id="a1b2c3d4e5f6", content_hash="a1b2c3d4e5f6", source="log.json", format="chat", task="Count the whales.")
STEPS = (
    Step(index=0, agent="Manager", kind="message", content="Please count."),
    Step(index=1, agent="Counter", kind="message", content="🐋 I assume 42."),
    Step(index=2, agent="Helper", kind="message", content="Fine."),
    Step(index=3, agent="Writer", kind="message", content="It is 42."),
)
EDGE = Edge(
    source=1,
    target=3,
    origin="reused",
    weight=0.8,
    reason="reuses 42",
    source_spans=(TextSpan(start=11, end=13, text="42"),),
    target_spans=(TextSpan(start=6, end=8, text="42"),),
)
CAUSE = Candidate(
    rank=1,
    step=1,
    agent="Counter",
    probability=0.41,
    cues=("states a guess",),
    path=(PathStep(step=1, agent="Counter", text=""), PathStep(step=3, agent="Writer", text="42", origin="reused")),
)
FINDING = Finding(
    run=RUN.id,
    analysis="blame",
    version=1,
    verdict="root_cause",
    method="ranker",
    probability_basis="out-of-domain",
    symptom=3,
    candidates=(CAUSE, Candidate(rank=2, step=0, agent="Manager", probability=0.2)),
)


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the raw text of style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] in ("style", "script") and data.strip():
            self.raw.append(data)
        self.text += data


def page_of(**changes: Any) -> str:
    return html_report(RUN, STEPS, (EDGE,), FINDING.model_copy(update=changes))


def data_of(page: str) -> Any:
    """The first run of a page, inflated."""
    block = json.loads(page.split('id="data">')[1].split("</script>")[0])
    return json.loads(zlib.decompress(base64.b64decode(block["runs"][0])))


def test_the_page_refers_to_nothing_outside_itself() -> None:
    """Links lead to its own steps; there is no source, no inline style and no inline handler."""
    for tag, attributes in Elements(page_of()).found:
        assert tag not in {"img", "iframe", "link", "object", "base", "form"}
        assert not {"src", "style", "srcset", "action"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#step=").startswith("#step=")


def test_the_policy_names_the_hashes_of_the_style_and_the_script() -> None:
    """Worked out again from the page itself."""
    elements = Elements(page_of())
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    style, _, script = elements.raw
    for text in (style, script):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in (policy or "")
    assert (policy or "").startswith("default-src 'none'; ")


def test_the_script_never_turns_text_into_markup() -> None:
    """The few ways to do so do not occur in it."""
    script = Elements(page_of()).raw[-1]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "fetch("):
        assert way not in script


def test_a_step_keeps_every_character_of_its_text() -> None:
    """Also a lone half of a surrogate pair, a null and the end of a script element."""
    text = "\x00 \ud800 </script> <!-- \u2028 🐋 \r\n\t end"
    page = html_report(RUN, [Step(index=0, agent="a", kind="message", content=text)], (), FINDING)
    assert data_of(page)["steps"][0]["content"] == text
    assert page.count("</script>") == 2


def test_a_text_of_great_length_is_cut_and_says_so() -> None:
    """Of 20,001 letters the page holds 20,000 and the count; spans of the arguments still count from the whole."""
    steps = [Step(index=0, agent="a", kind="tool_call", content="x" * (LONGEST + 1), arguments="{}")]
    step = data_of(html_report(RUN, steps, (), FINDING))["steps"][0]
    assert (len(step["content"]), step["cuts"], step["wide"]) == (20_000, {"content": 20_001}, 20_001)


def test_the_evidence_of_each_tier_stands_apart() -> None:
    """No judge was asked and nothing was measured here, and both say so."""
    told = {tier["name"]: tier["asked"] for tier in data_of(page_of())["candidates"][0]["tiers"]}
    assert told == {"structure": True, "judge": False, "intervention": False}


def test_spans_count_as_the_browser_counts() -> None:
    """The whale is one code point and two UTF-16 units, so 11..13 becomes 12..14; the other text has no such sign."""
    assert data_of(page_of())["edges"] == [[1, 3, "reused", 0.8, "", [12, 14], [6, 8], 1]]


def test_each_step_knows_its_part() -> None:
    """Cause 1, symptom 3; step 2 plays none. Without a verdict the first candidate is only the best guess."""
    assert [part(index, FINDING) for index in range(4)] == ["", "cause", "", "symptom"]
    assert part(1, FINDING.model_copy(update={"verdict": "inconclusive"})) == "lead"
    assert part(1, FINDING.model_copy(update={"verdict": "no_failure"})) == ""
    assert part(3, FINDING.model_copy(update={"symptom": None})) == "path"


def test_no_percentage_stands_alone() -> None:
    """Each says where it comes from, in the data and in the lines for readers without scripts."""
    page = page_of()
    for text in (Elements(page).text, json.dumps(data_of(page))):
        assert text.count("41 % (out of domain)") == text.count("41 %") > 0
        assert text.count("20 % (out of domain)") == text.count("20 %") > 0


@pytest.mark.parametrize(
    ("verdict", "title"),
    [("root_cause", "step 1 · Counter"), ("inconclusive", "inconclusive"), ("no_failure", "no failure")],
)
def test_every_verdict_has_its_page(verdict: str, title: str) -> None:
    """The reason stands below the title."""
    text = Elements(page_of(verdict=verdict, verdict_reason="Replay step 1 to settle it.")).text
    assert title in text
    assert "Replay step 1 to settle it." in text


def test_a_path_that_does_not_reach_the_symptom_says_so() -> None:
    """The same words as in the terminal."""
    alone = CAUSE.model_copy(update={"path": ()})
    assert data_of(page_of(candidates=(alone,)))["unreached"] == "No words of step 1 reach the symptom, step 3."


def test_a_run_without_steps_has_a_page() -> None:
    """Nothing to show is no error."""
    page = html_report(RUN, (), (), FINDING.model_copy(update={"candidates": (), "symptom": None}))
    assert "0 steps by 0 agents" in Elements(page).text


def test_edges_and_candidates_may_name_steps_that_do_not_exist() -> None:
    """A damaged finding leaves out what it cannot place."""
    lost = EDGE.model_copy(update={"target": 99})
    stray = CAUSE.model_copy(update={"step": 77})
    page = html_report(RUN, STEPS, (EDGE, lost), FINDING.model_copy(update={"candidates": (stray,), "symptom": 88}))
    assert len(data_of(page)["edges"]) == 1


def test_a_report_replaces_an_older_one(tmp_path: Path) -> None:
    """Only the report itself is left in the folder, and it can be read like any other file."""
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write_html(path, RUN, STEPS, (EDGE,), FINDING) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("where", ["missing/report.html", "folder", "file/report.html"])
def test_a_place_that_cannot_be_written_gives_one_line(tmp_path: Path, where: str) -> None:
    """A missing folder, a folder in the file's place, a file in the folder's place; nothing is left behind."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TracerError, match=r"cannot write .*: name a file in a folder you may write to") as caught:
        write_html(tmp_path / where, RUN, STEPS, (EDGE,), FINDING)
    assert "\n" not in str(caught.value)
    assert {entry.name for entry in tmp_path.iterdir()} == {"folder", "file"}
