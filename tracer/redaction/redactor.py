"""Finding what the rules name, wherever it hides, and putting pseudonyms in its place.

A pseudonym is `hid_NAME_` and 12 hex digits of HMAC-SHA256(key, name and value): who has the key can check a guess,
nobody else can. It is made of letters that the dependency graph takes for one identifier, so a value that was reused is
still seen to be reused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import html
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import orjson

from tracer.redaction.keys import is_secret
from tracer.redaction.rule import Rule

MAX_DEPTH = 250
"""Levels of JSON, counted through strings that hold JSON."""
_MAX_DECODED = 3
"""Encodings within encodings that are looked behind."""
_PSEUDONYM = re.compile(r"hid_[a-z0-9]+_[0-9a-f]{12}")
_TOKEN = re.compile(r"[^\s\"'<>]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6}|commat|period|colon);")
_EXEMPT = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id", "flags", "kind"})
"""Names in OTLP whose values are ids of the telemetry's own, which join its parts."""


class _TooDeepError(Exception):
    """JSON in a string nests too deep to be walked; it is searched as text."""


class Redactor:
    """A set of rules and a key. Counts what it replaced, by the rules' names."""

    def __init__(self, rules: Sequence[Rule], key: bytes, names: Sequence[str] = ()) -> None:
        self._rules = rules
        self._key = key
        self._names = frozenset(name.lower() for name in names)
        self.counts: Counter[str] = Counter()
        described = "\n".join(f"{rule.name} {rule.text}" for rule in rules)
        self._fingerprint = hmac.digest(key, f"{described}\n{sorted(self._names)}".encode(), "sha256")

    def pseudonym(self, name: str, value: str) -> str:
        """What stands for a value from now on."""
        self.counts[name] += 1
        digest = hmac.new(self._key, f"{name}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"hid_{name}_{digest.hexdigest()[:12]}"

    def rehash(self, digest: str) -> str:
        """The digest that stands for the redacted content: another one for each key and set of rules, so that the same
        log read without redaction, or with less of it, is not taken for the same."""
        return hmac.new(self._fingerprint, digest.encode(), hashlib.sha256).hexdigest()

    def value(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """A JSON value without what must not be kept, in keys and in values; `name` is the key it stands under."""
        if depth > MAX_DEPTH:
            raise _TooDeepError
        if isinstance(value, str):
            return self.pseudonym("key", value) if value and self._is_secret(name) else self.text(value, depth)
        if isinstance(value, dict):
            return self._object(value, name, depth)
        if isinstance(value, list | tuple):
            return [self.value(item, name, depth + 1) for item in value]
        if isinstance(value, bool) or value is None:
            return value
        return self._number(value, name)

    def _object(self, value: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
        """An OTLP attribute names its value beside it; any other value has its name from its key, else from above."""
        if value.keys() == {"key", "value"} and isinstance(value["key"], str):
            inner = value["key"] if self._is_secret(value["key"]) else name
            return {"key": self.text(value["key"], depth), "value": self.value(value["value"], inner, depth + 1)}
        found = {}
        for key, item in value.items():
            if key in _EXEMPT or key.endswith(("UnixNano", "_ns")):
                found[key] = item
            else:
                inner = key if self._is_secret(key) or not self._is_secret(name) else name
                found[self.text(key, depth)] = self.value(item, inner, depth + 1)
        return found

    def _number(self, value: float, name: str) -> Any:
        if self._is_secret(name):
            return self.pseudonym("key", str(value))
        text = str(value)
        found = self.text(text) if len(text) >= 12 else text
        return value if found == text else found

    def _is_secret(self, name: str) -> bool:
        return bool(name) and (is_secret(name) or name.lower() in self._names)

    def text(self, text: str, depth: int = 0) -> str:
        """A text without what must not be kept; JSON in it is walked, so that its keys count."""
        if len(text) < 5:
            return text
        if text.lstrip()[:1] in ("{", "["):
            try:
                return self._json(text, depth)
            except (ValueError, TypeError, _TooDeepError):
                pass
        return self._plain(text, 0)

    def _json(self, text: str, depth: int) -> str:
        """JSON in a string, written anew only where something was found. ValueError where it is none."""
        parsed = orjson.loads(text)
        if not isinstance(parsed, dict | list):
            raise ValueError("not a container")
        found = self.value(parsed, "", depth + 1)
        return text if found == parsed else orjson.dumps(found).decode()

    def _plain(self, text: str, decoded: int) -> str:
        """Places that the rules name, then what stands behind an encoding."""
        text = self._replace(text)
        if decoded < _MAX_DECODED:
            if "%" in text or "\\u" in text or "&" in text:
                text = _TOKEN.sub(lambda match: self._unescaped(match[0], decoded), text)
            text = _BASE64.sub(lambda match: self._unpacked(match[0], decoded), text)
        return text

    def _replace(self, text: str) -> str:
        places: list[tuple[int, int, str, str]] = []
        for rule in self._rules:
            if not rule.hints or any(hint in text for hint in rule.hints):
                places += [(found.start, -found.end, rule.name, found.value) for found in rule.find(text)]
        if not places:
            return text
        pieces, at = [], 0
        for start, minus_end, name, value in sorted(places):
            if start >= at and not _PSEUDONYM.fullmatch(value):
                pieces += [text[at:start], self.pseudonym(name, value)]
                at = -minus_end
        return "".join([*pieces, text[at:]])

    def _unescaped(self, token: str, decoded: int) -> str:
        """A word behind percent signs, JSON escapes or entities, in plain where something was found in it."""
        for pattern, undo in (
            (_PERCENT, unquote),
            (_ESCAPE, lambda raw: _ESCAPE.sub(lambda match: chr(int(match[1], 16)), raw)),
            (_ENTITY, html.unescape),
        ):
            if pattern.search(token):
                plain = undo(token)
                found = self._plain(plain, decoded + 1)
                if found != plain:
                    return found
        return token

    def _unpacked(self, run: str, decoded: int) -> str:
        """A run of base64: hidden whole where its content holds something."""
        if _PSEUDONYM.search(run):
            return run
        padded = run.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            content = base64.b64decode(padded[: len(padded) - (len(padded) % 4 == 1)] + "=" * (-len(padded) % 4))
        except (binascii.Error, ValueError):
            return run
        plain = content.decode("utf-8", "replace")  # an image is no text, but its metadata may be
        before = self.counts.copy()
        if self._plain(plain, decoded + 1) == plain:
            return run
        self.counts = before
        return self.pseudonym("b64", run)
