"""Text with thoughts in tags: what is enclosed is reasoning, byte for byte, and what stands around it is said."""

import time
from pathlib import Path

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.errors import UnknownFormatError
from tracer.records import Recording

THOUGHT = "\n Six sevens.\r\n\r\nThat is 42. \n"


def load(path: Path, text: str) -> Recording:
    """Through the public door, from bytes."""
    path.write_bytes(text.encode())
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "r1_text"
    [recording] = collector.read(container).recordings
    return recording


def told(recording: Recording) -> list[tuple[str, str, str | None]]:
    return [(step.agent, step.content, step.reasoning) for step in recording.steps]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<think>{THOUGHT}</think>\n\n42", [("assistant", "\n\n42", THOUGHT)]),
        (f"6 × 7?\n<think>{THOUGHT}</think>42", [("user", "6 × 7?\n", None), ("assistant", "42", THOUGHT)]),
        (f"{THOUGHT}</think>42", [("assistant", "42", THOUGHT)]),
        (f"Q\n<think>{THOUGHT}", [("user", "Q\n", None), ("assistant", "", THOUGHT)]),
        ("<think>a</think>b\n<think>c</think>d", [("assistant", "b\n", "a"), ("assistant", "d", "c")]),
        ("a</think>b\n <think>c</think>d", [("assistant", "b\n ", "a"), ("assistant", "d", "c")]),
        ("<think>\n\n</think>\n42", [("assistant", "\n42", None)]),
        ("[THINK]a[/THINK]b", [("assistant", "b", "a")]),
        ("◁think▷a◁/think▷b", [("assistant", "b", "a")]),
        ("Use `</think>` to end.\n<thinking>a</thinking>b", None),
        ("<think>Say `</think>`, or\nnot.</think>b", [("assistant", "b", "Say `</think>`, or\nnot.")]),
        ("<think>a</think>b\n<think> is a tag", [("assistant", "b\n<think> is a tag", "a")]),
    ],
)
def test_a_completion_is_cut_at_its_tags(
    tmp_path: Path, text: str, expected: list[tuple[str, str, str | None]] | None
) -> None:
    """Before the first thought the user speaks; each thought is a step with what is said after it."""
    asked = [("user", "Use `</think>` to end.\n", None), ("assistant", "b", "a")]
    assert told(load(tmp_path / "a.txt", text)) == (expected or asked)


@pytest.mark.parametrize(
    "text",
    [
        "<｜begin▁of▁sentence｜>Be brief.<｜User｜>6 × 7?<｜Assistant｜><think>\na\n</think>\n42<｜end▁of▁sentence｜>"
        "<｜User｜>Sure?<｜Assistant｜><think>b</think>Yes<｜end▁of▁sentence｜>",
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n6 × 7?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\na\n</think>\n42<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n"
        "<|im_start|>assistant\n<think>b</think>Yes<|im_end|>\n",
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n6 × 7?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n<think>\na\n</think>\n42<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nSure?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n<think>b</think>Yes",
    ],
)
def test_the_marks_of_a_chat_template_tell_the_turns(tmp_path: Path, text: str) -> None:
    """DeepSeek, ChatML and Llama 3."""
    recording = load(tmp_path / "a.txt", text)
    assert told(recording) == [
        ("system", "Be brief.", None),
        ("user", "6 × 7?", None),
        ("assistant", "\n42", "\na\n"),
        ("user", "Sure?", None),
        ("assistant", "Yes", "b"),
    ]
    assert recording.run.task == "6 × 7?"


def test_a_user_s_tags_are_a_quotation(tmp_path: Path) -> None:
    """Only the assistant thinks."""
    text = "<｜User｜><think>x</think> what is it?<｜Assistant｜>a</think>A tag."
    assert told(load(tmp_path / "a.txt", text)) == [
        ("user", "<think>x</think> what is it?", None),
        ("assistant", "A tag.", "a"),
    ]


def test_where_a_thought_comes_from_is_told(tmp_path: Path) -> None:
    """The tag, the line, and that the opening one was not in the text."""
    first, second = load(tmp_path / "a.txt", "a\n</think>b\n<think>c</think>").steps
    assert (first.reasoning_origin, second.reasoning_origin) == ("<think> opened in the prompt", "<think>")
    assert [step.pointer.line for step in (first, second) if step.pointer] == [1, 3]
    assert (first.kind, second.kind) == ("message", "thought")


def test_a_thought_cut_off_is_noted(tmp_path: Path) -> None:
    """The token limit came before the closing tag."""
    assert load(tmp_path / "a.txt", "<think>So").run.notes == (
        "the text was cut off while thinking: nothing closes the thought",
    )
    assert load(tmp_path / "b.txt", "<think>So</think>").run.notes == ()


@pytest.mark.parametrize("text", ["Write <think> first.", "Close it with `</think>`.", "I think so.", "x < think > y"])
def test_talk_about_the_tag_is_no_thought(tmp_path: Path, text: str) -> None:
    """An opening tag counts at the head of a line; a closing one anywhere but in code."""
    (tmp_path / "a.txt").write_text(text)
    [container] = open_containers(tmp_path / "a.txt")
    with pytest.raises(UnknownFormatError, match=r"r1_text \(no <think>\)"):
        recognise(container)


def test_ten_thousand_turns_are_read_in_a_second_or_two(tmp_path: Path) -> None:
    """Lines are looked up, not counted anew for each turn."""
    text = "<｜User｜>Q\n<｜Assistant｜><think>a\nb</think>c\n" * 10_000
    begin = time.perf_counter()
    steps = load(tmp_path / "a.txt", text).steps
    assert time.perf_counter() - begin < 5
    assert (len(steps), steps[-1].pointer.line if steps[-1].pointer else None) == (20_000, 29_999)
