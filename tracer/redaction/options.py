"""What the user asks for: packs by name, packs of their own as TOML, patterns, and the key of the pseudonyms."""

from __future__ import annotations

import os
import re
import secrets
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from tracer.errors import BadInputError, TracerError
from tracer.redaction.packs import PACKS
from tracer.redaction.redactor import Redactor
from tracer.redaction.rule import Rule, by_pattern

_NAME = re.compile(r"[a-z][a-z0-9]{0,15}")
_FORM = 'expected [[rule]] with name = "ticket" and pattern = "T-[0-9]{1,9}", or keys = ["patient_id"]'


class Redaction(NamedTuple):
    """What is to be taken out."""

    packs: tuple[str, ...] = tuple(PACKS)
    """Names of PACKS, or paths of TOML files."""
    patterns: tuple[str, ...] = ()
    """NAME=REGEX each."""


def make_redactor(database: Path, redaction: Redaction = Redaction()) -> Redactor:  # noqa: B008 (a frozen tuple)
    """The redactor for what goes into a database; its key is TRACER_REDACT_KEY, or drawn once and kept beside it."""
    rules: list[Rule] = []
    names: list[str] = []
    for pack in redaction.packs:
        if pack in PACKS:
            rules += PACKS[pack]
        else:
            more, keys = _read_pack(Path(pack))
            rules += more
            names += keys
    for each in redaction.patterns:
        name, equals, pattern = each.partition("=")
        if not equals:
            raise TracerError(f"{each!r} is no pattern: write NAME=REGEX, as in ticket='T-[0-9]{{1,9}}'")
        rules.append(_user_rule(name, pattern))
    return Redactor(rules, _key(database), names)


def _read_pack(path: Path) -> tuple[list[Rule], list[str]]:
    """The rules of a TOML file, and the names whose values are taken whole."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TracerError(f"no rule pack {str(path)!r}: name one of {', '.join(PACKS)}, or a TOML file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"{path}: not a rule pack: {error}") from error
    rules: list[Rule] = []
    names: list[str] = []
    listed = document.get("rule")
    if not isinstance(listed, list) or not listed:
        raise BadInputError(f"{path}: no rules: {_FORM}")
    for rule in listed:
        rules += _patterns(path, rule)
        names += _keys(path, rule)
    return rules, names


def _patterns(path: Path, rule: Any) -> Iterator[Rule]:
    if not isinstance(rule, dict) or not ("pattern" in rule or "keys" in rule):
        raise BadInputError(f"{path}: {_FORM}")
    if "pattern" in rule:
        yield _user_rule(str(rule.get("name", "")), str(rule["pattern"]))


def _keys(path: Path, rule: dict[str, Any]) -> list[str]:
    keys = rule.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise BadInputError(f"{path}: keys is a list of names: {_FORM}")
    return keys


def _user_rule(name: str, pattern: str) -> Rule:
    if not _NAME.fullmatch(name):
        raise TracerError(f"{name!r} cannot name a rule: up to 16 lower-case letters and digits, a letter first")
    if slow := why_slow(pattern):
        raise TracerError(f"the pattern of {name!r} may take for ever: {slow}")
    try:
        return by_pattern(name, pattern)
    except re.error as error:
        raise TracerError(f"the pattern of {name!r} is no regular expression: {error}") from error


def why_slow(pattern: str) -> str | None:
    """What could make a pattern backtrack without end, or None.

    Refused are an unbounded repeat of a group that itself holds one, or an alternative, which can take exponential
    time, and more than two unbounded repeats, which can take cubic time.
    """
    stack = [False]
    """For each open group: does it hold an unbounded repeat or an alternative?"""
    unbounded = 0
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        if letter == "\\":
            place += 2
            continue
        if letter == "[":
            place = _class_end(pattern, place)
            continue
        if letter == "(":
            stack.append(False)
        elif letter == "|":
            stack[-1] = True
        elif letter == ")" and len(stack) > 1:
            inner = stack.pop()
            stack[-1] = stack[-1] or inner
            if inner and _repeats(pattern, place + 1):
                return "a repeated group holds a repeat or an alternative; give the outer repeat a bound, as in {1,20}"
        elif letter in "*+{" and _repeats(pattern, place):
            stack[-1] = True
            unbounded += 1
        place += 1
    return "more than two repeats have no bound; write {0,99} for * and {1,99} for +" if unbounded > 2 else None


def _repeats(pattern: str, place: int) -> bool:
    """Does an unbounded repeat stand here?"""
    return re.match(r"[*+]|\{\d*,\}", pattern[place:]) is not None


def _class_end(pattern: str, place: int) -> int:
    """The place behind a character class."""
    place += 1 + (pattern[place + 1 : place + 2] == "^")
    place += pattern[place : place + 1] == "]"
    while place < len(pattern) and pattern[place] != "]":
        place += 1 + (pattern[place] == "\\")
    return place + 1


def _key(database: Path) -> bytes:
    """The key of the pseudonyms. Without it, nobody can tell which value a pseudonym stands for."""
    if given := os.environ.get("TRACER_REDACT_KEY"):
        return given.encode()
    path = database.with_name(f".{database.name}.key")
    try:
        if not path.exists():
            with suppress(FileExistsError):
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                os.write(handle, secrets.token_hex(32).encode())
                os.close(handle)
        return path.read_bytes()
    except OSError as error:
        raise TracerError(f"cannot keep a key at {path} ({error.strerror}): set TRACER_REDACT_KEY") from error
