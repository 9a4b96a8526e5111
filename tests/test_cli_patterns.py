"""`tracer patterns` as a user calls it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracer.fleet import Patterns

Call = Callable[..., Any]
Office = Callable[..., Path]


def test_patterns_tells_what_failed_runs_have_in_common(call: Call, office: Office) -> None:
    """At 80 columns without colour; the next command names a failed run."""
    assert call("ingest", office(0)).code == 0
    done = call("patterns")
    assert done.code == 0
    assert "1  lookup fails for export\n" in done.out
    assert "2  pricer drops “currency”\n" in done.out
    assert "export · calls lookup" in done.out
    assert "\x1b" not in done.out
    run = done.err.removeprefix("next: `tracer blame ").partition("`")[0]
    assert call("blame", run).code == 0


def test_patterns_as_json_has_the_published_form(call: Call, office: Office) -> None:
    """Every figure with its interval, every rate a fraction; nothing else is printed."""
    assert call("ingest", office(0)).code == 0
    done = call("patterns", "--json")
    found = Patterns.model_validate(done.json)
    assert done.err == ""
    first = found.suspects[0]
    explains = first.measures["explained"]
    assert explains is not None
    assert 0 <= explains.low <= explains.value <= explains.high <= 1
    assert first.examples[0] in {each["run"] for each in call("runs", "--failed", "--json").json}
    schema = call("schema", "patterns").json
    assert set(schema["required"]) <= set(done.json)


def test_patterns_of_some_runs_only(call: Call, office: Office) -> None:
    """By address, each once."""
    assert call("ingest", office(0, count=20)).code == 0
    failed = [each["run"] for each in call("runs", "--failed", "--json").json]
    done = call("patterns", failed[0], failed[1], failed[0], "--json").json
    assert (done["failed"], done["succeeded"], done["tested"]) == (2, 0, 0)


def test_a_mistake_is_one_line(call: Call, office: Office) -> None:
    """No database, no such run, no such measure or method, nothing that failed."""
    assert call("patterns").code == 3
    assert call("ingest", office(0, count=8, faults=False)).code == 0
    for run in call("runs", "--failed", "--json").json:
        assert call("mark", run["run"], "--ok").code == 0
    for arguments in (["patterns"], ["patterns", "ffffffff"], ["patterns", "--by", "x"], ["patterns", "@last:3"]):
        done = call(*arguments)
        assert done.code == 2
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
