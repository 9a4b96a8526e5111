"""Telemetry with odd values in any place is read, or refused in one line that names the file; never a traceback."""

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tracer.collectors.container import Container
from tracer.collectors.json_values import Document
from tracer.collectors.registry import recognise
from tracer.collectors.spans import runs_from_spans
from tracer.errors import BadInputError

DATA = Path(__file__).parent / "data"
FILES = sorted([*(DATA / "openai_agents").glob("*.json*"), *(DATA / "telemetry").glob("*.jsonl")])
SAMPLES = ("otel_jaeger_json", "otel_tempo_json", "langfuse", "langsmith", "agentops")
ODD: list[Any] = [
    *(None, 0, -1, 1.5, True, 10**18, "", "\x00", "x" * 50, "[{", "\U0001f642"),
    *([], {}, [[]], [None], {"a": None}, {"type": "text"}, '{"messages": [[{}]]}'),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def unpacked(text: str) -> Any:
    """JSON text as its value; None where it is none."""
    try:
        return json.loads(text) if text.startswith(("{", "[")) else None
    except ValueError:
        return None


def spoil(value: Any, dice: random.Random) -> None:
    """Replace a few things in a value, also inside JSON text, by odd ones; or leave them out."""
    found = [place for place in places(value) if place]
    for place in dice.sample(found, min(len(found), 4)):
        holder = value
        try:
            for key in place[:-1]:
                holder = holder[key]
            old = holder[place[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # what was spoilt before held it
        if not isinstance(holder, dict | list):
            continue
        if isinstance(old, str) and (inner := unpacked(old)) is not None and dice.random() < 0.6:
            spoil(inner, dice)
            holder[place[-1]] = json.dumps(inner)
        elif isinstance(holder, dict) and dice.random() < 0.2:
            del holder[place[-1]]
        else:
            holder[place[-1]] = deepcopy(dice.choice(ODD))


def check(path: Path, times: int) -> None:
    """Spoil a file so often."""
    text = path.read_text()
    dice = random.Random(path.name)
    for _ in range(times):
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        values = [json.loads(line) for line in lines]
        for value in dice.sample(values, min(len(values), 3)):
            spoil(value, dice)
        documents = tuple(Document(value, line) for line, value in enumerate(values, start=1))
        container = Container(str(path), "jsonl" if len(values) > 1 else "json", documents)
        try:
            runs_from_spans(recognise(container).read(container).spans)
        except BadInputError as error:
            if "\n" in str(error) or str(path) not in str(error):
                raise AssertionError(f"not one line that names the file: {error}") from error


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_odd_values_in_captured_files(path: Path) -> None:
    """The files that the frameworks wrote on a scripted model."""
    check(path, 60)


@pytest.mark.parametrize("folder", SAMPLES)
def test_odd_values_in_real_files(real_logs: Path, folder: str) -> None:
    """And those of real users."""
    for path in sorted((real_logs / "samples" / folder).glob("*.json")):
        check(path, 8)
