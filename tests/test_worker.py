"""The worker process: killed when it takes too long, replaced, reused; and nobody hangs."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tracer.worker import OverLimitError, Worker, last_match

ENDLESS = ("last match", r"(a+)+$", "a" * 60 + "b")


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker(cpu_limit=0.3)
    yield made
    made.close()


def ask(worker: Worker, text: str) -> str:
    return str(worker.ask("last match", ".*x", text))


def test_one_child_answers_many_questions(worker: Worker) -> None:
    """Whatever the text holds: line feeds, halves of characters, a megabyte."""
    for text in ("x", "a\nx", "\ud800x", "é" * 10**6 + "x"):
        assert ask(worker, text) == text.splitlines()[-1]
    assert worker.starts == 1


def test_a_child_that_takes_too_long_is_killed_and_replaced(worker: Worker) -> None:
    """The question fails, the next one works."""
    with pytest.raises(OverLimitError, match=r"within 0\.3 s"):
        worker.ask(*ENDLESS)
    assert ask(worker, "x") == "x"
    assert worker.starts == 2


def test_the_clock_on_the_wall_is_a_limit_too() -> None:
    """For what waits instead of computing, and where the system has no other limit."""
    worker = Worker(cpu_limit=60, wall_limit=0.5)
    started = time.monotonic()
    with pytest.raises(OverLimitError):
        worker.ask(*ENDLESS)
    assert time.monotonic() - started < 10
    worker.close()


def test_a_child_that_somebody_killed_is_replaced(worker: Worker) -> None:
    """Between two questions, nothing is lost."""
    child = int(worker.ask("process"))
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert ask(worker, "x") == "x"
    assert worker.starts == 2


def test_an_interrupted_question_leaves_no_answer_behind() -> None:
    """Ctrl-C while the child computes: the next question gets the answer to itself."""
    worker = Worker(cpu_limit=0.3)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(KeyboardInterrupt):
        worker.ask(*ENDLESS)
    signal.signal(signal.SIGALRM, before)
    assert ask(worker, "x") == "x"
    worker.close()


def test_threads_may_share_a_worker(worker: Worker) -> None:
    """Everybody gets the answer to the own question."""
    texts = [f"{k}x" for k in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: ask(worker, text), texts)) == texts


def test_a_closed_worker_may_be_asked_again(worker: Worker) -> None:
    """Closing twice is once."""
    worker.close()
    worker.close()
    assert ask(worker, "x") == "x"


def test_the_last_match() -> None:
    """None where there is none."""
    assert last_match("b", "a") is None
    assert last_match("(a)|b", "ab") is None  # the group took no part
