"""Spans -> runs: a trace, or all traces of one conversation, with the steps that its spans tell of.

Pure and independent of order: any permutation or split of the same spans gives the same runs. Spans that neither call
a model or a tool nor do an agent's work (HTTP, messaging, a framework's bookkeeping) make no step, and a trace that
holds nothing else makes no run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tracer.collectors import genai, openinference
from tracer.collectors.activity import Activity, Verdict, exception_text
from tracer.collectors.message import Message
from tracer.collectors.messages import decode
from tracer.collectors.span_history import History, Source, strings
from tracer.collectors.span_tree import Event, Node, activities, direct, events, nodes, unique
from tracer.collectors.steps import steps_from_messages
from tracer.records import Outcome, Recording, Run, Span, Step, content_hash, run_id

CONVERSATION = (openinference.conversation, genai.conversation)
"""Where a span names the conversation that it belongs to."""
ASKED = (
    "input.value",
    "traceloop.entity.input",
    "ioa_observe.entity.input",
    "langfuse.observation.input",
    "langfuse.trace.input",
    "langsmith.inputs",
)
"""Where a root span says what it was asked."""
FRAMEWORKS = {
    "langgraph": "langgraph",
    "openai_agents": "openai-agents",
    "openai-agents": "openai-agents",
    "pydantic_ai": "pydantic-ai",
    "pydantic-ai": "pydantic-ai",
    "crewai": "crewai",
    "autogen": "autogen",
    "ag2": "ag2",
    "agent_framework": "agent-framework",
    "smolagents": "smolagents",
    "llama_index": "llama-index",
    "dspy": "dspy",
    "google.adk": "google-adk",
    "gcp.vertex.agent": "google-adk",
    "strands": "strands",
    "haystack": "haystack",
    "langchain": "langchain",
}
"""A word in a scope, a provider or an attribute's name -> the framework, the more specific first."""
_FINAL = ("tool_result", "final_answer")
_METADATA = ("metadata", "langfuse.observation.metadata", "langsmith.metadata")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def runs_from_spans(spans: Sequence[Span]) -> list[tuple[Recording, tuple[str, ...]]]:
    """The runs in these spans, each with its trace ids, in order of their start."""
    grouped: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for trace in _traces(unique(spans)):
        tree = nodes(trace)
        grouped[_run_key(tree)] += tree
    found = []
    for key, tree in grouped.items():
        steps, notes = _steps(tree)
        if steps:
            run = _run(key, tree, steps, notes)
            found.append((Recording(run, steps), tuple(sorted({node.span.trace_id for node in tree}))))
    return sorted(found, key=lambda pair: (pair[0].run.started or _EPOCH, pair[0].run.id))


def _traces(spans: Iterable[Span]) -> list[list[Span]]:
    traces: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    return list(traces.values())


def _run_key(tree: Sequence[Node]) -> tuple[str, str]:
    """The outermost conversation id of a trace, else the trace's own id: nested agents may keep their own threads."""
    for node in sorted(tree, key=lambda node: (node.depth, node.start, node.span.span_id)):
        for read in CONVERSATION:
            if found := read(node.span):
                return "conversation", found
    return "trace", tree[0].span.trace_id


def _steps(tree: Sequence[Node]) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """The steps of a run, and what is missing from them."""
    teller = _Teller(tree)
    found = activities(tree)
    for event in events(found):
        teller.tell(event)
    steps = steps_from_messages(teller.history.entries)
    teller.join_agents()
    parents = teller.history.parents
    calls = {answer: call for call, answer in teller.history.answers.items()}
    joined = tuple(
        step.model_copy(update={"parents": _before(step.index, [*_call_of(step, calls), *parents.get(step.index, ())])})
        for step in steps
    )
    return joined, tuple(_notes([activity for _, activity in found]))


def _notes(found: Sequence[Activity]) -> Iterable[str]:
    """What of the run its spans do not tell."""
    if unreadable := sum(activity.unreadable for activity in found):
        yield f"{unreadable} spans hold messages that cannot be read (cut off?)"
    silent = [each for each in found if each.kind == "llm" and not (each.inputs or each.outputs or each.unreadable)]
    if silent:
        yield f"{len(silent)} model calls were logged without their messages"


def _call_of(step: Step, calls: Mapping[int, int]) -> tuple[int, ...]:
    """The call that a result answers: as its span tells, for ids may be used twice."""
    return (calls[step.index],) if step.index in calls else step.parents


def _before(index: int, parents: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(parent for parent in set(parents) if parent < index))


class _Teller:
    """Turns events into a history, and keeps which entries each span brought."""

    def __init__(self, tree: Sequence[Node]) -> None:
        self.tree = tree
        self.history = History()
        self.brought: dict[int, list[int]] = defaultdict(list)
        """Node (by identity) -> its entries."""
        self.fresh: dict[int, set[int]] = {}
        """Model call -> what it was newly given."""

    def tell(self, event: Event) -> None:
        """Read one event into the history."""
        tellers = {"llm": self._model, "tool": self._tool, "agent": self._agent}
        tellers[event.activity.kind](event.node, event.activity, event.ends, source_of(event.node, event.activity))

    def _model(self, node: Node, activity: Activity, ends: bool, source: Source) -> None:
        if not ends:
            self.fresh[id(node)] = self.history.hear(activity.inputs, source._replace(ended=None))
            return
        tokens = activity.input_tokens, activity.output_tokens
        said = self.history.say(activity.outputs or _silence(node), source, tokens)
        self.brought[id(node)] += said
        origins = self._replied_to(self.fresh.get(id(node), set()), source)
        for entry in (entry for entry in said if not self.history.entries[entry].results):
            self.history.parents[entry] |= origins

    def _replied_to(self, fresh: set[int], source: Source) -> set[int]:
        """What a model call answers to: the last thing that it was newly given, and the results of its agent's calls.

        That a whole history was shown says nothing about what was used of it.
        """
        results = {
            result
            for call, result in self.history.answers.items()
            if result in fresh and self.history.entries[call].agent == source.agent
        }
        return results | ({max(fresh)} if fresh else set())

    def _tool(self, node: Node, activity: Activity, ends: bool, source: Source) -> None:
        if activity.call is None:
            return
        if not ends:
            self.brought[id(node)].append(self.history.call(activity.call, source))
        elif activity.result is not None:
            call = self.brought[id(node)][0]
            answer = self.history.answer(activity.result, call, source)
            self.brought[id(node)].append(answer)

    def _agent(self, node: Node, activity: Activity, ends: bool, source: Source) -> None:
        messages = activity.outputs if ends else activity.inputs
        self.brought[id(node)] += sorted(self.history.hear(messages, source))
        if ends:
            self._chain(sorted({*self.brought[id(node)], *self._used(node)}))

    def _used(self, node: Node) -> list[int]:
        """The calls and answers of the tools that an agent used itself."""
        return [entry for below in direct(node, "tool") for entry in self.brought.get(id(below), ())]

    def _chain(self, entries: Sequence[int]) -> None:
        """What an agent said whose model calls nobody logged goes back to what stood before it."""
        for before, entry in pairwise(entries):
            if self.history.entries[entry].role == "assistant" and not self.history.parents[entry]:
                self.history.parents[entry].add(before)

    def join_agents(self) -> None:
        """Declare what the tree and the links declare: a tool's span leads into the agent that works inside it, the
        agent's last word into the tool's result, and a linked span into the span that links to it."""
        parents = self.history.parents
        for node in self.tree:
            if node.kind == "tool" and (entries := self.brought.get(id(node))):
                inside = sorted(
                    e for below in node.subtree() if below is not node for e in self.brought.get(id(below), ())
                )
                if inside:
                    parents[inside[0]].add(entries[0])
                    parents[entries[-1]].add(inside[-1])
        for before, node in [*self._links(), *self._graph_edges()]:
            after = self._entries(node)
            if after and (earlier := bisect_left(before, after[0])):
                parents[after[0]].add(before[earlier - 1])

    def _links(self) -> list[tuple[list[int], Node]]:
        """The entries of each span that another links to, with that other."""
        places = {(node.span.trace_id, node.span.span_id): node for node in self.tree}
        found = [
            (places.get((link["trace_id"], link["span_id"])), node) for node in self.tree for link in node.span.links
        ]
        return [(self._entries(origin), node) for origin, node in found if origin is not None]

    def _graph_edges(self) -> list[tuple[list[int], Node]]:
        """OpenInference's causal graph, which need not follow the span tree: all entries under the parent's id.

        A graph with a loop visits a node often; the visit that counts is the last one before.
        """
        named: dict[str, set[int]] = defaultdict(set)
        for node in self.tree:
            if name := node.span.attributes.get("graph.node.id"):
                named[str(name)].update(self._entries(node))
        visits = {name: sorted(entries) for name, entries in named.items()}
        parents = ((str(node.span.attributes.get("graph.node.parent_id") or ""), node) for node in self.tree)
        return [(visits[parent], node) for parent, node in parents if parent in visits]

    def _entries(self, node: Node) -> list[int]:
        return sorted(entry for below in node.subtree() for entry in self.brought.get(id(below), ()))


def _silence(node: Node) -> tuple[Message, ...]:
    """What stands for a model call that shows no output: its error, an empty message when it ended, else nothing."""
    if error := exception_text(node.span):
        return (Message("system", error),)
    return (Message("assistant"),) if node.span.ended_ns is not None else ()


def source_of(node: Node, activity: Activity) -> Source:
    """Whose span this is: its own word, else the nearest agent around it, else its service."""
    service = node.span.service
    agent = activity.agent or node.agent or (service if service and _named(service) else None)
    return Source(
        span_id=node.span.span_id,
        agent=agent,
        sender=node.sender if node.sender != agent else None,
        model=activity.model,
        started=moment(node.span.started_ns),
        ended=moment(node.span.ended_ns),
        pointer=node.span.pointer,
    )


def _named(service: str) -> bool:
    return not service.startswith("unknown_service")


def moment(ns: int | None) -> datetime | None:
    """Unix nanoseconds as UTC, to the microsecond."""
    return None if ns is None else _EPOCH + timedelta(microseconds=ns // 1000)


def _run(key: tuple[str, str], tree: Sequence[Node], steps: Sequence[Step], notes: tuple[str, ...]) -> Run:
    digest = content_hash(list(key))
    outcome, said_by = _outcome(tree)
    pointers = [node.span.pointer for node in tree if node.span.pointer]
    ended = [node.span.ended_ns for node in tree if node.span.ended_ns is not None]
    starts = [node.span.started_ns for node in tree if node.span.started_ns is not None]
    return Run(
        id=run_id(digest),
        content_hash=digest,
        source=pointers[0].file if pointers else "",
        format=min(node.span.format for node in tree),
        framework=_framework(tree),
        task=_task(tree, steps),
        outcome=outcome,
        outcome_source=said_by,
        answer=_answer(steps),
        started=moment(min(starts, default=None)),
        ended=moment(max(ended, default=None)),
        notes=notes,
    )


def _answer(steps: Sequence[Step]) -> str | None:
    """The last thing that an agent said. smolagents' agents say it in a call of `final_answer`, which gives it back."""
    said = (
        step.content
        for step in reversed(steps)
        if step.content and ((step.role == "assistant" and step.kind == "message") or (step.kind, step.agent) == _FINAL)
    )
    return next(said, None)


def _task(tree: Sequence[Node], steps: Sequence[Step]) -> str:
    """The first thing a user said that a root was given, else the first thing a user said: a system prompt that was
    sent in a user's name comes before the question."""
    asked = [step.content for step in steps if step.role == "user" and step.content.strip()]
    roots = [node.span.attributes for node in tree if node.parent is None]
    given = {" ".join(text.split()) for found in roots for name in ASKED for text in strings(decode(found.get(name)))}
    return next((text for text in asked if " ".join(text.split()) in given), asked[0] if asked else "")


def _outcome(tree: Sequence[Node]) -> tuple[Outcome, str | None]:
    """An evaluation's word, when all agree; else a root that ended in error. That none failed says nothing."""
    roots = [node for node in tree if node.parent is None]
    last = max(roots, key=lambda node: (node.start, node.span.span_id))
    verdicts = _verdicts(root.span for root in roots) or _verdicts(node.span for node in tree)
    if verdicts:
        outcomes = {verdict.outcome for verdict in verdicts}
        return (outcomes.pop(), "evaluation") if len(outcomes) == 1 else ("unknown", None)
    if last.span.status == "error" and (last.span.parent_id is None or last.activity):
        return "failure", "status"
    return "unknown", None


def _verdicts(spans: Iterable[Span]) -> list[Verdict]:
    found = [verdict for span in spans for read in (genai.verdicts, openinference.verdicts) for verdict in read(span)]
    return [verdict for verdict in found if verdict.outcome != "unknown"]


def _framework(tree: Sequence[Node]) -> str | None:
    """The framework that the scopes, the providers, or the names of the attributes give away."""
    words = set()
    for node in tree:
        found = node.span.attributes
        words |= {
            node.span.scope or "",
            str(found.get("gen_ai.system") or ""),
            str(found.get("gen_ai.provider.name") or ""),
            str(found.get("traceloop.workflow.name") or ""),
        }
        words |= {key for key in found if key.startswith(("pydantic_ai.", "crewai", "gcp.vertex.agent", "smolagents"))}
        words |= {"pydantic_ai"} if "model_request_parameters" in found else set()
        told = " ".join(str(found.get(name) or "") for name in _METADATA)
        words |= {"langgraph"} if "langgraph_node" in told or any("langgraph_node" in key for key in found) else set()
    text = " ".join(words).lower()
    return next((framework for word, framework in FRAMEWORKS.items() if word in text), None)
