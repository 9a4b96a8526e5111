"""How commands speak: reports and JSON on stdout, hints and progress on stderr."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

_PIPE_WIDTH = 160
"""Columns of a report that is not read at a terminal, unless COLUMNS says otherwise."""
_PATIENCE = 2.0
"""Seconds after which a progress bar appears."""
LONG = 20.0
"""Seconds from which on a job is foretold."""


def print_report(report: RenderableType) -> None:
    """Print a report; colour only at a terminal, and never where NO_COLOR is set."""
    from rich.console import Console

    console = Console(markup=False, emoji=False, highlight=False, width=report_width())
    if console.is_terminal:
        console.print(report)
        return
    with console.capture() as captured:
        console.print(report)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))  # Rich pads lines to the full width


def report_width() -> int:
    """Columns that a report may take: the terminal's, COLUMNS, or plenty when it is piped."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH


def print_json(document: BaseModel, *, without_null: bool = False) -> None:
    """Print a record as JSON, safe to look at in a terminal."""
    from tracer.text import safe_json

    print(safe_json(document.model_dump_json(by_alias=True, indent=2, exclude_none=without_null)))


def hint(words: str) -> None:
    """Say on stderr what could come next, to people."""
    print(f"next: {words}", file=sys.stderr)


def warn(words: str) -> None:
    """Say on stderr what a person should know."""
    from tracer.text import clean

    print(clean(words), file=sys.stderr)


class ProgressBar:
    """A bar on stderr once the work has lasted two seconds; nothing when stderr is no terminal."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._began = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, item: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done and that `item` is next."""
        if self._bar is None and sys.stderr.isatty() and time.monotonic() - self._began > _PATIENCE:
            self._bar = _started_bar()
            self._task = self._bar.add_task(self._words, total=total)
        if self._bar and self._task is not None:
            from rich.markup import escape

            from tracer.text import clean

            words = escape(clean(f"{self._words}: {item}"))
            self._bar.update(self._task, completed=done, total=total, description=words)


def _started_bar() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    bar.start()
    return bar
