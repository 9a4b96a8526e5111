"""Faults that are planted in a successful run: at which step, and what the step says then.

Three kinds choose their place on the information dependency graph, as GraphTracer does (arXiv 2510.10581, withdrawn;
used as a source of ideas):

    source pollution    a step that takes values from nobody passes wrong ones on; drawn in proportion to its out-degree
    conflict injection  of two steps that both feed a third, the later one contradicts the earlier one
    edge removal        a step loses what came in over one edge; the edge of the highest betweenness first

Four are modes of MAST (arXiv 2503.13657): a step skipped, an instruction ignored, a premature end, a check waved
through.

The words are templates, the same for every run: what a fault does is for the system to show, which lives on from it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from random import Random
from typing import NamedTuple

import orjson

from tracer.analyses.view import View
from tracer.graph import as_networkx
from tracer.records import Edge, Recording, Step, TextSpan

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_CHECKS = re.compile(r"check|verif|review|critic|valid|audit|judge|proofread", re.IGNORECASE)
_GAP = "(not given)"
_SHOWN = 60
_DIGITS = 15
"""A longer number is an identifier, or more than a float holds."""


class Fault(NamedTuple):
    """One fault, ready to be lived."""

    kind: str
    step: int
    agent: str
    """Who answers for the step: its agent; for a tool's result, the agent that called the tool."""
    edited: Step
    reason: str
    """In words, for people."""


class Scene:
    """A successful run with its graph."""

    def __init__(self, recording: Recording) -> None:
        self.run, self.steps = recording
        self.view = View(self.steps, self.run.task)

    @cached_property
    def reused(self) -> list[Edge]:
        """Edges over which values went."""
        return [edge for edge in self.view.origins if edge.origin == "reused"]

    @cached_property
    def out(self) -> dict[int, list[Edge]]:
        """What left each step."""
        found: dict[int, list[Edge]] = defaultdict(list)
        for edge in self.reused:
            found[edge.source].append(edge)
        return found

    @cached_property
    def places(self) -> list[int]:
        """Steps at which a fault can be somebody's: those of agents, and what their tools brought."""
        blameable = set(self.view.candidates)
        return [step.index for step in self.steps if step.index in blameable or self._called(step)]

    def _called(self, step: Step) -> bool:
        return step.kind == "tool_result" and any(parent in self.view.candidates for parent in step.parents)

    def fault(self, kind: str, step: Step, reason: str, content: str, arguments: str | None = None) -> Fault | None:
        """The fault, unless it changes nothing or leaves arguments that were JSON broken."""
        edited = step.model_copy(update={"content": content, "arguments": arguments})
        if edited == step or (_is_json(step.arguments) and not _is_json(arguments)):
            return None
        return Fault(kind, step.index, self._answers_for(step), edited, reason)

    def instead(self, kind: str, step: Step, reason: str, content: str) -> Fault:
        """The fault of a step that says this, and calls no tool."""
        plain = {"kind": "message", "content": content, "tool": None, "arguments": None, "call_id": None}
        silent = {"reasoning": None, "reasoning_state": "absent", "recipient": None}
        edited = step.model_copy(update=plain | silent)
        return Fault(kind, step.index, self._answers_for(step), edited, reason)

    def _answers_for(self, step: Step) -> str:
        caller = next((self.steps[parent].agent for parent in step.parents if parent in self.view.candidates), None)
        return caller if step.kind == "tool_result" and caller else step.agent


def _source_pollution(scene: Scene, rng: Random) -> Iterator[Fault | None]:
    """Weight of a step: out-degree * [in-degree = 0], both over the edges of reuse."""
    taken = {edge.target for edge in scene.reused}
    sources = [index for index in scene.places if index not in taken and scene.out[index]]
    for index in _drawn(sources, [len(scene.out[each]) for each in sources], rng):
        step = scene.steps[index]
        passed = {span.text: _another(span.text, rng) for edge in scene.out[index] for span in edge.source_spans}
        wrong = {old: new for old, new in passed.items() if new is not None}
        listed = ", ".join(f"{old} became {new}" for old, new in list(wrong.items())[:3])
        reason = f"the source passes on wrong values: {listed}"
        yield scene.fault("source-pollution", step, reason, *_replaced(step, wrong)) if wrong else None


def _conflict(scene: Scene, rng: Random) -> Iterator[Fault | None]:
    """Siblings feed one later step and take nothing from each other; those that feed the most come first."""
    joined = {(edge.source, edge.target) for edge in scene.reused}
    into: dict[int, list[Edge]] = defaultdict(list)
    for edge in scene.reused:
        into[edge.target].append(edge)
    pairs = {
        (one.source, two.source): one
        for edges in into.values()
        for one in edges
        for two in edges
        if one.source < two.source and (one.source, two.source) not in joined and two.source in scene.places
    }
    order = sorted(pairs, key=lambda pair: -len(scene.out[pair[0]]) - len(scene.out[pair[1]]))
    for first, second in order:
        spans = [(span.text, new) for span in pairs[first, second].source_spans if (new := _another(span.text, rng))]
        step, agent = scene.steps[second], scene.steps[first].agent
        if spans and step.kind != "tool_call":
            old, new = spans[0]
            words = f"{agent} is mistaken: it is {new}, not {old}."
            content = f"{words} {step.content}".strip()
            yield scene.fault("conflict", step, f"contradicts step {first}: {new} for {old}", content, step.arguments)


def _edge_removal(scene: Scene, rng: Random) -> Iterator[Fault | None]:
    """The betweenness of an edge is the share of shortest paths between steps that go over it."""
    import networkx as nx

    graph = as_networkx(scene.steps, scene.view.origins)
    between = nx.edge_betweenness_centrality(graph, k=min(len(graph), 200), seed=0)
    edges = [edge for edge in scene.reused if edge.target in scene.places and edge.target_spans]
    for edge in sorted(edges, key=lambda edge: (-between[edge.source, edge.target], edge.target)):
        step = scene.steps[edge.target]
        lost = {span.text: _GAP for span in edge.target_spans}
        reason = f"loses what it had from step {edge.source}: {_listed(edge.target_spans)}"
        yield scene.fault("edge-removal", step, reason, *_replaced(step, lost))


def _step_skipped(scene: Scene, rng: Random) -> Iterator[Fault | None]:
    for step in _agents_steps(scene, rng):
        yield scene.instead(
            "step-skipped", step, "says that the step is done, and does not do it", "Done. Please go on."
        )


def _instruction_ignored(scene: Scene, rng: Random) -> Iterator[Fault | None]:
    asked = scene.run.task.strip() or scene.steps[0].content
    words = f"I read the task again: “{asked[:_SHOWN]}”. It is worded clearly, so there is nothing to add to it."
    for step in _agents_steps(scene, rng):
        yield scene.instead("instruction-ignored", step, "talks about the task in place of doing its part", words)


def _premature_end(scene: Scene, rng: Random) -> Iterator[Fault | None]:
    """The value that it ends with is the last one said before, or none."""
    for step in _agents_steps(scene, rng):
        if step.index < scene.view.symptom:
            said = [found for each in scene.steps[: step.index] for found in _NUMBER.findall(each.content)]
            words = f"We have what we need. Final answer: {said[-1] if said else 'unknown'}"
            yield scene.instead("premature-end", step, "ends the work before it is done", words)


def _waved_through(scene: Scene, rng: Random) -> Iterator[Fault | None]:
    for step in _agents_steps(scene, rng):
        if _CHECKS.search(step.agent) or _CHECKS.search(step.content[:200]):
            words = "I went through all of it. Everything is correct. Approved."
            yield scene.instead("check-waved-through", step, "approves without a look", words)


FAULTS: dict[str, Callable[[Scene, Random], Iterator[Fault | None]]] = {
    "source-pollution": _source_pollution,
    "conflict": _conflict,
    "edge-removal": _edge_removal,
    "step-skipped": _step_skipped,
    "instruction-ignored": _instruction_ignored,
    "premature-end": _premature_end,
    "check-waved-through": _waved_through,
}
"""Each gives its places in a run, the most critical or the first drawn first; None where one has nothing to change."""


def faults(scene: Scene, kind: str, seed: int) -> Iterator[Fault]:
    """The faults of a kind in a run: the same seed gives the same."""
    rng = Random(f"{seed} {kind} {scene.run.content_hash}")
    return (fault for fault in FAULTS[kind](scene, rng) if fault is not None)


def _agents_steps(scene: Scene, rng: Random) -> list[Step]:
    return [scene.steps[index] for index in rng.sample(scene.view.candidates, len(scene.view.candidates))]


def _drawn(items: Sequence[int], weights: Sequence[float], rng: Random) -> Iterator[int]:
    """All items, each next one drawn in proportion to the weights of those that are left."""
    left = dict(zip(items, weights, strict=True))
    while left:
        [item] = rng.choices(list(left), list(left.values()))
        del left[item]
        yield item


def _another(text: str, rng: Random) -> str | None:
    """The text with its first number 10 to 60 % larger, in the same form; None without one, or where it is huge."""
    found = _NUMBER.search(text)
    if found is None:
        return None
    plain = found[0].replace(",", "")
    if len(plain) > _DIGITS:
        return None
    places = len(plain.partition(".")[2])
    moved = float(plain) * (1 + rng.uniform(0.1, 0.6))
    if round(moved, places) == float(plain):
        moved = float(plain) + 10**-places
    comma = "," if "," in found[0] else ""
    return f"{text[: found.start()]}{moved:{comma}.{places}f}{text[found.end() :]}"


def _replaced(step: Step, words: dict[str, str]) -> tuple[str, str | None]:
    """Content and arguments with every one of the words replaced where it stands by itself, all at once."""
    longest = sorted(words, key=len, reverse=True)
    pattern = re.compile(r"(?<![\w.])(?:" + "|".join(map(re.escape, longest)) + r")(?![\w]|\.\d)")
    arguments = step.arguments and pattern.sub(lambda hit: words[hit[0]], step.arguments)
    return pattern.sub(lambda hit: words[hit[0]], step.content), arguments


def _is_json(text: str | None) -> bool:
    try:
        orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return False
    return True


def _listed(spans: Sequence[TextSpan]) -> str:
    return ", ".join(dict.fromkeys(span.text[:_SHOWN] for span in spans[:3]))
