"""The docs cannot rot: pages are generated, links lead somewhere, and every command that is shown exists."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

import tracer
from tracer.analyses.blame import METHODS
from tracer.collectors import COLLECTORS
from tracer.migrations import migrate

REPOSITORY = Path(__file__).parent.parent
SCRIPT = REPOSITORY / "scripts" / "write_docs.py"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())


def commands() -> dict[str, Any]:
    """Every command of the command line by its full name, as the generated pages see them."""
    script = runpy.run_path(str(SCRIPT))
    return {entry.name: entry for entry in script["walk"](script["root"]())}


COMMANDS = commands()


def shown(page: Path) -> list[list[str]]:
    """The words of each `tracer ...` line in the page's fenced blocks, up to a comment, a pipe or a redirection."""
    lines = [
        line.removeprefix("$ ")
        for block in FENCE.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
    ]
    parsed = [shlex.split(line, comments=True) for line in lines if line.startswith("tracer ")]
    return [
        words[: next((i for i, word in enumerate(words) if word in {"|", ">", "&&", ";"}), None)] for words in parsed
    ]


@pages
def test_library_calls_on_a_page_exist(page: Path) -> None:
    """`tracer.graph` is a module, for one: what is shown with a parenthesis must be a public function."""
    called = set(re.findall(r"`tracer\.(\w+)\(", page.read_text(encoding="utf-8")))
    assert called - set(tracer.__all__) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    """Each command, argument and option has a help text."""
    entry = COMMANDS[name]
    assert (entry.command.help or "").strip(), "no help text"
    silent = [each.name for each in entry.command.params if not (each.help or "").strip()]
    assert silent == []


@pytest.mark.parametrize(
    "name", [name for name, entry in COMMANDS.items() if not getattr(entry.command, "commands", None)]
)
def test_a_command_answers_programs_too(name: str) -> None:
    """Each command takes --json."""
    assert any("--json" in each.opts for each in COMMANDS[name].command.params)


def test_the_command_pages_are_fresh() -> None:
    """docs/commands is what the help texts say today."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pages
def test_a_link_leads_to_a_file(page: Path) -> None:
    """Every relative link of a page points to a file of the repository."""
    broken = [
        target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()
    ]
    assert broken == []


@pages
def test_a_command_that_is_shown_exists(page: Path) -> None:
    """Every `tracer ...` line in a fenced block names a real command and real options of it."""
    for words in shown(page):
        if words[1:2] == ["[OPTIONS]"]:
            continue
        name = max((name for name in COMMANDS if words[: len(name.split())] == name.split()), key=len)
        assert name != "tracer" or words[1].startswith("-"), words
        known = {option for each in COMMANDS[name].command.params for option in (*each.opts, *each.secondary_opts)}
        used = {word.split("=")[0] for word in words if word.startswith("--")}
        assert used <= known | {"--help", "--version"}, words


def first_column(page: str) -> list[str]:
    """What stands in backticks in the first column of a concept page's tables."""
    text = (REPOSITORY / "docs" / "concepts" / page).read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_the_formats_page_lists_the_cascade() -> None:
    """Every collector has its row, in the order in which they are asked."""
    assert first_column("formats.md") == [collector.name for collector in COLLECTORS]


def test_the_blame_page_lists_the_methods() -> None:
    """Every method has its row."""
    assert set(first_column("blame-and-its-methods.md")) == set(METHODS)


def test_the_store_page_lists_the_columns_of_the_views() -> None:
    """People who write SQL find every column that a view has, in its order."""
    page = (REPOSITORY / "docs" / "concepts" / "store-and-sql.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(v_\w+)` \|[^|]*\|(.*)\|$", page, re.MULTILINE)
    with duckdb.connect(":memory:") as connection:
        migrate(connection)
        views = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        columns = {
            name: [column for column, *_ in connection.execute(f"DESCRIBE {name}").fetchall()] for (name,) in views
        }
    assert {name: re.findall(r"`(\w+)`", listed) for name, listed in rows} == columns


def test_the_readme_shows_a_session() -> None:
    """A stranger sees at least one real command in the README."""
    assert shown(REPOSITORY / "README.md")
