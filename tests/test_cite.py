"""`tracer cite` on a talk whose sources are known: Ana is what West said, and Kim is nobody's."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import tracer
from tracer import citation
from tracer.analyses.cite import Question, cite, edges_of
from tracer.analyses.citing import hanging
from tracer.citation import Options
from tracer.lm import load
from tracer.lm.local import LocalLM
from tracer.records import Cited, Run, Step
from tracer.schemas import json_schema

RUN = Run(id="0" * 12, content_hash="0" * 64, source="here", format="here")
FACTS = "Ana: Hal +5. Hal: 3."


@pytest.fixture(scope="module")
def lm() -> LocalLM:
    """The shipped model."""
    return load()


def talk(said: str = FACTS) -> list[Step]:
    """The planner is told two facts, and hands on what it says it was told."""
    return [
        Step(index=0, agent="user", kind="message", content="Ana: West. Hal: East. What is Ana?"),
        Step(index=1, agent="Planner", kind="message", content="to West: Ana?", reasoning="We need Ana. Ana: West."),
        Step(index=2, agent="West", kind="message", content="to Planner: Ana: Hal +5.", reasoning="Ana: Hal +5."),
        Step(
            index=3,
            agent="Planner",
            kind="message",
            content="to East: Hal?",
            reasoning="Ana: Hal +5. We need Hal. Hal: East.",
        ),
        Step(index=4, agent="East", kind="message", content="to Planner: Hal: 3.", reasoning="Hal: 3."),
        Step(
            index=5,
            agent="Planner",
            kind="handoff",
            content=f"to Solver: {said} What is Ana?",
            reasoning="Hal: 3. All facts are here.",
        ),
    ]


def asked(method: str = "leave-one-out", said: str = FACTS, **more: Any) -> Question:
    return Question(RUN, talk(said), 5, method, **more)


@pytest.mark.parametrize("method", ["leave-one-out", "context-cite"])
def test_each_fact_comes_from_whoever_told_it(lm: LocalLM, method: str) -> None:
    """The claim `Ana: Hal +5.` is West's, the question is the user's; no claim is made up."""
    found = cite(lm, asked(method))
    first = {claim.text: claim.sources[0].step for claim in found.claims}
    assert first["Ana: Hal +5."] == 2
    assert first["What is Ana?"] == 0
    assert {each.step for each in found.whole.sources} == {0, 2, 4}
    assert all(claim.unsupported == () for claim in found.claims)


def test_a_drop_is_the_loss_of_log_probability_without_that_line(lm: LocalLM) -> None:
    """By hand: ln p of all that the step thinks and says in the text, less ln p in the text without West's line."""
    found = cite(lm, asked(check=False)).whole
    lines = [
        "User: to Planner: Ana: West. Hal: East. What is Ana?\n",
        "West: to Planner: Ana: Hal +5.\n",
        "East: to Planner: Hal: 3.\n",
    ]
    own = f" <think> Hal: 3. All facts are here. </think> to Solver: {FACTS} What is Ana?\n"
    whole, without = (
        lm.logprobs("".join(kept) + "Planner:", [own])[0].logprob for kept in (lines, [lines[0], lines[2]])
    )
    assert found.logprob == pytest.approx(whole, abs=1e-3)
    assert {each.step: each.score for each in found.sources}[2] == pytest.approx(whole - without, abs=1e-3)


def test_a_word_is_shared_out_among_the_sources_that_make_it_likelier() -> None:
    """By hand, for three words: 2 and 2 nats of four are .5 and .5, squared .25 each; 3 nats of three are 1; .5 nats
    count as .5 of one nat, squared .25; what makes a word less likely counts nothing and takes nothing away."""
    effects = np.array([[2.0, 3.0, -9.0], [2.0, -9.0, 0.5]])  # (sources, words)
    every, last = np.array([True, True, True]), np.array([False, False, True])
    np.testing.assert_allclose(hanging(effects, [every, last]), [[1.25, 0.5], [0.0, 0.25]])


def test_sources_are_listed_by_the_words_that_hang_on_them(lm: LocalLM) -> None:
    """Not by nats; the shares are parts of those words."""
    listed = cite(lm, asked(check=False)).whole.sources
    words = [each.words for each in listed if each.words is not None]
    assert words == sorted(words, reverse=True)
    assert len(words) == len(listed) == 3
    np.testing.assert_allclose([each.share for each in listed], np.array(words) / sum(words), atol=1e-3)


def test_what_a_tool_or_a_user_brings_in_is_not_called_made_up(lm: LocalLM) -> None:
    """The same words, said by an agent, are."""
    said = talk()[4].model_copy(update={"content": "to Planner: Hal: 27.", "reasoning": None})
    call = Step(index=3, agent="Planner", kind="message", content="to Files: Hal?")
    kinds = [("East", "message", talk()[3]), ("Files", "tool_result", call), ("User", "message", talk()[3])]
    found = []
    for agent, kind, before in kinds:
        steps = [*talk()[:3], before, said.model_copy(update={"agent": agent, "kind": kind})]
        found.append(cite(lm, Question(RUN, steps, 4, "leave-one-out", check=False)).claims[0].unsupported)
    assert found == [("27",), (), ()]


def test_a_claim_that_nobody_told_is_unsupported(lm: LocalLM) -> None:
    """Kim was never named, and 27 stands nowhere; the facts beside it stay supported."""
    found = cite(lm, asked(said="Ana: Hal +5. Kim: 27. Hal: 3.", check=False))
    assert {claim.text: claim.unsupported for claim in found.claims if claim.unsupported} == {"Kim: 27.": ("27",)}


def test_the_check_says_what_taking_sources_away_does(lm: LocalLM) -> None:
    """Three sources, so the three best are all of them."""
    found = cite(lm, asked()).check
    assert found is not None
    assert found.k == 3
    assert found.drop == found.all > 10
    assert found.insertion is not None
    assert found.deletion is not None
    assert found.insertion > found.deletion


def test_no_row_is_read_whole(lm: LocalLM) -> None:
    """Leave-one-out reads less than a pass for each source and one for the text."""
    cost = cite(lm, asked(check=False)).cost
    assert cost["rows"] == 3
    assert cost["tokens"] < cost["plain"]


def test_edges_are_the_sources_that_count(lm: LocalLM) -> None:
    found = cite(lm, asked(check=False))
    edges = edges_of(found)
    assert {edge.source for edge in edges} <= {0, 2, 4}
    assert (2, 5, "measured") in {(edge.source, edge.target, edge.origin) for edge in edges}
    assert np.isclose(sum(each.share for each in found.whole.sources), 1, atol=1e-3)


def log(folder: Any) -> Any:
    """A log with the same talk, said by agents that the pocket model knows."""
    import json

    history = [{"role": "user", "name": step.agent, "content": step.content.removeprefix("to ")} for step in talk()[2:]]
    value = {"question": "What is Ana?", "history": history, "mistake_agent": "West", "mistake_step": "0"}
    path = folder / "log.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_an_answer_is_kept_and_its_edges_are_added_once(call: Callable[..., Any], tmp_path: Any) -> None:
    """Asked twice the JSON is the same; added twice, the graph has each measured edge once."""
    assert call("ingest", log(tmp_path)).code == 0
    first = call("cite", "@last:3", "--json")
    assert first.code == 0, first.err
    assert set(first.json) <= set(json_schema("cite")["properties"])
    assert Cited.model_validate(first.json).model == "pocket"
    assert call("cite", "@last:3", "--json", "--add").out == first.out
    once = call("graph", "--json").json["edges"]
    assert call("cite", "@last:3", "--add").code == 0
    assert call("graph", "--json").json["edges"] == once
    assert call("db", "verify").code == 0


def test_one_library_call_does_the_same(call: Callable[..., Any], tmp_path: Any) -> None:
    """The same record as the command's JSON, with the database named or taken from the environment."""
    assert call("ingest", log(tmp_path)).code == 0
    printed = call("cite", "@last:3", "--span", "Hal: 3.", "--by", "sentence", "--json").json
    found = tracer.cite("@last", 3, tmp_path / "t.duckdb", span="Hal: 3.", by="sentence")
    assert found == Cited.model_validate(printed)
    assert tracer.cite("@last", 3, tmp_path / "t.duckdb", method="reuse").model is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["@last"], 2, "names no step"),
        (["@last:99"], 2, "has no step 99"),
        (["@last:3", "--span", "krill"], 3, "does not say 'krill'"),
        (["@last:3", "--method", "guess"], 2, "leave-one-out, context-cite, reuse"),
        (["@last:3", "--by", "word"], 2, "by step or by sentence"),
        (["@last:3", "--lm", "http://localhost:1"], 5, "no server answers"),
        (["@last:3", "--method", "reuse", "--add"], 2, "measures nothing"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    call: Callable[..., Any], tmp_path: Any, arguments: list[str], code: int, words: str
) -> None:
    call("ingest", log(tmp_path))
    done = call("cite", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_foreign_text_is_refused_by_the_pocket_model(call: Callable[..., Any], tmp_path: Any) -> None:
    """It names --lm; without a language model the values still show."""
    path = log(tmp_path)
    path.write_text(path.read_text().replace("Hal: 3.", "The quarterly figure was 4711 krill."))
    call("ingest", path)
    done = call("cite", "@last:3")
    assert done.code == 5
    assert "--lm MODEL, or --method reuse" in done.err
    assert done.err.count("\n") == 1
    assert call("cite", "@last:3", "--method", "reuse").code == 0


@pytest.mark.parametrize(
    ("arguments", "hinted"),
    [
        (["--method", "reuse"], "`tracer graph RUN` shows the edges, `--json` gives all"),
        (["--method", "reuse", "--span", "Hal: 3."], "`tracer graph RUN` shows the edges, `--json` gives all"),
        ([], "`--add` adds it to the graph, `--json` gives all"),
        (["--add"], "`tracer graph RUN` shows the edges, `--json` gives all"),
    ],
)
def test_the_hint_offers_only_what_does_not_refuse(
    call: Callable[..., Any], tmp_path: Any, arguments: list[str], hinted: str
) -> None:
    """`reuse` measures nothing that could be added; its edges are in the graph from the start."""
    call("ingest", log(tmp_path))
    run = call("cite", "@last:3", "--method", "reuse", "--json").json["run"]
    done = call("cite", "@last:3", *arguments)
    assert done.code == 0, done.err
    assert hinted.replace("RUN", run) in done.out + done.err
    assert call("graph", run).code == 0


@pytest.mark.parametrize("moment", ["sources", "check"])
def test_ctrl_c_leaves_the_database_whole(call: Callable[..., Any], tmp_path: Path, moment: str) -> None:
    """A real signal in the middle of the rows, or of the check: nothing is stored, and asking again answers whole."""
    call("ingest", log(tmp_path))
    database = tmp_path / "t.duckdb"

    def interrupt(words: str, done: int, total: int) -> None:
        if words == moment:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        citation.cite(database, "@last", 3, Options(add=True), interrupt)
    assert call("db", "verify").code == 0
    with duckdb.connect(str(database), read_only=True) as store:
        assert store.execute("SELECT count(*) FROM citations").fetchall() == [(0,)]
        assert store.execute("SELECT count(*) FROM edges WHERE origin = 'measured'").fetchall() == [(0,)]
    again = call("cite", "@last:3", "--json")
    assert Cited.model_validate(again.json).check is not None
