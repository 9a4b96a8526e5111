"""The problem folder of Thought Anchors (arXiv 2506.19143): one chain of thought about one problem, with its labels.

`base_solution.json` alone will do; `problem.json` beside it knows the right answer. Two steps: what the model was
asked, and its reply. Nothing is trimmed, so that asked + "<think>" + reasoning + "</think>" + answered is the full
text, byte for byte. The authors' tags and importances are labels: no step holds them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from tracer.collectors.collector import Batch, Collector
from tracer.collectors.container import Container
from tracer.errors import BadInputError
from tracer.records import Outcome, Pointer, Recording, Run, Step, content_hash, run_id

BASE, PROBLEM, LABELS = "base_solution.json", "problem.json", "chunks_labeled.json"
KEYS = ("prompt", "solution", "full_cot")
_MODEL = re.compile(r"(?P<model>[^/]+)/(?:temperature_[^/]+/)?(?:in)?correct_base_solution[^/]*/")
"""The folder above the problem's is named for the outcome, the one above that for the model."""


class Thought(NamedTuple):
    """A full text, cut at its think tags."""

    asked: str
    reasoning: str
    answered: str
    closed: bool
    """False: cut off while thinking."""


def detect(container: Container) -> str | None:
    """Ours: the folder, or its base solution alone."""
    if container.kind == "folder":
        return None if BASE in container.documents[0].value else f"no file {BASE!r}"
    if container.kind != "json":
        return "no problem folder"
    value = container.documents[0].value
    missing = [key for key in KEYS if not isinstance(value, Mapping) or key not in value]
    return f"no key {missing[0]!r}" if missing else None


def read(container: Container) -> Batch:
    """One run."""
    value = container.documents[0].value
    files = value if container.kind == "folder" else {BASE: value}
    base = files[BASE]
    if not isinstance(base, Mapping) or not all(isinstance(base.get(key), str) for key in KEYS):
        raise BadInputError(f"{container.source}: {BASE} lacks a text 'prompt', 'solution' or 'full_cot'")
    thought = cut(base["prompt"], base["solution"])
    problem = files.get(PROBLEM)
    run = _run(container, base, problem if isinstance(problem, Mapping) else {}, thought)
    notes = (*_label_notes(files.get(LABELS)), *_thought_notes(base, thought))
    return Batch((Recording(run.model_copy(update={"notes": notes}), _steps(container, thought)),))


def cut(prompt: str, solution: str) -> Thought:
    """The opening tag may end the prompt or begin the solution; without one all of the solution is thought."""
    asked, tag, begun = prompt.rpartition("<think>")
    if not tag:
        lead, tag, rest = solution.partition("<think>")
        asked, begun, solution = (prompt + lead, "", rest) if tag and not lead.strip() else (prompt, "", solution)
    reasoning, closed, answered = (begun + solution).partition("</think>")
    return Thought(asked, reasoning, answered, bool(closed))


def _run(container: Container, base: Mapping[str, Any], problem: Mapping[str, Any], thought: Thought) -> Run:
    digest = content_hash(base)
    outcome = _outcome(base.get("is_correct"))
    task = _text(problem.get("problem")) or thought.asked
    return Run(
        id=run_id(digest),
        content_hash=digest,
        source=container.source,
        format=NAME,
        task=task,
        outcome=outcome,
        outcome_source=None if outcome == "unknown" else "is_correct",
        answer=_text(base.get("answer")),
        expected=_text(problem.get("gt_answer")),
        group=task,
    )


def _outcome(value: Any) -> Outcome:
    if not isinstance(value, bool):
        return "unknown"
    return "success" if value else "failure"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _steps(container: Container, thought: Thought) -> tuple[Step, ...]:
    thinks = bool(thought.reasoning.strip())
    member = BASE if container.kind == "folder" else None
    asked, answered = (Pointer(file=container.source, member=member, path=path) for path in ("/prompt", "/solution"))
    found = _MODEL.search(PurePath(container.source).as_posix() + "/")
    return (
        Step(index=0, agent="user", kind="message", role="user", content=thought.asked, pointer=asked),
        Step(
            index=1,
            agent="assistant",
            kind="message" if thought.answered.strip() else "thought",
            role="assistant",
            content=thought.answered,
            reasoning=thought.reasoning if thinks else None,
            reasoning_state="present" if thinks else "absent",
            reasoning_origin="<think>" if thinks else None,
            model=found["model"] if found else None,
            pointer=answered,
        ),
    )


def _label_notes(labels: Any) -> list[str]:
    """How many sentences the authors labelled, and with what."""
    if not isinstance(labels, list) or not labels:
        return []
    tags: Counter[str] = Counter()
    for label in labels:
        named = label.get("function_tags") if isinstance(label, Mapping) else None
        if isinstance(named, list):
            tags.update(str(tag) for tag in named[:1])
    shares = ", ".join(f"{tag} {count}" for tag, count in tags.most_common())
    return [f"the authors' labels of {len(labels)} sentences were left in {LABELS} ({shares or 'no tags'})"]


def _thought_notes(base: Mapping[str, Any], thought: Thought) -> list[str]:
    notes = [] if thought.closed else ["the reply was cut off while thinking: nothing closes the thought"]
    if base["full_cot"] != base["prompt"] + base["solution"]:
        notes.append("full_cot is not prompt + solution: prompt and solution were read")
    return notes


NAME = "thought_anchors"
COLLECTOR = Collector(NAME, detect, read)
