"""ChatDev logs: one step per turn in both layouts, the injected prompt taken off, tokens at the turn that they made."""

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracer.collectors import chatdev
from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.records import Recording

USAGE = "**[OpenAI_Usage_Info Receive]**\nprompt_tokens: {}\ncompletion_tokens: {}\ntotal_tokens: 0\ncost: $0.1\n"
REVIEW = "**Code Reviewer<->Programmer on : CodeReviewComment, turn {}**"
BLOCKS = [
    "**[Preprocessing]**\n\n**ChatDev Starts**\n\n**task_prompt**: Draw a circle.\n\n**project_name**: Circle",
    "flask app.py did not start for online log",
    "System: **[Start Chat]**\n\n[You are a reviewer.]\n\nReview the code.",
    'HTTP Request: POST https://example.org/v1/chat/completions "HTTP/1.1 200 OK"',
    USAGE.format(100, 10),
    USAGE.format(200, 20),
    f"Code Reviewer: {REVIEW.format(0)}\n\n[Your task: [x].]\n\n<think>A circle is round.</think>It is a square.",
    f"Programmer: {REVIEW.format(0)}\n\n[You are a reviewer.]\n\nI mended it:\nmain.py\n```python\nprint(1)\n```",
    USAGE.format(300, 30),
    f"Code Reviewer: {REVIEW.format(1)}\n\n[You are a programmer.]\n\n<INFO> Finished.",
    "**[Seminar Conclusion]**:\n\n Finished.",
    '**[Test Reports]**:\nTraceback (most recent call last):\n  File "main.py", line 1\nNameError: no x',
    "Programmer: **Programmer<->Software Test Engineer on : TestModification, turn 0**\n\nmain.py",
]
"""As `chatdev1.0` writes them: `chatting` and `log_visualize` in its chatdev/utils.py and phase.py."""


def written(path: Path, blocks: list[str]) -> Path:
    path.write_text("".join(f"[2023-31-08 19:40:{n:02} INFO] {block}\n\n" for n, block in enumerate(blocks)))
    return path


def read(path: Path) -> Recording:
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "chatdev"
    [recording] = collector.read(container).recordings
    return recording


def test_turns_of_the_later_layout(tmp_path: Path) -> None:
    """The speaker's reply alone; a turn answers the one before it in its chat; the tokens of a pair come before it."""
    run, steps = read(written(tmp_path / "a.log", BLOCKS))
    assert [(step.agent, step.kind, step.recipient, step.parents) for step in steps] == [
        ("System", "system", None, ()),
        ("Code Reviewer", "message", "Programmer", ()),
        ("Programmer", "message", "Code Reviewer", (1,)),
        ("Code Reviewer", "message", "Programmer", (2,)),
        ("System", "message", None, ()),
        ("test", "tool_result", None, ()),
        ("Programmer", "message", "Software Test Engineer", ()),
    ]
    assert [step.content for step in steps[1:5]] == [
        "It is a square.",
        "I mended it:\nmain.py\n```python\nprint(1)\n```",
        "<INFO> Finished.",
        "Finished.",
    ]
    assert (steps[1].reasoning, steps[1].reasoning_origin) == ("A circle is round.", "<think>")
    assert [(step.input_tokens, step.output_tokens) for step in steps[1:4]] == [(100, 10), (200, 20), (300, 30)]
    assert (steps[5].tool_status, steps[5].tool_rule) == ("error", "text: traceback")
    assert (run.task, run.outcome, run.framework) == ("Draw a circle.", "unknown", "chatdev")
    assert run.notes == ("3 blocks of bookkeeping were left out (settings, requests, ends of chats)",)


def test_days_stand_before_months_and_zones_nowhere(tmp_path: Path) -> None:
    """31 August, told as UTC with the text beside it; lines are counted from 1."""
    run, steps = read(written(tmp_path / "a.log", BLOCKS))
    assert steps[0].started == datetime(2023, 8, 31, 19, 40, 2, tzinfo=UTC)
    assert steps[0].raw_time == "2023-31-08 19:40:02"
    assert steps[0].pointer is not None
    assert steps[0].pointer.line == 11
    assert run.started == steps[0].started


def test_tokens_without_a_turn_are_told(tmp_path: Path) -> None:
    """A log that ends between a call and its turn."""
    run, _ = read(written(tmp_path / "a.log", [*BLOCKS, USAGE.format(5, 1)]))
    assert run.notes[1] == "the tokens of 1 calls belong to no turn that the log tells"


def test_a_log_that_is_cut_off_keeps_what_is_there(tmp_path: Path) -> None:
    """In the middle of a reply."""
    path = written(tmp_path / "a.log", BLOCKS)
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"print(1)")])
    assert [step.agent for step in read(path).steps] == ["System", "Code Reviewer", "Programmer"]


def test_the_real_log_of_june_2023(real_logs: Path) -> None:
    """Counted in the raw file: 20 turns, 5 ends of chats, 3 lines more; one chat goes both ways."""
    path = real_logs / "samples/chatdev/20230625201030.log"
    text = path.read_text(encoding="utf-8")
    said = re.findall(r"AI (?:User|Assistant) \(([^)]+)\):", text)
    run, steps = read(path)
    assert [step.agent for step in steps] == said
    assert Counter(said) == {
        "Chief Product Officer": 2, "Chief Executive Officer": 2, "Chief Human Resource Officer": 2,
        "Programmer": 9, "Code Reviewer": 5,
    }  # fmt: skip
    assert text.count("terminated the chat.") == 5
    assert run.notes == ("8 blocks of bookkeeping were left out (settings, requests, ends of chats)",)
    assert {step.index: step.parents for step in steps if step.parents} == {5: (4,), 6: (5,)}
    assert steps[6].content.endswith("<INFO> Yes.")
    assert not any("\x1b" in step.content for step in steps)
    assert (run.outcome, run.started) == ("unknown", datetime(2023, 6, 25, 20, 10, 32, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "buy milk",
        "[2023-25-06 20:10:30 INFO] nothing of ChatDev's\n",
        "x\n[2023-25-06 20:10:30 INFO] [0] AI Assistant (Programmer):\n",
    ],
)
def test_other_texts_are_none_of_ours(tmp_path: Path, text: str) -> None:
    """A word says why."""
    (tmp_path / "a.log").write_text(text)
    [container] = open_containers(tmp_path / "a.log")
    assert chatdev.detect(container)


def test_hostile_texts_cost_no_time(tmp_path: Path) -> None:
    """Brackets and asterisks without end, and a date that is none."""
    blocks = [f"Programmer: {REVIEW.format(0)}\n\n" + "[" * 200_000, "**[" * 100_000, "A" * 300_000 + ": **"]
    path = written(tmp_path / "a.log", blocks)
    path.write_text(path.read_text().replace("2023-31-08", "2023-99-99", 1))
    [step] = read(path).steps
    assert (step.started, step.raw_time, len(step.content)) == (None, "2023-99-99 19:40:00", 200_000)
