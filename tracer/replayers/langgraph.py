"""LangGraph: go on from a checkpoint of the thread that was recorded. No node before it runs again.

`langgraph:MODULE:GRAPH`, or `langgraph:MODULE:GRAPH@THREAD` where the checkpointer holds several threads. GRAPH is a
compiled graph whose checkpointer holds the thread, or a `LangGraph` that says more: which thread, and what counts as
success. Each fork is a thread of its own, which begins with a copy of that checkpoint; the recorded one stays as it is.
A node may read the fork's seed in `config["configurable"]["seed"]`.

The checkpoint of a fork is the one whose messages are the prefix's: users' and system texts, and what a trace tells
beside the messages (spans of tools, of inner agents), are passed over.

An edited step takes the place of what its node wrote. Where conditional edges lead on they are asked again, about the
edited message; a node that names the next one itself (`Command(goto=...)`) keeps what it named.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import count, pairwise
from typing import Any, NamedTuple

import orjson

from tracer.records import Recording, Run, Step, content_hash, run_id
from tracer.replayers.function import called, outcome, revision
from tracer.replayers.messages import SYSTEM, USERS, answer_of, steps_of
from tracer.replaying import Fork, Lived, ReplayError, named
from tracer.rows import to_json

Judge = Callable[[Any], Any]
"""The values of the last state -> success or not: a bool, "success", "failure", "unknown"."""
Signature = tuple[str | None, str | None]
"""What makes a step of a log and a message of a thread the same: its words, and the tool."""
_START = "__start__"
_FORK = "-fork-"
"""In the names of the threads that forks are."""


class _Place(NamedTuple):
    """A checkpoint at which a fork begins."""

    snapshot: Any
    steps: int
    """That its messages tell."""
    told: list[Signature]


def make(recording: Recording, where: str) -> LangGraph:
    """The replayer of `langgraph:MODULE:GRAPH@THREAD`."""
    place, _, thread = where.partition("@")
    found = named(place)
    if isinstance(found, LangGraph):
        return found
    if not hasattr(found, "get_state_history"):
        raise ReplayError(f"langgraph:{where} is {type(found).__name__}, not a compiled graph")
    return LangGraph(found, thread or None, revision=revision(sys.modules[place.partition(":")[0]]))


class LangGraph:
    """A replayer of one recorded thread of a graph."""

    batch = 1

    def __init__(
        self,
        graph: Any,
        thread: str | None = None,
        *,
        judge: Judge | None = None,
        messages: str = "messages",
        revision: str | None = None,
    ) -> None:
        """`judge` says of the last state whether it is a success; `messages` is the state's key for them."""
        self.graph, self.judge, self.key, self.revision = graph, judge, messages, revision
        if getattr(graph, "checkpointer", None) in (None, True, False):
            raise ReplayError("the graph has no checkpointer: compile it with the one that holds the recorded thread")
        self.thread = thread or self._only_thread()
        self.history = self._history(self.thread)
        if not self.history:
            raise ReplayError(f"the checkpointer holds no thread {self.thread!r}: name one of {self._threads()}")

    def __call__(self, forks: Sequence[Fork]) -> list[Lived]:
        """Live the forks again."""
        return [called("langgraph", fork, self._live, fork) for fork in forks]

    def recording(self, *, task: str | None = None, expected: str | None = None) -> Recording:
        """The recorded thread as a run, each message told by the node that wrote it."""
        steps = self._steps(self.history)
        ended = outcome(self.judge(self.history[-1].values), "judge") if self.judge else "unknown"
        told = to_json([self.thread, *(step.model_dump() for step in steps)]) or ""
        digest = content_hash(told.encode())
        asked = next((step.content for step in steps if _posed(step)), "")
        run = Run(
            id=run_id(digest),
            content_hash=digest,
            source=f"thread {self.thread}",
            format="langgraph",
            framework="langgraph",
            task=asked if task is None else task,
            outcome=ended,
            outcome_source="judge" if self.judge else None,
            answer=answer_of(steps),
            expected=expected,
        )
        return Recording(run, steps)

    def _live(self, fork: Fork) -> Lived:
        place = self._place(fork)
        thread = self._copied(place, fork)["thread_id"] if fork.edited is None else self._edited(place, fork)
        kept = place.steps + (fork.edited is not None)
        self.graph.invoke(None, {"configurable": {"thread_id": thread, "seed": fork.seed}})
        history = self._history(thread)
        steps = self._steps(history)
        ended = outcome(self.judge(history[-1].values), "judge") if self.judge else "unknown"
        return Lived(steps[kept:], ended, answer_of(steps))

    def _place(self, fork: Fork) -> _Place:
        """The first checkpoint that holds the prefix; for an edit the last, after which the step's node writes."""
        wanted = _signatures(fork.prefix)
        found = [place for place in self._places if place.told[-1:] == wanted[-1:] and _in_order(place.told, wanted)]
        if not found:
            raise ReplayError(
                f"thread {self.thread} has no checkpoint after step {len(fork.prefix) - 1}: "
                "fork at a step with which a node begins"
            )
        return found[0 if fork.edited is None else -1]

    @cached_property
    def _places(self) -> list[_Place]:
        """Every checkpoint of the recorded thread at which the task is known."""
        places = []
        for snapshot in self.history:
            if _START not in snapshot.next:
                steps = self._steps([snapshot])
                places.append(_Place(snapshot, len(steps), _signatures(steps)))
        return places

    def _copied(self, place: _Place, fork: Fork) -> dict[str, Any]:
        """A new thread that begins with this checkpoint; what its tasks had written is not copied."""
        keeper = self.graph.checkpointer
        saved = keeper.get_tuple(place.snapshot.config)
        said = "\0".join(step.spoken for step in fork.kept)
        made = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        names = (f"{self.thread}{_FORK}{made}-{fork.seed}-{number}" for number in count())
        thread = next(name for name in names if not self._history(name))
        config = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        copied = keeper.put(config, saved.checkpoint, saved.metadata, saved.checkpoint["channel_versions"])
        made_at: dict[str, Any] = copied["configurable"]
        return made_at

    def _edited(self, place: _Place, fork: Fork) -> str:
        """A new thread in which the step's node has written the edited message in the place of its own."""
        assert fork.edited is not None
        task = self._writer(place.snapshot, fork.edited)
        message = _edited(self._written(task), fork.edited)
        at = self._copied(place, fork)
        if len(place.snapshot.tasks) == 1:
            after = self.graph.update_state({"configurable": at}, {self.key: [message]}, as_node=task.name)
            if self.graph.get_state(after).next or self._has_edges(task.name):
                return str(at["thread_id"])
            at = self._copied(place, fork)
        saved = self.graph.checkpointer.get_tuple(place.snapshot.config)
        writes = [
            (channel, [message] if channel == self.key else value)
            for of, channel, value in saved.pending_writes or ()
            if of == task.id
        ]
        self.graph.checkpointer.put_writes({"configurable": at}, writes, task.id)
        return str(at["thread_id"])

    def _written(self, task: Any) -> Any:
        """The one message that a task wrote."""
        written = task.result.get(self.key) if isinstance(task.result, Mapping) else None
        messages = written if isinstance(written, list) else [written] if written else []
        if len(messages) != 1:
            raise ReplayError(f"node {task.name!r} wrote {len(messages)} messages at once: only a single one is edited")
        return messages[0]

    def _writer(self, snapshot: Any, edited: Step) -> Any:
        """The task that wrote the step in the recorded thread."""
        tasks = snapshot.tasks
        named_so = [task for task in tasks if task.name == edited.agent]
        if len(tasks) == 1 or named_so:
            return (named_so or list(tasks))[0]
        raise ReplayError(f"step {edited.index} may be by {', '.join(task.name for task in tasks)}: name its agent so")

    def _has_edges(self, node: str) -> bool:
        """Whether the graph says what comes after a node; if not, the node itself does."""
        made = self.graph.builder
        return (
            bool(made.branches.get(node))
            or any(node == source for source, _ in made.edges)
            or any(node in sources for sources, _ in made.waiting_edges)
        )

    def _steps(self, history: Sequence[Any]) -> tuple[Step, ...]:
        """The messages of a thread as steps, each by the node that wrote it unless it names its speaker itself."""
        messages = list(history[-1].values.get(self.key, []))
        writers: dict[int, str] = {}
        for before, after in pairwise(history):
            start, stop = len(before.values.get(self.key, [])), len(after.values.get(self.key, []))
            nodes = [task.name for task in before.tasks if _wrote(task, self.key)] or [
                each.name for each in before.tasks
            ]
            writers |= {place: nodes[min(place - start, len(nodes) - 1)] for place in range(start, stop) if nodes}
        return steps_of([_plain(message, writers.get(place)) for place, message in enumerate(messages)])

    def _history(self, thread: str) -> list[Any]:
        """The thread's checkpoints, the oldest first."""
        return list(self.graph.get_state_history({"configurable": {"thread_id": thread}}))[::-1]

    def _threads(self) -> list[str]:
        held = [each.config["configurable"]["thread_id"] for each in self.graph.checkpointer.list(None)]
        return sorted({thread for thread in held if _FORK not in thread})

    def _only_thread(self) -> str:
        threads = self._threads()
        if len(threads) == 1:
            return threads[0]
        listed = ", ".join(threads[:5]) + (", …" if len(threads) > 5 else "")
        known = listed or "run it first"
        raise ReplayError(f"the checkpointer holds {len(threads)} threads: name one behind @ ({known})")


def _wrote(task: Any, key: str) -> bool:
    return isinstance(task.result, Mapping) and bool(task.result.get(key))


def _posed(step: Step) -> bool:
    """Said by the user, or by the system's maker."""
    return (step.role or "").lower() in USERS | SYSTEM or step.kind == "system" or step.agent.lower() in USERS


def _signatures(steps: Sequence[Step]) -> list[Signature]:
    """What agents said, which tools they called, and which tools answered: a trace may word an answer otherwise."""
    return [
        (None if step.kind == "tool_result" else step.content.strip(), step.tool)
        for step in steps
        if not _posed(step) and (step.kind == "tool_result" or step.spoken.strip())
    ]


def _in_order(told: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Whether all that is told stands among what is wanted, in the same order."""
    rest = iter(wanted)
    return all(each in rest for each in told)


def _plain(message: Any, writer: str | None) -> dict[str, Any]:
    """A LangChain message in OpenAI's form, with its speaker."""
    from langchain_core.messages import AIMessage, convert_to_openai_messages

    plain = dict(convert_to_openai_messages(message))
    thought = message.additional_kwargs.get("reasoning_content")
    usage = getattr(message, "usage_metadata", None) or {}
    if isinstance(message, AIMessage):
        plain["name"] = message.name or writer or "assistant"
        plain |= {"reasoning_content": thought} if thought else {}
        plain |= {"usage": usage} if usage else {}
    return plain


def _edited(message: Any, step: Step) -> Any:
    """The message with the step's words, and the arguments of its call."""
    update: dict[str, Any] = {"content": step.content}
    calls = [dict(call) for call in getattr(message, "tool_calls", None) or ()]
    if calls and step.kind not in {"tool_call", "handoff"}:
        update["tool_calls"] = []  # the edit calls nothing any more
    elif calls and step.arguments is not None:
        try:
            calls[0] |= {"args": orjson.loads(step.arguments), "name": step.tool or calls[0]["name"]}
        except orjson.JSONDecodeError as error:
            raise ReplayError(f"the arguments of step {step.index} are no JSON: {error}") from error
        update["tool_calls"] = calls
    return message.model_copy(update=update)
