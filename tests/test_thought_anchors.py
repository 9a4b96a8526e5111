"""The problem folder of Thought Anchors is one run of two steps, from which the full text can be joined again."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import is_log_folder, open_containers
from tracer.collectors.ingest import Loaded, ingest, read_recordings
from tracer.collectors.registry import recognise
from tracer.collectors.thought_anchors import cut
from tracer.errors import BadInputError
from tracer.records import Recording
from tracer.sentences import split
from tracer.store import Store

PROMPT = "Solve it. Problem: What is 6 × 7? Solution: \n<think>\n"
SOLUTION = "Six sevens.\n\nThat is 41.\n</think>\n\nIt is \\boxed{41}. \n"
BASE = {"prompt": PROMPT, "solution": SOLUTION, "full_cot": PROMPT + SOLUTION, "answer": "41", "is_correct": False}
PROBLEM = {"problem": "What is 6 × 7?", "level": "Level 1", "gt_answer": "42"}
LABELS = [
    {"chunk": "Six sevens.", "function_tags": ["problem_setup"], "counterfactual_importance_kl": 0.5},
    {"chunk": "That is 41.", "function_tags": ["active_computation", "self_checking"]},
]


def problem_folder(above: Path, base: Any = BASE, **others: Any) -> Path:
    """A folder as the data set has it; `others` are further files by their stem."""
    folder = above / "problem_7"
    folder.mkdir(parents=True)
    for name, value in {"base_solution": base, "problem": PROBLEM, "chunks_labeled": LABELS, **others}.items():
        if value is not None:
            (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def load(path: Path) -> Recording:
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "thought_anchors"
    [recording] = collector.read(container).recordings
    return recording


def test_a_folder_is_one_run_with_the_outcome_it_states(tmp_path: Path) -> None:
    """Task and right answer come from problem.json, the rest from base_solution.json."""
    run = load(problem_folder(tmp_path)).run
    assert (run.task, run.answer, run.expected) == ("What is 6 × 7?", "41", "42")
    assert (run.outcome, run.outcome_source, run.group) == ("failure", "is_correct", "What is 6 × 7?")


def test_the_steps_give_the_full_text_back(tmp_path: Path) -> None:
    """Byte for byte, with the tags between."""
    asked, answered = load(problem_folder(tmp_path)).steps
    assert f"{asked.content}<think>{answered.reasoning}</think>{answered.content}" == BASE["full_cot"]
    assert answered.reasoning == "\nSix sevens.\n\nThat is 41.\n"
    assert (asked.agent, answered.agent, answered.kind) == ("user", "assistant", "message")
    assert answered.pointer is not None
    assert (answered.pointer.member, answered.pointer.path) == ("base_solution.json", "/solution")


def test_labels_are_counted_in_the_notes_and_read_into_no_step(tmp_path: Path) -> None:
    """An analysis must not see what it is measured by. The first tag of a sentence counts."""
    run, steps = load(problem_folder(tmp_path))
    assert run.notes == (
        "the authors' labels of 2 sentences were left in chunks_labeled.json (problem_setup 1, active_computation 1)",
    )
    assert not any("active_computation" in step.model_dump_json() for step in steps)


@pytest.mark.parametrize(
    ("folder", "model"),
    [
        ("qwen-14b/correct_base_solution", "qwen-14b"),
        ("llama-8b/temperature_0.6_top_p_0.95/incorrect_base_solution_forced_answer", "llama-8b"),
        ("somewhere", None),
    ],
)
def test_the_model_is_read_from_the_folders_above(tmp_path: Path, folder: str, model: str | None) -> None:
    """The files name no model; the data set's layout does."""
    assert load(problem_folder(tmp_path / folder)).steps[1].model == model


def test_the_base_solution_alone_is_the_same_run(tmp_path: Path) -> None:
    """The address is the content of that file; only what the others say is missing."""
    folder = problem_folder(tmp_path)
    alone = load(folder / "base_solution.json").run
    assert alone.id == load(folder).run.id
    assert (alone.task, alone.expected, alone.notes) == ("Solve it. Problem: What is 6 × 7? Solution: \n", None, ())


@pytest.mark.parametrize(
    ("prompt", "solution", "parts", "closed"),
    [
        ("Ask\n<think>\n", "So.\n</think>\nAnswer", ("Ask\n", "\nSo.\n", "\nAnswer"), True),
        ("Ask\n", "\n<think>So.</think>Answer", ("Ask\n\n", "So.", "Answer"), True),
        ("Ask\n<think>\n", "So it goes", ("Ask\n", "\nSo it goes", ""), False),
        ("Ask", "So it goes", ("Ask", "So it goes", ""), False),
        ("Ask<think>", "</think>Answer", ("Ask", "", "Answer"), True),
        ("What is <think>?\n<think>\n", "So.</think>", ("What is <think>?\n", "\nSo.", ""), True),
    ],
)
def test_the_tags_may_stand_in_either_text(
    prompt: str, solution: str, parts: tuple[str, str, str], closed: bool
) -> None:
    """The opening one may end the prompt or begin the solution; the closing one is missing where tokens ran out."""
    assert tuple(cut(prompt, solution)) == (*parts, closed)


def test_a_thought_that_was_cut_off_says_so(tmp_path: Path) -> None:
    """All of the solution is reasoning, and the step says nothing."""
    base = {**BASE, "solution": "Six sevens. That", "full_cot": "other", "is_correct": None, "answer": ""}
    run, steps = load(problem_folder(tmp_path, base, chunks_labeled=None))
    assert (steps[1].kind, steps[1].content, steps[1].reasoning) == ("thought", "", "\nSix sevens. That")
    assert (run.outcome, run.outcome_source, run.answer) == ("unknown", None, None)
    assert run.notes == (
        "the reply was cut off while thinking: nothing closes the thought",
        "full_cot is not prompt + solution: prompt and solution were read",
    )


def test_a_blank_thought_is_absent(tmp_path: Path) -> None:
    """Tags with nothing between them."""
    step = load(problem_folder(tmp_path, {**BASE, "solution": "</think>42"})).steps[1]
    assert (step.reasoning, step.reasoning_state, step.reasoning_origin) == (None, "absent", None)


def test_a_folder_of_problems_loads_once_each(tmp_path: Path) -> None:
    """The rollouts in it are not walked through, and loading again changes nothing."""
    folder = problem_folder(tmp_path / "qwen/correct_base_solution", step_importance=[{"source_chunk_idx": 0}])
    (folder / "chunk_0").mkdir()
    (folder / "chunk_0/solutions.json").write_text("[]")
    with Store.open(tmp_path / "t.duckdb") as store:
        first = ingest([tmp_path / "qwen"], store)
        again = ingest([tmp_path / "qwen"], store)
    assert first.sources == [Loaded(str(folder), "thought_anchors", 1, 2, 1)]
    assert (first.runs, again.runs, first.skipped) == (1, 0, [])


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ({**BASE, "solution": 3}, "base_solution.json lacks a text 'prompt', 'solution' or 'full_cot'"),
        ([BASE], "base_solution.json lacks a text"),
    ],
)
def test_a_base_solution_of_another_form_is_refused_in_one_line(tmp_path: Path, base: Any, reason: str) -> None:
    """The line names the folder."""
    folder = problem_folder(tmp_path, base)
    recordings, [skipped] = read_recordings([folder])
    assert (recordings, skipped.source) == ([], str(folder))
    assert skipped.reason.startswith(reason)


def test_a_damaged_file_of_the_folder_is_named(tmp_path: Path) -> None:
    """Cut off, or more than one value."""
    folder = problem_folder(tmp_path)
    (folder / "problem.json").write_text('{"a": 1}\n{"b": 2}\n')
    with pytest.raises(BadInputError, match=r"problem_7/problem\.json: not one JSON value"):
        open_containers(folder)
    (folder / "problem.json").write_text('{"a": ')
    with pytest.raises(BadInputError, match=r"problem_7/problem\.json: truncated JSON"):
        open_containers(folder)


def test_other_folders_are_no_log(tmp_path: Path) -> None:
    """A folder is walked, not read, unless the two files stand in it."""
    assert not is_log_folder(["base_solution.json", "notes.txt"])
    assert not is_log_folder(["problem.json", "chunks_labeled.json"])
    assert is_log_folder(["chunks.json", "base_solution.json"])
    with pytest.raises(BadInputError, match="not a regular file"):
        open_containers(tmp_path)


def test_the_published_problems(real_logs: Path) -> None:
    """Six runs; three right, three wrong; every full text joins again; the paper's sentences are the labelled ones."""
    recordings, skipped = read_recordings([real_logs / "thought-anchors"])
    assert [Path(each.source).name for each in skipped] == ["LICENSE"]
    assert sorted(run.outcome for run, _ in recordings) == ["failure"] * 3 + ["success"] * 3
    for run, (asked, answered) in recordings:
        folder = Path(run.source)
        full = json.loads((folder / "base_solution.json").read_text(encoding="utf-8"))["full_cot"]
        labels = json.loads((folder / "chunks_labeled.json").read_text(encoding="utf-8"))
        assert f"{asked.content}<think>{answered.reasoning}</think>{answered.content}" == full
        assert len(split(answered.reasoning or "", "paper")) == len(labels)
        assert (run.answer == run.expected) == (run.outcome == "success")
