"""ATIF's files: which are its own, and how those of one run join."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors import atif
from tracer.collectors.container import open_containers
from tracer.collectors.ingest import ingest, read_recordings
from tracer.store import Store

Entry = dict[str, Any]


def document(*steps: Any, **more: Any) -> Entry:
    agent = {"name": "lead", "version": "1", "model_name": "m"}
    return {"schema_version": "ATIF-v1.7", "session_id": "s", "agent": agent, "steps": list(steps), **more}


def step(source: str, message: Any = "", **more: Any) -> Entry:
    return {"step_id": 1, "source": source, "message": message, **more}


def call(name: str, identifier: str | None = None) -> Entry:
    made: Entry = {"function_name": name, "arguments": {"a": 1}}
    return made | ({"tool_call_id": identifier} if identifier else {})


def observed(*results: Entry) -> Entry:
    return {"results": list(results)}


def files(folder: Path) -> tuple[Path, Path]:
    """A trajectory that refers to a file below its own folder, as before 1.7."""
    refers = {"content": "done", "subagent_trajectory_ref": [{"session_id": "t", "trajectory_path": "sub/helper.json"}]}
    lead = document(step("agent", tool_calls=[call("go", "c")], observation=observed(refers)))
    helper = document(step("user", "Go."), step("agent", "I go."), agent={"name": "helper", "version": "1"})
    paths = folder / "trajectory.json", folder / "sub/helper.json"
    paths[1].parent.mkdir(parents=True)
    for path, value in zip(paths, (lead, helper), strict=True):
        path.write_text(json.dumps(value))
    return paths


@pytest.mark.parametrize("first", [0, 1])
def test_a_sub_agents_file_joins_the_trajectory_that_names_its_path(tmp_path: Path, first: int) -> None:
    """In either order; the file's row says whose part it is."""
    paths = files(tmp_path / "logs")
    with Store.open(tmp_path / "t.duckdb") as store:
        result = ingest([paths[first], paths[1 - first]], store)
        [run] = store.runs()
        steps = store.steps(run.id)
    assert {each.source: each.part_of for each in result.sources} == {str(paths[0]): None, str(paths[1]): str(paths[0])}
    assert [(each.agent, each.content, each.parents) for each in steps] == [
        ("lead", "", ()),
        ("lead", "Go.", (0,)),
        ("helper", "I go.", ()),
        ("helper", "done", (0, 2)),
    ]
    assert run.notes == ()


def test_files_that_refer_to_each_other_are_one_run(tmp_path: Path) -> None:
    """A ring, or a file that names itself, ends."""
    for name, other in (("a", "b"), ("b", "a"), ("c", "c")):
        refers = {"content": name, "subagent_trajectory_ref": [{"trajectory_path": f"{other}.json"}]}
        value = document(step("agent", tool_calls=[call("go", "c")], observation=observed(refers)), session_id=name)
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    recordings, _ = read_recordings([tmp_path])
    assert sorted(len(steps) for _, steps in recordings) == [2, 4]


def test_the_real_run_of_openhands(real_logs: Path) -> None:
    """By jq: 6 steps, two calls of which one has a result, 220 and 80 tokens, which is the file's own total."""
    path = real_logs / "samples/atif/harbor_openhands.json"
    [(run, steps)] = read_recordings([path])[0]
    total = json.loads(path.read_text())["final_metrics"]
    assert Counter(each.kind for each in steps) == {"system": 3, "message": 1, "tool_call": 2, "tool_result": 1}
    assert [each.tool for each in steps if each.kind == "tool_call"] == ["str_replace_editor", "finish"]
    assert (steps[5].tool_status, steps[5].parents) == ("ok", (4,))
    assert sum(each.input_tokens or 0 for each in steps) == total["total_prompt_tokens"] == 220
    assert sum(each.output_tokens or 0 for each in steps) == total["total_completion_tokens"] == 80
    assert (run.framework, run.outcome, run.answer) == ("openhands", "unknown", "All done! What's next on the agenda?")


def test_the_real_embedded_sub_agent(real_logs: Path) -> None:
    """The researcher's two steps stand between the hand-off and its result; tokens are 42 + 25 and 12 + 9."""
    [(run, steps)] = read_recordings([real_logs / "samples/atif/v17_embedded_subagents.json"])[0]
    assert [(each.agent, each.kind, each.parents) for each in steps] == [
        ("user", "message", ()),
        ("orchestrator", "handoff", ()),
        ("orchestrator", "message", (1,)),
        ("researcher", "message", ()),
        ("researcher", "tool_result", (1, 3)),
        ("system", "system", ()),
        ("system", "system", ()),
        ("orchestrator", "message", ()),
    ]
    assert sum(each.input_tokens or 0 for each in steps) == 67
    assert sum(each.output_tokens or 0 for each in steps) == 21
    assert [each.model for each in steps if each.model] == ["gpt-4.1-mini", "gpt-4.1"]
    assert {each.reasoning_state for each in steps} == {"absent"}
    assert (run.outcome, run.notes) == ("unknown", ())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1], "no JSON object"),
        ({"schema_version": "1.7", "steps": []}, "no 'schema_version' that starts with ATIF-"),
        ({"schema_version": "ATIF-v1.7"}, "no key 'steps'"),
        ({"schema_version": "ATIF-v9", "steps": []}, None),
    ],
)
def test_a_document_names_its_version_and_has_steps(tmp_path: Path, value: Any, reason: str | None) -> None:
    """Whatever the version."""
    (tmp_path / "a.json").write_text(json.dumps(value))
    [container] = open_containers(tmp_path / "a.json")
    assert atif.detect(container) == reason
