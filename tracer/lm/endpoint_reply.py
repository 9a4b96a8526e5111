"""What a server answered: the JSON, or in one line what is wrong and what to do about it.

Two kinds of trouble: what may pass by itself (`UnavailableError`: no connection, too busy, an answer cut off) and what
will not (a key that is refused, a model that is not there, a page that is no API).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tracer.errors import DoesNotFitError, MissingExtraError
from tracer.text import clean, one_line

MAX_BYTES = 64 << 20
"""Of one answer; a server that sends more is not one of ours."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that may pass by themselves."""
_TOO_LONG = re.compile(
    r"context (length|size|window)|maximum (context|model) len|max_model_len|too (long|many tokens)", re.I
)
_NO_MODEL = re.compile(
    r"\bmodel\b.*\b(not exist|not found|unknown|pinned)|\b(unknown|no such) model|pinned to", re.I | re.S
)
_WIDTH = 240
"""Characters of a server's own words that are passed on."""


class EndpointError(MissingExtraError):
    """A server that cannot be used as it is."""

    def __init__(self, words: str, status: int | None = None) -> None:
        """`status`: of an answer that refuses."""
        super().__init__(words)
        self.status = status


class UnavailableError(EndpointError):
    """A server that may be there again in a moment; without a status nothing came back at all."""

    def __init__(
        self, words: str, status: int | None = None, after: float | None = None, hopeless: bool = False
    ) -> None:
        """`after`: seconds that it asked to be left alone; `hopeless`: to ask it again would be in vain."""
        super().__init__(words, status)
        self.after, self.hopeless = after, hopeless

    @property
    def internal(self) -> bool:
        """Whether the server failed by itself (500): it may again, whenever the same is asked."""
        return self.status == 500


class Raw(NamedTuple):
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def read(raw: Raw, url: str, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON object of an answer; whatever else came raises. `asked` is the body of the request."""
    if 300 <= raw.status < 400:
        raise _sends_on(raw, url)
    if raw.status != 200:
        raise _refusal(raw, url, asked or {})
    text = raw.body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_json(text, url) from None
    if not isinstance(found, dict):
        raise EndpointError(f"{clean(url)} answers with JSON that is no object: is it an OpenAI-compatible server?")
    if found.get("error") and "choices" not in found:  # some servers say 200 all the same
        raise _refusal(raw._replace(status=400), url, asked or {})
    return found


def _sends_on(raw: Raw, url: str) -> EndpointError:
    to = urlsplit(raw.headers.get("location", ""))
    there = f"{to.scheme}://{to.netloc}" if to.netloc else "another path"
    return EndpointError(f"{clean(url)} sends on to {one_line(there, 80)}: not followed; name the right address")


def _no_json(text: str, url: str) -> EndpointError:
    start = text.lstrip()[:200].lower()
    if start.startswith("<"):
        return EndpointError(f"{clean(url)} answers with a web page, not JSON: the address mostly ends in /v1")
    if start.startswith("{"):
        return UnavailableError(f"{clean(url)} cut its answer off after {len(text):,} characters: look at the server")
    return EndpointError(f"{clean(url)} answers with something that is not JSON: is it an OpenAI-compatible server?")


def _refusal(raw: Raw, url: str, asked: Mapping[str, Any]) -> EndpointError | DoesNotFitError:
    where, words = f"{clean(url)}", _words(raw.body)
    said = f": {words}" if words else ""
    model = clean(str(asked.get("model", "")))
    if raw.status in {401, 403}:
        return EndpointError(f"{where} wants a key, or another one ({raw.status}): set TRACER_API_KEY", raw.status)
    if raw.status in _PASSING:
        return UnavailableError(
            f"{where} answers {raw.status}{said}: look at the server", raw.status, _after(raw.headers)
        )
    if model and _NO_MODEL.search(words):
        return EndpointError(f"{where} has no model {model!r}{said}: name another as URL#MODEL", raw.status)
    if raw.status == 404:
        return EndpointError(
            f"{where} is not there (404){said}: the address of an OpenAI-compatible server ends in /v1", raw.status
        )
    if _TOO_LONG.search(words):
        return DoesNotFitError(f"the text is longer than the model at {where} reads{said}: shorten it, or name another")
    return EndpointError(f"{where} refuses the request ({raw.status}){said}", raw.status)


def _words(body: bytes) -> str:
    """The server's own message, made safe and short; nothing of a web page."""
    text = body[:10_000].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.lstrip().startswith("<") else _short(text)
    for name in ("error", "message", "detail"):
        while isinstance(found, dict) and found.get(name):
            found = found[name]
    return _short(found if isinstance(found, str) else "")


def _short(text: str) -> str:
    return one_line(text, _WIDTH).rstrip(".")


def _after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After; one that is a date counts from the answer's own."""
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return float(given[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(given) - parsedate_to_datetime(headers.get("date", ""))).total_seconds())
    except (TypeError, ValueError):
        return None
