"""Which model a server has: the name that it lists or that the user gives, and weights known by what they write."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tracer.lm.completions import Draw, answering, completion, parsed
from tracer.lm.endpoint_pool import Pool
from tracer.lm.endpoint_reply import EndpointError, UnavailableError
from tracer.text import clean

_NO_LIST = frozenset({404, 405, 500, 501})
"""Statuses of servers that do not list their models; `transformers serve` fails where nothing was ever downloaded."""
_NO_ROUTE = frozenset({400, 404, 405, 422, 501})
"""Statuses of servers that answer messages and go on with no text."""
_FINGER = 8
"""Tokens of each text by which weights are told from others."""
_FINGERPRINTS = ("The answer is", "1, 2, 3,", "def main(")
"""What the model goes on with, greedily, to tell its weights from others."""


def listed(pool: Pool, model: str | None) -> tuple[str, int | None]:
    """The model's name, and its window if a server tells it; one that does not list its models is believed."""
    try:
        known = _models(pool)
    except EndpointError as error:
        if error.status not in _NO_LIST:
            raise
        if model is None:
            mend = ", or mend the address, which mostly ends in /v1" if error.status == 404 else ""
            raise EndpointError(
                f"{pool.urls[0]} does not list its models ({error.status}): name one as URL#MODEL{mend}"
            ) from error
        return model, None
    if model is None and len(known) != 1:
        told = ", ".join(clean(each) for each in list(known)[:10]) or "none"
        raise EndpointError(f"{pool.urls[0]} lists these models: {told}; name one as URL#MODEL")
    model = next(iter(known)) if model is None else model
    return model, known.get(model)


def _models(pool: Pool) -> dict[str, int | None]:
    """The models that the first server lists which is there, with their windows."""
    for place in range(len(pool.urls)):
        try:
            found = pool.get("/models", place).get("data")
            break
        except UnavailableError as error:
            if error.status is not None or place + 1 == len(pool.urls):
                raise
    given = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return {each["id"]: _window(each) for each in given if isinstance(each.get("id"), str)}


def _window(listed: Mapping[str, Any]) -> int | None:
    """The longest text in tokens, as vLLM and SGLang tell it, and llama.cpp."""
    meta = listed.get("meta")
    told = [listed.get("max_model_len"), *([meta.get("n_ctx")] if isinstance(meta, dict) else [])]
    return next((each for each in told if isinstance(each, int) and each > 0), None)


def fingerprint(pool: Pool, model: str) -> str:
    """12 hex digits of what the model writes greedily: a server says its name, not which weights it has."""
    draw = Draw(_FINGER, 0.0)
    try:
        wanted = [completion(model, each, draw) for each in _FINGERPRINTS]
        found = dict(pool.ask_all(wanted, 1))
    except EndpointError as error:
        if error.status not in _NO_ROUTE:
            raise
        wanted = [answering(model, [{"role": "user", "content": each}], draw) for each in _FINGERPRINTS]
        found = dict(pool.ask_all(wanted, 1))
    texts = [parsed(found[k], pool.urls[0]).choices[0].text for k in range(len(wanted))]
    return hashlib.blake2b("\0".join([model, *texts]).encode(errors="replace"), digest_size=6).hexdigest()
