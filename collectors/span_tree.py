"""The spans of one run as a tree, with what each did: duplicates merged, nested twins told apart, events in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from tracer.collectors import agents_span, langfuse_span, langsmith_run
from tracer.collectors.activity import Activity
from tracer.collectors.conventions import CONVENTIONS, Convention, reading
from tracer.records import Span

DIALECTS: dict[str, Convention] = {
    "langfuse": Convention(langfuse_span.ours, langfuse_span.activity),
    "langsmith": Convention(langsmith_run.ours, langsmith_run.activity),
    "openai_agents": Convention(agents_span.ours, agents_span.activity),
    **CONVENTIONS,
}
"""What a span may be written in; the first that calls it its own reads it."""

_MAX_TIES = 40
"""Ancestors compared when spans start at the same instant: enough for any clock, bounded for a hostile file."""


@dataclass(slots=True, eq=False)
class Node:
    """A span in its tree."""

    span: Span
    activity: Activity | None
    start: int
    """Unix nanoseconds; never before the parent's, whatever the clock of another service says."""
    end: int
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    depth: int = 0
    agent: str | None = None
    """The agent whose work this is: the span's own word, else the nearest agent around it."""
    sender: str | None = None
    """The nearest other agent around it: the one that this agent works for."""
    judged: bool = False
    """Inside an evaluation, so not part of the run."""

    def ancestors(self) -> Iterator[Node]:
        """From the parent to the root."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    def subtree(self) -> Iterator[Node]:
        """This node and all below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children

    @property
    def kind(self) -> str | None:
        """What the span did, if anything."""
        return self.activity.kind if self.activity else None


class Event(NamedTuple):
    """The beginning or the end of an activity."""

    node: Node
    activity: Activity
    ends: bool


def unique(spans: Iterable[Span]) -> list[Span]:
    """One span per (trace id, span id): the finished one, then the fuller one; in no order of arrival."""
    best: dict[tuple[str, str], Span] = {}
    for span in spans:
        key = span.trace_id, span.span_id
        if key not in best or _fullness(span) > _fullness(best[key]):
            best[key] = span
    return sorted(best.values(), key=lambda span: (span.started_ns or 0, span.trace_id, span.span_id))


def _fullness(span: Span) -> tuple[bool, int, int, bytes]:
    """The last member only makes the choice between two equals independent of their order."""
    dump = orjson.dumps(span.model_dump(exclude={"pointer"}), default=str, option=orjson.OPT_SORT_KEYS)
    return span.ended_ns is not None, span.ended_ns or 0, len(span.attributes) + len(span.events), dump


def nodes(spans: Sequence[Span]) -> list[Node]:
    """The tree of these spans, parents before children. A parent that is not here leaves its child a root."""
    found = {(span.trace_id, span.span_id): _node(span) for span in spans}
    for node in found.values():
        parent = found.get((node.span.trace_id, node.span.parent_id or ""))
        if parent is not None and parent is not node:
            node.parent = parent
            parent.children.append(node)
    _cut_cycles(found.values())
    ordered = [node for root in found.values() if root.parent is None for node in _downward(root)]
    for node in reversed(ordered):
        if node.span.ended_ns is None:
            node.end = max([node.start, *(child.end for child in node.children)])
    return ordered


def _node(span: Span) -> Node:
    start = span.started_ns or 0
    return Node(span, reading(span, DIALECTS), start, max(start, span.ended_ns or start))


def _cut_cycles(found: Iterable[Node]) -> None:
    """A span that is its own ancestor can only be a broken log; the cycle's first span becomes a root."""
    sound: set[int] = set()
    for node in found:
        path: dict[int, Node] = {}
        above: Node | None = node
        while above is not None and id(above) not in sound and id(above) not in path:
            path[id(above)] = above
            above = above.parent
        if above is not None and id(above) in path:
            walked = list(path.values())
            _uproot(min(walked[walked.index(above) :], key=lambda each: (each.start, each.span.span_id)))
        sound |= path.keys()


def _uproot(node: Node) -> None:
    if node.parent is not None:
        node.parent.children.remove(node)
        node.parent = None


def _downward(root: Node) -> Iterator[Node]:
    for node in root.subtree():
        if node.parent is not None:
            node.depth = node.parent.depth + 1
            node.start = max(node.start, node.parent.start)
            node.end = max(node.end, node.start)
            node.judged = node.parent.judged or node.parent.kind == "evaluator"
            node.agent = (node.activity.agent if node.activity else None) or node.parent.agent
            node.sender = node.parent.sender if node.agent == node.parent.agent else node.parent.agent
        elif node.activity:
            node.agent = node.activity.agent
        yield node


def activities(tree: Sequence[Node]) -> list[tuple[Node, Activity]]:
    """What the spans did, each thing once.

    Of model calls that wrap each other (client inside framework inside agent kit) only the innermost counts, so that
    its tokens are counted once; it takes the text from around it where it has none. A tool's span inside its twin's
    is the same call. What an evaluator asks a model is not part of the run. An agent's own messages count only where
    no model call below it recorded any.
    """
    kept: list[tuple[Node, Activity]] = []
    for node in tree:
        if node.activity is None or node.kind == "evaluator" or node.judged:
            continue
        activity = {"llm": _model_call, "tool": _tool_call, "agent": _agent_work}[node.activity.kind](
            node, node.activity
        )
        if activity is not None:
            kept.append((node, activity))
    return kept


def direct(node: Node, kind: str) -> list[Node]:
    """Nodes of a kind below this one with no other tool or agent between."""
    found, waiting = [], list(node.children)
    while waiting:
        below = waiting.pop()
        if below.kind == kind:
            found.append(below)
        if below.kind in {None, kind}:
            waiting += below.children
    return found


def _around(node: Node, kind: str) -> Iterator[Node]:
    """Nodes of a kind around this one, from the inside out, with no other tool or agent between."""
    for above in node.ancestors():
        if above.kind == kind:
            yield above
        elif above.kind is not None:
            return


def _model_call(node: Node, activity: Activity) -> Activity | None:
    if direct(node, "llm"):
        return None
    for above in _around(node, "llm"):
        outer = above.activity
        leaves = [leaf for leaf in direct(above, "llm") if not direct(leaf, "llm")]
        if outer is None:
            continue
        only, last = len(leaves) == 1, max(leaves, key=lambda leaf: (leaf.end, leaf.span.span_id)) is node
        activity = activity._replace(
            agent=activity.agent or outer.agent,
            inputs=activity.inputs or outer.inputs,
            outputs=activity.outputs or (outer.outputs if last else ()),
            model=activity.model or outer.model,
            input_tokens=outer.input_tokens if only and activity.input_tokens is None else activity.input_tokens,
            output_tokens=outer.output_tokens if only and activity.output_tokens is None else activity.output_tokens,
        )
    return activity


def _tool_call(node: Node, activity: Activity) -> Activity | None:
    if any(_twins(above.activity, activity) for above in _around(node, "tool")):
        return None
    for below in direct(node, "tool"):
        inner = below.activity
        if inner is not None and inner.result is not None and _twins(inner, activity):
            mine = activity.result
            if mine is None or (not mine.content and mine.status != "error"):
                activity = activity._replace(result=inner.result)
    return activity


def _twins(one: Activity | None, other: Activity) -> bool:
    """Two spans of the same call: the same id, or the same name where one of them has no id."""
    if one is None or one.call is None or other.call is None:
        return False
    if one.call.id and other.call.id:
        return one.call.id == other.call.id
    return one.call.name == other.call.name


def _agent_work(node: Node, activity: Activity) -> Activity | None:
    spoken = any(
        below.activity is not None and below.kind == "llm" and (below.activity.inputs or below.activity.outputs)
        for below in node.subtree()
    )
    return activity if not spoken and (activity.inputs or activity.outputs) else None


def events(found: Iterable[tuple[Node, Activity]]) -> list[Event]:
    """Beginnings and ends in order of time; at the same instant, what encloses begins first and ends last."""
    both = [Event(node, activity, ends) for node, activity in found for ends in (False, True)]
    return sorted(both, key=_order)


def _order(event: Event) -> tuple[Any, ...]:
    node = event.node
    if event.ends and node.start < node.end:
        return node.end, 0, -node.depth, node.start, node.span.span_id
    chain = [node]
    for above in node.ancestors():
        if above.start != node.start or len(chain) >= _MAX_TIES:
            break
        chain.append(above)
    path = tuple((1, each.start < each.end, *_rank(each)) for each in reversed(chain))
    return node.start, 1, (*path, (2 if event.ends else 0,))


def _rank(node: Node) -> tuple[int, str]:
    """Of model calls in one instant the longer history is the later; a tool follows the model that calls it."""
    length = len(node.activity.inputs) if node.activity and node.kind == "llm" else 0
    return length + (1 << 20 if node.kind == "tool" else 0), node.span.span_id
