"""Threads of several agents: woven by time, or spliced where the log tells no times."""

from datetime import UTC, datetime, timedelta

from tracer.collectors.message import Call, Message, Result
from tracer.collectors.threads import Thread, weave

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def lead(*times: float | None) -> Thread:
    """Asks b, hears of it, ends."""
    asks = Message("assistant", agent="a", calls=(Call("go", "{}", "c"),))
    hears = Message("tool", results=(Result("done", "c"),))
    ends = Message("assistant", "End.", agent="a")
    moments = [None if each is None else at(each) for each in times]
    messages = [m._replace(started=t) for m, t in zip((asks, hears, ends), moments, strict=True)]
    return Thread("", "a", messages)


def helper(*times: float | None, key: str = "b", call: str | None = "c") -> Thread:
    words = [Message("user", "Go."), Message("assistant", f"I am {key}.", agent=key)]
    moments = [None if each is None else at(each) for each in times]
    messages = [m._replace(started=t) for m, t in zip(words, moments, strict=True)]
    return Thread(key, key, messages, call, frozenset({call} if call else ()))


def told(*threads: Thread, by_time: bool = True) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(step.agent, step.content or "go", step.parents) for step in weave(threads, by_time=by_time)]


def test_by_time_a_thread_runs_beside_the_other() -> None:
    """A job in the background: its result came before its end, and declares nothing."""
    assert told(lead(0, 1, 5), helper(2, 3)) == [
        ("a", "go", ()),
        ("b", "done", (0,)),
        ("a", "Go.", (0,)),
        ("b", "I am b.", ()),
        ("a", "End.", ()),
    ]


def test_a_clock_that_goes_back_does_not_turn_a_thread_round() -> None:
    """The result is stamped earlier than its call."""
    assert [agent for agent, _, _ in told(lead(4, 1, 5), helper(2, 3))] == ["a", "b", "a", "b", "a"]


def test_without_times_a_thread_stands_behind_its_call() -> None:
    """And its last word leads into the result."""
    expected = [("a", "go", ()), ("a", "Go.", (0,)), ("b", "I am b.", ()), ("b", "done", (0, 2)), ("a", "End.", ())]
    assert told(lead(0, 1, None), helper(2, 3)) == expected
    assert told(lead(0, 1, 5), helper(2, 3), by_time=False) == expected


def test_a_thread_that_nothing_here_started_stands_at_the_end() -> None:
    """Its call is in no file."""
    assert [content for _, content, _ in told(lead(None, None, None), helper(None, None, call=None))] == [
        "go",
        "done",
        "End.",
        "Go.",
        "I am b.",
    ]


def test_ids_of_calls_mean_nothing_outside_their_thread() -> None:
    """The helper's own call has the same id."""
    own = Message("assistant", agent="b", calls=(Call("dig", "{}", "c"),))
    found = Message("tool", results=(Result("gold", "c"),))
    steps = weave([lead(None, None, None), Thread("b", "b", [own, found], "c", frozenset({"c"}), "")])
    assert [(step.tool, step.parents) for step in steps] == [
        ("go", ()),
        ("dig", (0,)),
        ("dig", (1,)),
        ("go", (0, 1)),
        (None, ()),
    ]


def test_nothing_makes_no_steps() -> None:
    """Nor does a thread without messages."""
    assert weave([]) == ()
    assert weave([Thread("", "a", [])]) == ()
