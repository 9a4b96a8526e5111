"""Text -> JSON values: one document, JSON Lines, or pretty-printed documents simply concatenated.

Every value that leaves here can be written back by orjson (so hashed and stored): at most MAX_DEPTH levels deep, no
lone surrogates, no integer beyond 64 bits. What JSON allows and orjson does not is read by the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from tracer.errors import BadInputError

MAX_DEPTH = 250
"""orjson writes 254 levels; no log that means anything comes near."""

_JSON_START = re.compile(r"\s*(?:\{|\[\s*(?:[\[{\"\]]|\Z))")
_WIDE_INTEGER = re.compile(rb"[:\[,\s]-?\d{20,}\s*[,\]}\s]")
"""An integer that may pass 64 bits: orjson would quietly make it a float."""
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() else ord(" ") for byte in range(128)) + b" " * 128
"""Every digit as 0, all else as a blank."""
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*("?)|[\[{]|[\]}]', re.DOTALL)
_BLANK = re.compile(r"\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")


class Document(NamedTuple):
    """One JSON value of a container."""

    value: Any
    line: int | None = None
    """1-based line on which the value starts, where the container has several values."""


def looks_like_json(text: str) -> bool:
    """Does it open as JSON does? `[2023-05-06 INFO]`, the head of many plain logs, does not."""
    return _JSON_START.match(text) is not None


def loads(text: str | bytes) -> Any:
    """One JSON value; ValueError where it is none or no UTF-8, BadInputError where it nests too deep."""
    try:
        return quick(text if isinstance(text, bytes) else text.encode())
    except ValueError:  # NaN, lone surrogates, an overflowing or wide number, or no JSON at all
        text = text if isinstance(text, str) else text.decode()
    _refuse_deep(text)
    return _writable(_DECODER.decode(text))


def quick(text: bytes) -> Any:
    """One JSON value as orjson reads it; ValueError where it refuses or would lose digits, BadInputError as `loads`."""
    if _has_wide_integer(text):
        raise ValueError("an integer of more than 64 bits")
    value = orjson.loads(text)
    if _may_be_deep(text):
        try:
            orjson.dumps(value)
        except TypeError as error:
            raise _too_deep() from error
    return value


def _has_wide_integer(text: bytes) -> bool:
    """Twenty digits in a row cover four places in a row of every fifth: looking at those alone is much quicker."""
    return b"0000" in text[::5].translate(_DIGITS) and _WIDE_INTEGER.search(text) is not None


def _may_be_deep(text: bytes) -> bool:
    """Does it open more brackets than MAX_DEPTH? Few lines do, and to jump from one to the next beats counting."""
    left = MAX_DEPTH
    for bracket in b"[{":
        at = text.find(bracket)
        while at >= 0:
            if not left:
                return True
            left -= 1
            at = text.find(bracket, at + 1)
    return False


def documents(text: str) -> tuple[Document, ...]:
    """All values of a text that looks like JSON; BadInputError says where it breaks (without naming the file)."""
    first_line = next((line for _, line in _split(text) if line.strip()), "")
    # Lines come first where they may be values: to learn that a large file is no single value costs a second reading.
    by_line = _lines(text) if first_line.rstrip().endswith(("}", "]")) else ()
    found = by_line or _whole(text) or _stream(text)
    return found if len(found) > 1 else tuple(Document(each.value) for each in found)


def _whole(text: str) -> tuple[Document, ...]:
    try:
        return (Document(loads(text)),)
    except ValueError:
        return ()


def _lines(text: str) -> tuple[Document, ...]:
    """JSON Lines, or () when some line is no value of its own."""
    found = []
    for number, line in _split(text):
        if line.strip():
            try:
                found.append(Document(loads(line), number))
            except ValueError:
                return ()
    return tuple(found)


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Lines and their numbers, from 1, one at a time: a large file is not held twice."""
    start, number = 0, 1
    while (end := text.find("\n", start)) >= 0:
        yield number, text[start:end]
        start, number = end + 1, number + 1
    yield number, text[start:]


def _stream(text: str) -> tuple[Document, ...]:
    """Concatenated values, whatever the white space between them."""
    _refuse_deep(text)
    found = []
    position, line = _skip_blank(text, 0), 1
    line += text.count("\n", 0, position)
    while position < len(text):
        try:
            value, end = _DECODER.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise BadInputError(_diagnosis(text, position, error)) from error
        found.append(Document(_writable(value), line))
        end = _skip_blank(text, end)
        line += text.count("\n", position, end)
        position = end
    return tuple(found)


def _skip_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _diagnosis(text: str, start: int, error: json.JSONDecodeError) -> str:
    """Cut off, or wrong in the middle? The two need different help."""
    nesting = _nesting(text, start)
    rest = text[error.pos :].strip()
    at_end = len(rest) <= 6 or any(literal.startswith(rest) for literal in _LITERALS)
    if nesting.string is not None and error.pos >= nesting.string:
        at_end = True
    if not nesting.open or not at_end:
        return f"broken JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
    last_line = text.count("\n", 0, len(text.rstrip())) + 1
    if nesting.string is not None:
        where, opened = "a string", nesting.string
    else:
        opened = nesting.open[-1]
        where = "an object" if text[opened] == "{" else "an array"
    opened_line = text.count("\n", 0, opened) + 1
    return f"truncated JSON: ends inside {where} opened at line {opened_line}, at line {last_line}"


class _Nesting(NamedTuple):
    deepest: int
    open: list[int]
    """Positions of the brackets that nothing closes."""
    string: int | None
    """Position of the quote that nothing closes."""


def _nesting(text: str, start: int = 0) -> _Nesting:
    deepest = 0
    opened: list[int] = []
    for token in _TOKEN.finditer(text, start):
        first = token[0][0]
        if first == '"':
            if not token[1]:
                return _Nesting(deepest, opened, token.start())
        elif first in "[{":
            opened.append(token.start())
            deepest = max(deepest, len(opened))
        elif opened:
            opened.pop()
    return _Nesting(deepest, opened, None)


def _refuse_deep(text: str) -> None:
    """The standard library's decoder recurses; look before it leaps."""
    if _nesting(text).deepest > MAX_DEPTH:
        raise _too_deep()


def _too_deep() -> BadInputError:
    return BadInputError(f"JSON nested deeper than {MAX_DEPTH} levels: no agent log nests so deep")


def _integer(digits: str) -> int | str:
    """Wider than 64 bits: the digits as text, since a float would lose some of them."""
    if len(digits) > 20:
        return digits
    value = int(digits)
    return value if -(1 << 63) <= value < 1 << 64 else digits


def _writable(value: Any) -> Any:
    """Replace lone surrogates, which no UTF-8 can hold, by U+FFFD. Depth is bounded by MAX_DEPTH."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    return value


_DECODER = json.JSONDecoder(parse_int=_integer)
