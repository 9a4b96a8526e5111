"""What a failure says, without what differs from one run to the next: so that equal failures look equal."""

from __future__ import annotations

import re
from typing import Any

import orjson

ALIKE = 0.7
"""Signatures that share so many of their words are taken for the same failure."""
_LENGTH = 90
_SCANNED = 20_000
_TELLS = re.compile(
    r"\b\w*(?:error|exception|fail(?:ed|ure)?|denied|refused|forbidden|not found|no such|timed? ?out|timeout|invalid|"
    r"unavailable|cannot|unable|missing|unknown)\w*\b",
    re.IGNORECASE,
)
_INSIDE = re.compile(r"\{.{0,80}?[\"']message[\"']\s{0,3}:\s{0,3}([\"'])(.{4,200}?)\1")
_KEYS = ("error", "message", "detail", "reason", "msg")
_VARYING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}"), "<address>"),
    (re.compile(r"(?<!\w)(?:[A-Za-z]:)?(?:[\\/][\w.@%+-]+){2,}"), "<path>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"(?<!\w)(?:\"[^\"\n]{1,80}\"|'[^'\n]{1,80}'|`[^`\n]{1,80}`|“[^”\n]{1,80}”)"), "…"),
    (re.compile(r"\b(?=[\w-]*\d)[\w-]*[A-Za-z_][\w-]*\b"), "<id>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "#"),
    (re.compile(r"\s+"), " "),
)
"""What varies, in the order in which it is replaced."""


def signature(text: str) -> str:
    """The line that tells of the failure, at most 90 characters, with names, numbers and places made alike.

    Of JSON the field that holds the message; of a text its last line with a word such as error, failed or denied, else
    its first line. Empty for a blank text.
    """
    told = _telling(_message(text[:_SCANNED].strip())).strip(" -*#>`")
    for pattern, stands_for in _VARYING:
        told = pattern.sub(stands_for, told)
    told = told.strip(" .:;,")
    return told if len(told) <= _LENGTH else told[: _LENGTH - 1].rstrip() + "…"


def _message(text: str) -> str:
    if not text.startswith("{"):
        return text
    try:
        held: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    for _ in range(3):  # {"error": {"message": "..."}}
        found = next((held[key] for key in _KEYS if held.get(key)), None)
        if isinstance(found, str):
            return found.strip()
        if not isinstance(found, dict):
            return text
        held = found
    return text


def _telling(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if _TELLS.search(line[:400])), lines[0] if lines else "")[:1000]
    inside = _INSIDE.search(told)
    return told[: inside.start()] + inside[2] if inside else told


def alike(one: str, other: str) -> float:
    """Dice's coefficient of the words of two signatures, 0 to 1; two empty ones are the same."""
    if one == other:
        return 1.0
    first, second = set(one.casefold().split()), set(other.casefold().split())
    return 2 * len(first & second) / (len(first) + len(second)) if first and second else 0.0
