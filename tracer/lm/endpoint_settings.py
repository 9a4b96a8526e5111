"""How a model behind a server is asked: from the environment, for a log never says whom to ask or with which key."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

from tracer.errors import TracerError
from tracer.text import clean


class Settings(NamedTuple):
    """What may be set."""

    key: str | None = None
    """TRACER_API_KEY: sent to the servers that the user names, and nowhere else; never printed, never stored."""
    concurrency: int = 32
    """TRACER_LM_CONCURRENCY: requests that one server has at a time."""
    timeout: float = 600.0
    """TRACER_LM_TIMEOUT: seconds until a request is given up."""
    patience: float = 120.0
    """TRACER_LM_PATIENCE: seconds that a server which has stopped answering is waited for."""
    revision: str | None = None
    """TRACER_LM_REVISION: names the weights, in place of the fingerprint that is taken of them."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Settings({self.concurrency}, {self.timeout}, {self.patience})"


USUAL = Settings()


def settings() -> Settings:
    """Those in force."""
    return Settings(
        os.environ.get("TRACER_API_KEY") or None,
        int(_number("TRACER_LM_CONCURRENCY", USUAL.concurrency, 1)),
        _number("TRACER_LM_TIMEOUT", USUAL.timeout, 0.1),
        _number("TRACER_LM_PATIENCE", USUAL.patience, 0),
        os.environ.get("TRACER_LM_REVISION") or None,
    )


def _number(name: str, usual: float, least: float) -> float:
    given = os.environ.get(name) or str(usual)
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise TracerError(f"{name} must be a number from {least} on, and is {clean(given)!r}")
    return value
