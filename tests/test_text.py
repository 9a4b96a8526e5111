"""Log text on a terminal: readable, and without any power over it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.text import clean, one_line, safe_json

HOSTILE = {
    "clear the screen": ("\x1b[2Jgone", "[2Jgone"),
    "colour": ("\x1b[1;31mred\x1b[0m text", "red text"),
    "title": ("\x1b]0;owned\x07after", "]0;ownedafter"),
    "clipboard": ("\x1b]52;c;cm0=\x1b\\x", "]52;c;cm0=\\x"),
    "one-byte sequence": ("\x9b2Ja\x90b", "2Jab"),
    "overwriting": ("safe\rrm -rf", "safe rm -rf"),
    "backspace": ("abc\x08\x08\x7f", "abc"),
    "NUL": ("a\x00b", "ab"),
    "reordering": ("user\u202egnp.exe\u2066x\u2069", "usergnp.exex"),
    "half a character": ("\ud83dx", "\ufffdx"),
    "line separators": ("a\u2028b\u2029c\x85d", "a b c d"),
    "markup stays text": ("[/bold] [red]", "[/bold] [red]"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_loses_its_power_and_keeps_its_words(name: str) -> None:
    """Control and reordering characters go, the rest stays as it is."""
    text, expected = HOSTILE[name]
    assert clean(text) == expected


def test_lines_and_tabs_stay_only_when_asked_for() -> None:
    """A step printed whole keeps its lines; a cell of a table has one."""
    assert clean("a\r\n\tb", lines=True) == "a\n\tb"
    assert clean("a\r\n\tb") == "a  b"


def test_one_line_cuts_with_an_ellipsis_within_the_width() -> None:
    """White space collapses; what fits is not cut."""
    assert one_line("  one\n\n two  ", 7) == "one two"
    assert one_line("one two three", 8) == "one two…"
    assert one_line("abc", 0) == "…"


def test_one_line_of_a_huge_text_looks_only_at_its_head() -> None:
    """100 MB of text costs no more than its first line."""
    assert one_line("word " * 20_000_000, 9) == "word wor…"


@given(st.text(st.characters(), max_size=200), st.booleans())
def test_no_control_character_ever_survives(text: str, lines: bool) -> None:
    """Whatever the text: only newline and tab may stay, and it can be encoded."""
    cleaned = clean(text, lines=lines)
    controls = {character for character in cleaned if unicodedata.category(character) == "Cc"}
    assert controls <= ({"\n", "\t"} if lines else set())
    assert "\x1b" not in cleaned
    cleaned.encode()


def test_json_for_a_terminal_is_the_same_json() -> None:
    """What JSON leaves raw and a terminal might act on is escaped, and reads back the same."""
    document = json.dumps({"a\u202e": "\x9b31m \x7f é 中"}, ensure_ascii=False)
    assert safe_json(document) == '{"a\\u202e": "\\u009b31m \\u007f é 中"}'
    assert json.loads(safe_json(document)) == json.loads(document)
