"""A LangChain message as `str()` gives it: `content='Hi' additional_kwargs={} name='host' tool_calls=[...]`.

`json.dumps(event, default=str)` is how most people write events down, and leaves such texts in the place of messages.
"""

from __future__ import annotations

import ast
import io
import tokenize
from functools import lru_cache
from typing import Any

_OPENING = "content="
_MAX = 1_000_000
_MAX_FIELDS, _MAX_TOKENS = 50, 100_000
"""No message shows as many; what does is left as the text that it is."""


@lru_cache(maxsize=2048)
def fields(text: str) -> dict[str, Any] | None:
    """The fields that the text shows, read as Python's literals and never run; None where it is no such text."""
    if not text.startswith(_OPENING) or len(text) > _MAX:
        return None
    try:
        starts = list(_starts(text))
    except (tokenize.TokenError, SyntaxError):
        return None
    ends = [name for name, _ in starts[1:]] + [len(text)]
    found = {
        text[name:value].rstrip("="): _literal(text[value:end].strip())
        for (name, value), end in zip(starts, ends, strict=True)
    }
    return found if len(found) > 1 else None


def _starts(text: str) -> list[tuple[int, int]]:
    """Where each field's name and its value begin: a name before a `=` that no bracket holds."""
    found: list[tuple[int, int]] = []
    depth, before = 0, None
    for count, token in enumerate(tokenize.generate_tokens(io.StringIO(text).readline)):
        if count > _MAX_TOKENS or len(found) > _MAX_FIELDS:
            raise SyntaxError("no message")
        if token.start[0] > 1:
            break
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == "=" and depth == 0 and before is not None and before.type == tokenize.NAME:
                found.append((before.start[1], token.end[1]))
        before = token
    return found


def _literal(text: str) -> Any:
    """The value, or the text itself where it is no literal (a date, an object)."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
