"""Foreign work in a process of its own, with a hard limit: a power tower, or a regular expression that backtracks.

Neither can be stopped from inside: both sit in one long call that no Python signal handler interrupts. So they run in a
child that may be killed; it is replaced, and reused for as long as it lives, so that thousands of questions are quick.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from tracer.errors import TracerError

CPU_LIMIT = 2.0
"""Seconds of the child's own time for one question: the verdict does not change when the machine is busy."""
WALL_LIMIT = 30.0
"""Seconds that one question may take at all, the start of the child included."""
MEMORY = 4 << 30
"""Bytes of address space that the child may have."""
_CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from tracer.worker import serve; serve()"


class OverLimitError(TracerError):
    """A question took more time or memory than the worker may have, so the worker was ended."""


class Worker:
    """One child process and the way to ask it; starts at the first question, and again after it was killed."""

    def __init__(self, cpu_limit: float = CPU_LIMIT, wall_limit: float = WALL_LIMIT) -> None:
        self.cpu_limit = cpu_limit
        self.wall_limit = wall_limit
        self.starts = 0
        """How many children there were."""
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()

    def ask(self, task: str, *arguments: str) -> Any:
        """What TASKS[task](*arguments) gives in the child; OverLimitError where it gave nothing in time."""
        question = json.dumps([self.cpu_limit, task, *arguments]).encode() + b"\n"
        reply = b""
        with self._lock:
            try:
                reply = self._exchange(self._alive(), question)
            finally:  # an interrupt, too: what the child says later must not answer the next question
                if not reply.endswith(b"\n"):
                    self._end()
        if not reply.endswith(b"\n"):
            raise OverLimitError(f"{task}: no result within {self.cpu_limit:g} s; give it something simpler")
        return json.loads(reply)

    def close(self) -> None:
        """End the child; a later question starts another."""
        with self._lock:
            self._end()

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():  # the pipes of a forked parent are its own
            self._child, self._owner = None, os.getpid()
        if self._child is None or self._child.poll() is not None:
            self._end()
            self.starts += 1
            self._child = subprocess.Popen(  # noqa: S603 (this interpreter, on code of ours)
                [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._child

    def _exchange(self, child: subprocess.Popen[bytes], question: bytes) -> bytes:
        """One line each way; an incomplete line where the child ended or was killed over it."""
        assert child.stdin is not None
        assert child.stdout is not None
        timer = threading.Timer(self.wall_limit, child.kill)
        timer.daemon = True
        timer.start()
        try:
            child.stdin.write(question)
            child.stdin.flush()
            return child.stdout.readline()
        except BrokenPipeError:
            return b""
        finally:
            timer.cancel()
            timer.join()  # a kill that comes late hits this child, never the next

    def _end(self) -> None:
        if self._child is None:
            return
        child, self._child = self._child, None
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # what was never sent is lost with the child
                pipe.close()


@cache
def shared() -> Worker:
    """The worker of this process, ended with it."""
    worker = Worker()
    atexit.register(worker.close)
    return worker


def serve() -> None:
    """The child: a question a line on standard input, an answer a line on what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not answer
    _limit_memory()
    if hasattr(signal, "SIGPROF"):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for line in sys.stdin.buffer:
        limit, task, *arguments = json.loads(line)
        if task in NEED_MATHS:
            import math_verify  # noqa: F401  (a second or more, which is not the question's)
        _limit_time(limit)
        answer = TASKS[task](*arguments)
        _limit_time(0)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _limit_time(seconds: float) -> None:
    """The kernel ends the child after so much of its own time, even when the parent is gone; 0 takes the limit off."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # not every system has such a limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def last_match(pattern: str, text: str) -> str | None:
    """What the last match of a pattern holds: its group `answer`, else its first group, else all of it."""
    found = deque(re.finditer(pattern, text), maxlen=1)
    if not found:
        return None
    [match] = found
    if "answer" in match.re.groupindex:
        return match["answer"]
    return match[1] if match.re.groups else match[0]


def _fingerprint(text: str) -> Any:
    from tracer.maths import fingerprint

    return fingerprint(text)


def _equal(first: str, second: str) -> bool:
    from tracer.maths import equal

    return equal(first, second)


TASKS: dict[str, Callable[..., Any]] = {
    "process": os.getpid,
    "fingerprint": _fingerprint,
    "equal": _equal,
    "last match": last_match,
}
NEED_MATHS = {"fingerprint", "equal"}
