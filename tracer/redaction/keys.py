"""Names whose values are secret whatever they look like: `password`, `api_key`, `Authorization`, `clientSecret`."""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LISTED = """
password passwd passphrase pwd secret secrets authorization cookie apikey credential credentials cvv cvc ssn
api-key access-key secret-key private-key signing-key encryption-key account-key shared-key client-secret access-token
refresh-token auth-token session-token id-token bearer-token api-token csrf-token security-token private-token
secret-token bot-token connection-string
"""
_SECRET_ENDS = frozenset(_LISTED.split())
"""One word, or the last two of several."""
_ALONE = frozenset({"token", "bearer", "jwt", "sessionid", "session-key"})
"""Secret only as the whole name: `max_tokens` and `token_count` are figures."""


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether the value under this name is taken whole."""
    if len(name) > 200:
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    return "-".join(words) in _ALONE or words[-1] in _SECRET_ENDS or "-".join(words[-2:]) in _SECRET_ENDS
