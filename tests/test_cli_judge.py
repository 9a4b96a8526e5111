"""`tracer blame --judge` as a user calls it, on a scripted server: votes, tiers, and how mistakes end."""

import base64
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer.schemas import BlameReport

Call = Callable[..., Any]
HISTORY = [
    {"role": "user", "name": "planner", "content": "Plan: count the whales."},
    {"role": "user", "name": "reader", "content": "I assume that it saw 4711 whales."},
    {"role": "user", "name": "writer", "content": "The answer is 4711.\x1b[2J"},
]


@pytest.fixture
def run(call: Call, tmp_path: Path) -> str:
    """A failed run in the store."""
    log = {"question": "How many whales?", "history": HISTORY, "mistake_agent": "reader", "mistake_step": "1"}
    (tmp_path / "log.json").write_text(json.dumps(log | {"ground_truth": "twelve and a half"}), encoding="utf-8")
    assert call("ingest", "log.json").code == 0
    return str(call("runs", "--json").json[0]["run"])


def names(step: int | None, *quotes: str) -> Callable[[dict[str, Any]], str]:
    """A judge that always says the same."""
    told = {
        "reason": "it is\x1b[2J so",
        "quotes": quotes,
        "step": step,
        "agent": "a",
        "confidence": 1,
        "abstain": step is None,
    }
    return lambda _: json.dumps(told)


def test_the_judge_is_a_tier_and_its_part_is_shown(call: Call, run: str, scripted: Callable[..., Any]) -> None:
    """Five votes for step 0, which the ranker does not put first; the right answer is never sent."""
    served = scripted(names(0, "count the whales", "count the wolves"))
    before = call("blame", run, "--json").json
    done = call("blame", run, "--judge", "--lm", served.url, "--json")
    assert (done.code, done.err) == (0, "")
    report = BlameReport.model_validate(done.json)
    assert (report.method, report.probability_basis) == ("judge", "uncalibrated")
    assert "weight of 0.5 is a prior" in report.basis_reason
    assert [(tier.tier, tier.step) for tier in report.tiers] == [
        ("structure", before["candidates"][0]["step"]),
        ("judge", 0),
        ("fused", report.candidates[0].step),
    ]
    chance = {each["step"]: each["probability"] for each in before["candidates"]}
    odds = {each.step: each.probability or 0.0 for each in report.candidates}
    # of three offered, five votes: (3 * 5 + 1) / 6 against (0 + 1) / 6, at weight 1/2: a factor of sqrt(16) = 4
    assert (odds[0] / odds[1]) / (chance[0] / chance[1]) == pytest.approx(4, rel=1e-6)
    assert report.judge is not None
    assert (report.judge["samples"], report.judge["votes"], report.judge["dropped_quotes"]) == (
        5,
        [{"step": 0, "votes": 5}],
        5,
    )
    assert report.judge["ballots"][0]["quotes"] == ["count the whales"]
    assert all("twelve and a half" not in json.dumps(body) for body in served.bodies)
    assert len(served.bodies) == 5


def test_the_report_for_people_says_what_each_tier_said(call: Call, run: str, scripted: Callable[..., Any]) -> None:
    served = scripted(names(1))
    done = call("blame", run, "--judge", "--lm", served.url, "--samples", "3")
    assert "(uncalibrated)" in done.out
    assert re.search(r"judge +step 1 \(3 of 3 samples \[44%, 100%\]\); to step 1 \+0\.46 nats at weight 0\.5", done.out)
    assert "one model's opinion" in done.out
    assert "\x1b" not in done.out
    page = Path("r.html")
    assert call("blame", run, "--judge", "--lm", served.url, "--html", page).code == 0
    block = json.loads(page.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])
    data = json.loads(zlib.decompress(base64.b64decode(block["runs"][0])))
    tiers = {tier["name"]: tier for tier in data["candidates"][0]["tiers"]}
    assert tiers["judge"]["asked"]
    assert tiers["judge"]["lines"][0].startswith("5 of 5 samples of scripted name it")
    assert "\x1b" not in json.dumps(data, ensure_ascii=False)


def test_a_judge_that_says_nothing_changes_no_figure(call: Call, run: str, scripted: Callable[..., Any]) -> None:
    """Abstained or unreadable: the ranker's order and figures stay, and the answer is counted."""
    before = {each["step"]: each["probability"] for each in call("blame", run, "--json").json["candidates"]}
    for reply, state in ((names(None), "abstained"), (lambda _: "Hm.", "unreadable")):
        found = call("blame", run, "--judge", "--lm", scripted(reply).url, "--json").json
        assert found["judge"][state] == 5
        after = {each["step"]: each["probability"] for each in found["candidates"]}
        assert after == {step: pytest.approx(chance, abs=1e-6) for step, chance in before.items()}
        assert "no answer" in call("blame", run, "--judge", "--lm", scripted(reply).url).out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--lm", "http://127.0.0.1:9/v1#m"), 5, "a server shows only what it writes: add --judge, or name a model"),
        (("--judge",), 5, "the judge is a chat model behind a server: --lm http://HOST:PORT/v1#MODEL"),
        (("--judge", "--lm", "pocket"), 5, "the judge is a chat model behind a server"),
        (("--judge", "--lm", "http://127.0.0.1:9/v1#m"), 5, "no server answers at http://127.0.0.1:9/v1"),
        (("--judge", "--lm", "http://127.0.0.1:9/v1#m", "--method", "rule-r"), 2, "leave out --method rule-r"),
        (("--fusion", "x.json"), 2, "--fusion weighs the judge: add --judge"),
        (("--judge", "--lm", "http://127.0.0.1:9/v1#m", "--fusion", "none.json"), 3, "none.json: cannot be read"),
        (("--judge", "--lm", "http://127.0.0.1:9/v1#m", "--fusion", "log.json"), 3, "log.json: no fusion weights"),
    ],
)
def test_mistakes_are_one_line(
    call: Call, run: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.setenv("TRACER_LM_PATIENCE", "0")
    done = call("blame", run, *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_the_environment_names_the_model_where_no_flag_does(
    call: Call, run: str, scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACER_LM for the judge, for `lm check` and for `cite`; the flag goes before it, and blame alone asks nobody."""
    served = scripted(names(0))
    monkeypatch.setenv("TRACER_LM", served.url)
    assert call("blame", run, "--json").json["method"] == "ranker"
    assert served.bodies == []
    assert call("blame", run, "--judge", "--json").json["judge"]["model"] == served.lm.name
    assert call("lm", "check", "--json").json["model"] == served.lm.name
    assert "echo with logprobs" in call("cite", f"{run}:2").err
    assert "no server answers at" in call("blame", run, "--judge", "--lm", "http://127.0.0.1:9/v1#m").err


def test_a_judge_does_not_go_with_all(call: Call, run: str) -> None:
    done = call("blame", "--all", "--judge", "--lm", "http://127.0.0.1:9/v1#m")
    assert (done.code, "leave out --lm, --replay and --drill" in done.err) == (2, True)


def test_one_library_call_does_the_same(call: Call, run: str, scripted: Callable[..., Any], tmp_path: Path) -> None:
    """The finding in the store is the one that was returned."""
    served = scripted(names(0))
    found = tracer.blame(run, tmp_path / "t.duckdb", judge=served.url, samples=2).finding
    printed = call("blame", run, "--judge", "--lm", served.url, "--samples", "2", "--json").json
    assert [each.model_dump(mode="json") for each in found.candidates] == printed["candidates"]
    assert (found.method, found.evidence["judge"]["samples"]) == ("judge", 2)


APP = '''
import random

def replay(prefix_steps, edited_step, seed):
    """The reader misreads in a quarter of all lives, the writer repeats the reader."""
    said = [step.content for step in [*prefix_steps, *([edited_step] if edited_step else [])]]
    kept, rng = len(said), random.Random(seed)
    if kept < 1:
        said.append("Plan: count the whales.")
    if kept < 2:
        said.append(f"It saw {4711 if rng.random() < 0.25 else 12}.")
    answer = "12" if "12" in said[1] else "4711"
    if kept < 3:
        said.append(f"Answer: {answer}")
    agents = ["planner", "reader", "writer"]
    return [{"agent": agents[k], "content": said[k]} for k in range(kept, 3)], answer == "12", answer
'''


def test_replay_has_the_last_word_over_a_judge_that_is_wrong(
    call: Call, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted: Callable[..., Any]
) -> None:
    """The judge says step 0; living it again says step 1. All tiers are shown, the judge's reasons among them."""
    (tmp_path / "judged_whales.py").write_text(APP, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    command = ("blame", run, "--judge", "--lm", scripted(names(0)).url, "--replay", "--with", "judged_whales:replay")
    found = call(*command, "--json").json
    assert (found["method"], found["candidates"][0]["step"], found["probability_basis"]) == ("replay", 1, "measured")
    assert [tier["tier"] for tier in found["tiers"]] == ["structure", "judge", "fused", "replay"]
    assert found["tiers"][-1]["gave"][0]["nats"] > 0
    assert found["judge"]["votes"] == [{"step": 0, "votes": 5}]
