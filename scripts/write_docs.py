"""Write docs/commands from the help texts of the command line, one page per command; with --check, only compare."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from tracer.cli import app

FOLDER = Path(__file__).parent.parent / "docs" / "commands"
NOTICE = "<!-- Written by scripts/write_docs.py from the help texts: change those, then run `make docs`. -->"
_LIST_TYPE = re.compile(r" <list\[.*\]>$")
_DOUBLE_DOTS = re.compile(r"[{[](\[?\w+\.\.\.\]?)[}\]]\.\.\.")
"""typer writes `{RUN...}...` for one or more RUN."""
INDEX_TAIL = """
## On every command

`--json` prints JSON for programs on standard output, and nothing else goes there; `tracer schema NAME` prints its
schema. Progress and hints go to standard error. A mistake of yours is one line that says what to do.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | found a failure where asked to gate |
| 2 | the command was called wrongly, or no run answers to the address |
| 3 | the input cannot be read |
| 4 | another process holds the database |
| 5 | a model, a server or an optional package is missing |
| 70 | an error of ours, with a traceback |
| 130 | interrupted |
"""


class Entry(NamedTuple):
    """One command with the context that knows its full name."""

    command: TyperCommand | TyperGroup
    context: typer.Context

    @property
    def name(self) -> str:
        """As typed: `tracer runs rm`."""
        return self.context.command_path


def walk(entry: Entry) -> Iterator[Entry]:
    """The command itself, then its visible sub-commands, depth first in the order of the help text."""
    yield entry
    if isinstance(entry.command, TyperGroup):
        for name, command in entry.command.commands.items():
            if isinstance(command, TyperCommand | TyperGroup) and not command.hidden:
                yield from walk(Entry(command, typer.Context(command, info_name=name, parent=entry.context)))


def root() -> Entry:
    """The command line itself."""
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    return Entry(command, typer.Context(command, info_name="tracer", **command.context_settings))


def _cell(text: str) -> str:
    """Text that may stand in a table's cell, between backticks too."""
    return " ".join(text.split()).replace("|", "\\|")


def _meaning(text: str) -> str:
    """A help text in a table's cell: what looks like a tag is none."""
    return _cell(text).replace("<", "&lt;")


def _prose(text: str) -> str:
    """A help text as Markdown: the lines of a paragraph joined, a `\\b` block kept line by line."""
    return "\n\n".join(_paragraph(part) for part in text.split("\n\n") if part.strip())


def _paragraph(text: str) -> str:
    return f"```\n{text.removeprefix(chr(8)).strip()}\n```" if text.startswith("\b") else " ".join(text.split())


def rows(entry: Entry) -> list[tuple[str, str]]:
    """Each argument and option as (how it is written, what it does)."""
    found = []
    for parameter in entry.command.get_params(entry.context):
        record = parameter.get_help_record(entry.context)
        if isinstance(parameter, TyperArgument | TyperOption) and record and not parameter.hidden:
            found.append((_LIST_TYPE.sub("", record[0]), record[1]))
    return found


def section(entry: Entry, level: int) -> str:
    """One command: its name, help text, usage, and a table of its arguments and options."""
    usage = _DOUBLE_DOTS.sub(r"\1", entry.command.get_usage(entry.context).removeprefix("Usage: "))
    parts = [f"{'#' * level} {entry.name}", _prose(entry.command.help or ""), f"```\n{' '.join(usage.split())}\n```"]
    table = [f"| `{_cell(names)}` | {_meaning(meaning)} |" for names, meaning in rows(entry)]
    if table:
        parts.append("\n".join(["| argument or option | meaning |", "|---|---|", *table]))
    return "\n\n".join(parts)


def pages() -> dict[str, str]:
    """Every page's file name and text."""
    top = root()
    texts, index = {}, []
    for entry in [entry for entry in walk(top) if entry.context.parent is top.context]:
        name = f"{entry.context.info_name}.md"
        sections = [section(each, 1 if each is entry else 2) for each in walk(entry)]
        texts[name] = "\n\n".join([NOTICE, *sections]) + "\n"
        summary = (entry.command.help or "").strip().split("\n\n")[0]
        index.append(f"| [`{entry.name}`]({name}) | {_meaning(summary)} |")
    head = [NOTICE, "# Commands", _prose(top.command.help or ""), "\n".join(["| command | |", "|---|---|", *index])]
    texts["README.md"] = "\n\n".join(head) + "\n" + INDEX_TAIL
    return texts


def stale(texts: dict[str, str]) -> list[str]:
    """Names of the pages that differ from what stands in the folder, or stand there without a command."""
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    return sorted(name for name in texts.keys() | on_disk.keys() if texts.get(name) != on_disk.get(name))


def main(arguments: list[str]) -> int:
    """Write what is stale, or with --check say what is and exit with 1."""
    texts = pages()
    changed = stale(texts)
    if arguments == ["--check"]:
        for name in changed:
            print(f"docs/commands/{name} is stale: run `make docs`", file=sys.stderr)
        return 1 if changed else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in texts:
            (FOLDER / name).write_text(texts[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
        print(f"docs/commands/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
