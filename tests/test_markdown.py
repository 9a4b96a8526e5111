"""Findings as Markdown: what an issue shows, and that nothing of a log is read as markup there."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt  # what rich parses Markdown with
from markdown_it.token import Token

from tracer.analyses.divergence import diverge
from tracer.records import (
    Anchors,
    AnchorSentence,
    Candidate,
    Finding,
    PathStep,
    Resampled,
    Run,
    Step,
)
from tracer.reported import Reported
from tracer.text import clean
from tracer.viz.listing import listed
from tracer.viz.markdown import code, escaped, fenced, markdown_comparison, markdown_list, markdown_report

HOSTILE = (
    "`",
    "``` \n<script>alert(1)</script>\n```",
    "`````` `",
    "~~~\n# no heading\n~~~",
    "<img src=x onerror=alert(1)>",
    "</details><script>alert(1)</script>",
    "<!-- --><b>bold</b>",
    "[a link](https://example.com)",
    "![an image](https://example.com/beacon.png)",
    "[ref]: https://example.com",
    "https://example.com/x www.example.com mail@example.com",
    "@torvalds @org/team see #1 and GH-2 and owner/repo#3",
    "!1 ~bug %v1 &5 $2 ^1",
    "cell | cell || \\| \\",
    "**bold** _it_ ~~gone~~ $x^2$",
    "# heading\n## heading\n- list\n1. list\n> quote\n---\n===",
    "| a | b |\n|---|---|\n| c | d |",
    "&lt;script&gt; &#60;b&#62;",
    "\x1b[2J\x07\x00\u202eabc\u2066",
    "\ud800half",
    "",
    "   ",
)
ALLOWED = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "softbreak", "code_inline",
    "fence", "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open",
    "tr_close", "th_open", "th_close", "td_open", "td_close", "bullet_list_open", "bullet_list_close",
    "ordered_list_open", "ordered_list_close", "list_item_open", "list_item_close",
}  # fmt: skip
"""Kinds of token that our own words make; a log may add none: no HTML, link, image, emphasis, rule or quote."""
RUN = Run(
    id="a1b2c3d4e5f6", content_hash="a1b2c3d4e5f6", source="x.json", format="chat", task="Count.", outcome="failure"
)


def tokens(document: str) -> list[Token]:
    """Every token of the document as GitHub's dialect has it, HTML allowed."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [each for block in parser.parse(document) for each in (block, *(block.children or ()))]


def kinds(document: str) -> set[str]:
    return {token.type for token in tokens(document)}


def live(document: str) -> list[str]:
    """What a forge would turn into a mention, a reference or an address, in the text outside of code."""
    text = "\n".join(token.content for token in tokens(document) if token.type == "text")
    return re.findall(r"(?<![\w/])@\w[\w/-]*|#\d+|\bGH-\d+|https?://\S+|\bwww\.\S+|\w@\w|[!~%&$^][\w\"]", text)


def tables(document: str) -> list[list[str]]:
    """The lines of each table."""
    found = [token.map for token in tokens(document) if token.type == "table_open"]
    return [document.splitlines()[each[0] : each[1]] for each in found if each]


def story(text: str = "I assume 4711 whales.", agent: str = "Counter", run: Run = RUN) -> Reported:
    """Three steps; the second is the cause."""
    texts, agents = ("Please count.", text, "It is 4711."), ("Manager", agent, "Writer")
    steps = [Step(index=i, agent=agents[i], kind="message", content=texts[i]) for i in range(3)]
    path = (
        PathStep(step=1, agent=agent, text=""),
        PathStep(step=2, agent="Writer", text=text, origin="reused"),
    )
    cause = Candidate(rank=1, step=1, agent=agent, probability=0.41, cues=(f"quotes {text}",), path=path)
    other = Candidate(rank=2, step=0, agent="Manager", probability=0.2)
    finding = Finding(
        run=run.id,
        analysis="blame",
        version=1,
        verdict="root_cause",
        verdict_reason=f"because of {text}",
        method="ranker",
        probability_basis="in-domain",
        symptom=2,
        candidates=(cause, other),
    )
    return Reported(run, steps, [], finding, {1: [resampled(text)]}, {})


def resampled(text: str) -> Anchors:
    told = Resampled(
        before=0.2, after=0.9, effect=0.7, low=0.5, high=0.85, n_before=20, n_after=40, q=0.001,
        verdict="anchor", different=12,
    )  # fmt: skip
    sentences = (
        AnchorSentence(index=0, start=0, end=1, text="Well.", part="chain", weight=0.1),
        AnchorSentence(index=1, start=1, end=2, text=text, part="chain", weight=0.7, resampled=told),
        AnchorSentence(index=2, start=2, end=3, text="asked", part="prompt"),
    )
    return Anchors(
        content="0", target="t", method="resample", score=f"effect on {text}", model=text, revision="1",
        sentences=sentences,
    )  # fmt: skip


def report(of: Reported) -> str:
    return markdown_report(of.run, of.steps, of.edges, of.finding, of.anchors)


def test_a_report_says_who_when_how_sure_and_shows_the_step() -> None:
    """Verdict, facts, candidates with figures, the quoted cause, the path, the sentences, the claims."""
    text = report(story())
    assert text.startswith("## Root cause: step 1 by `Counter`, 41 % (in domain)\n")
    assert "Run `a1b2c3d4e5f6` · 3 steps by 3 agents · outcome failure · `chat` · method `ranker`, version 1" in text
    assert "| 2 | 0 | `Manager` | 20 % (in domain) | no cue fired |" in text
    assert "```text\nI assume 4711 whales.\n```" in text
    assert "2. step 2, `Writer` (symptom): reused `I assume 4711 whales.`" in text
    assert "  - 1: +0.70 [+0.50, +0.85] (n 20 and 40, q 0.001, anchor) `I assume 4711 whales.`" in text
    assert "- Nothing was replayed or changed" in text


def test_a_run_without_failure_has_no_candidates() -> None:
    """And claims no more than it may."""
    of = story()
    fine = of.finding.model_copy(update={"verdict": "no_failure", "candidates": (), "symptom": None})
    text = report(of._replace(finding=fine, anchors={}))
    assert text.startswith("## No failure\n")
    assert "Candidates" not in text
    assert "That is no proof that its answer is right." in text


@pytest.mark.parametrize("attack", HOSTILE)
def test_nothing_of_a_log_is_read_as_markup(attack: str) -> None:
    """In a report, in a comparison and in a list; tables keep their columns, and no mention, link or number is live."""
    run = RUN.model_copy(update={"task": attack, "framework": attack, "outcome_source": attack})
    of, other = story(attack, attack, run), story(f"{attack} else", attack, run.model_copy(update={"task": "other"}))
    documents = (
        report(of),
        markdown_comparison(of, other, diverge(of.steps, other.steps)),
        markdown_list([listed(each.run, each.steps, each.finding) for each in (of, other)]),
    )
    for document in documents:
        assert kinds(document) <= ALLOWED
        assert live(document) == []
        assert not re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", document)
        for table in tables(document):
            assert len({line.count("|") for line in table}) == 1
        document.encode()


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_quoted_step_stands_in_its_fence_as_it_is(attack: str) -> None:
    """Whatever fences it holds itself."""
    [fence] = [token for token in tokens(fenced(attack)) if token.type == "fence"]
    assert fence.content == clean(attack, lines=True) + "\n"


def test_a_long_step_is_cut_and_says_so() -> None:
    """An issue holds 65,536 characters."""
    text = fenced("x" * 5_000)
    assert "x" * 3_000 in text
    assert "x" * 3_001 not in text
    assert text.endswith("(the first 3,000 of 5,000 characters)")


@given(st.text(min_size=1, max_size=60))
def test_words_in_a_code_span_come_out_as_they_went_in(text: str) -> None:
    """On one line, white space collapsed."""
    spans = [token for token in tokens(f"a {code(text)} b") if token.type == "code_inline"]
    assert len(spans) == 1
    assert kinds(f"a {code(text)} b") <= ALLOWED


@given(st.text(max_size=60))
def test_an_escaped_sentence_is_read_as_its_own_words(text: str) -> None:
    """But for white space and the invisible spaces that break what would come alive."""
    read = "".join(token.content for token in tokens(f"x {escaped(text)}") if token.type == "text")
    plain = re.sub(r"[\s\u200b]", "", read)[1:]
    assert kinds(f"x {escaped(text)}") <= ALLOWED
    assert plain == re.sub(r"[\s\u200b]", "", clean(text))


def test_a_comparison_names_the_runs_and_quotes_where_they_part() -> None:
    """Then every row that differs."""
    good = RUN.model_copy(update={"id": "b" * 12, "outcome": "success"})
    left, right = story(), story("I counted 12 whales.", run=good)
    text = markdown_comparison(left, right, diverge(left.steps, right.steps))
    assert text.startswith("## The two runs part at step 1 · Counter\n")
    assert "The step before it is the same; the failed run says “assume 4711”, the good run “counted 12”" in text
    assert "The good run, step 1, `Counter`, message:\n\n```text\nI counted 12 whales.\n```" in text
    assert "| changed | 1 `Counter` `I assume 4711 whales.` | 1 `Counter` `I counted 12 whales.` |" in text


def test_a_long_list_is_cut_and_says_so() -> None:
    """200 rows fit into an issue."""
    row = listed(RUN, story().steps, story().finding)
    text = markdown_list([row] * 201)
    assert text.startswith("## 201 runs: 201 root cause\n")
    assert text.count("\n| `a1b2c3d4e5f6`") == 200
    assert text.endswith("(200 of 201 rows; the HTML report has all)\n")
