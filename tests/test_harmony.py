"""Harmony text: the analysis channel is reasoning and goes with what it led to; tools act and answer."""

from pathlib import Path

import pytest

from tracer.collectors.container import open_containers
from tracer.collectors.registry import recognise
from tracer.errors import UnknownFormatError
from tracer.records import Recording, Step

WEATHER = (
    "<|start|>system<|message|>You are ChatGPT.\n# Valid channels: analysis, commentary, final.<|end|>"
    "<|start|>developer<|message|># Instructions\nBe brief.<|end|>"
    "<|start|>user<|message|>Weather in SF?<|end|>"
    "<|start|>assistant<|channel|>analysis<|message|>\n I must look. \n<|end|>"
    "<|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"
    '{"location":"SF"}<|call|>'
    '<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>{"sunny": true}<|end|>\n'
    "<|start|>assistant<|channel|>analysis<|message|>Sunny.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>It is sunny.<|return|>"
)


def load(path: Path, text: str) -> tuple[Recording, ...]:
    path.write_bytes(text.encode())
    [container] = open_containers(path)
    collector = recognise(container)
    assert collector.name == "harmony"
    return collector.read(container).recordings


def told(steps: tuple[Step, ...]) -> list[tuple[str, str, str, str | None]]:
    return [(step.agent, step.kind, step.content, step.reasoning) for step in steps]


def test_a_conversation_with_a_tool(tmp_path: Path) -> None:
    """Each analysis stands with the call or answer that it led to, byte for byte."""
    [(run, steps)] = load(tmp_path / "a.txt", WEATHER)
    assert told(steps) == [
        ("system", "system", "You are ChatGPT.\n# Valid channels: analysis, commentary, final.", None),
        ("developer", "system", "# Instructions\nBe brief.", None),
        ("user", "message", "Weather in SF?", None),
        ("assistant", "tool_call", "", "\n I must look. \n"),
        ("get_weather", "tool_result", '{"sunny": true}', None),
        ("assistant", "message", "It is sunny.", "Sunny."),
    ]
    assert (steps[3].tool, steps[3].arguments, steps[4].parents) == ("get_weather", '{"location":"SF"}', (3,))
    assert (run.task, run.notes, steps[5].reasoning_origin) == ("Weather in SF?", (), "analysis channel")
    assert [step.pointer.line for step in steps if step.pointer] == [1, 2, 3, 5, 5, 6]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>42",
            [("assistant", "message", "42", "Hm.")],
        ),
        (
            "<|start|>assistant<|channel|>analysis<|message|>One.<|end|>"
            "<|start|>assistant<|channel|>analysis<|message|>Two.",
            [("assistant", "thought", "", "One."), ("assistant", "thought", "", "Two.")],
        ),
        (
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>user<|message|>Well?<|end|><|start|>assistant",
            [("assistant", "thought", "", "Hm."), ("user", "message", "Well?", None)],
        ),
        (
            "<|start|>assistant<|channel|>commentary<|message|>I will look.<|end|>",
            [("assistant", "message", "I will look.", None)],
        ),
        (
            "<|start|>assistant<|channel|>analysis to=python code<|message|>print(1)<|call|>"
            "<|start|>python to=assistant<|channel|>analysis<|message|>Traceback (most recent call last):\nE<|end|>",
            [
                ("assistant", "tool_call", "", None),
                ("python", "tool_result", "Traceback (most recent call last):\nE", None),
            ],
        ),
        (
            "<|start|>assistant to=functions.f<|channel|>commentary json<|message|>{}<|call|>",
            [("assistant", "tool_call", "", None)],
        ),
        (
            "<|channel|>analysis<|message|> \n<|end|><|start|>assistant<|channel|>final<|message|>42<|return|>",
            [("assistant", "message", "42", None)],
        ),
    ],
)
def test_channels_and_recipients(tmp_path: Path, text: str, expected: list[tuple[str, str, str, str | None]]) -> None:
    """A completion without its head, two analyses in a row, one without an answer, a preamble, built-in tools."""
    [(_, steps)] = load(tmp_path / "a.txt", text)
    assert told(steps) == expected


def test_a_tool_that_fails_is_known_by_its_text(tmp_path: Path) -> None:
    """Harmony states no status."""
    text = "<|start|>functions.f to=assistant<|channel|>commentary<|message|>Error: no such city<|end|>"
    [(_, [step])] = load(tmp_path / "a.txt", text)
    assert (step.tool_status, step.tool) == ("error", "f")


def test_a_text_that_breaks_off_says_so(tmp_path: Path) -> None:
    """Inside its last message."""
    [(run, _)] = load(tmp_path / "a.txt", "<|channel|>analysis<|message|>So I")
    assert run.notes == ("the text was cut off inside its last message",)


def test_each_system_message_begins_a_conversation(tmp_path: Path) -> None:
    """Two runs in one file."""
    other = WEATHER.replace("SF?", "LA?")
    assert [run.task for run, _ in load(tmp_path / "a.txt", WEATHER + other)] == ["Weather in SF?", "Weather in LA?"]


@pytest.mark.parametrize("text", ["<|start|> is a token", "<|message|>alone", "The <|channel|> token names a channel."])
def test_talk_about_the_tokens_is_no_harmony(tmp_path: Path, text: str) -> None:
    """A message has a head with an author or a channel."""
    (tmp_path / "a.txt").write_text(text)
    [container] = open_containers(tmp_path / "a.txt")
    with pytest.raises(UnknownFormatError, match=r"harmony \(no <\|start\|> or"):
        recognise(container)


def test_the_real_sample(real_logs: Path) -> None:
    """Of openai/harmony's own test data, read by hand; the dangling `<|start|>assistant` is the next prompt's end."""
    [container] = open_containers(real_logs / "samples/harmony/test_preserve_cot.txt")
    [(_, steps)] = recognise(container).read(container).recordings
    assert told(steps) == [
        ("user", "message", "What is 2 + 2?", None),
        (
            "assistant",
            "message",
            "2 + 2 equals 4.",
            'User asks a simple question: "What is 2 + 2?" The answer: 4.',
        ),
        ("user", "message", "What about 9 / 2?", None),
    ]
