"""A log's time, however it is written -> UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_END = 1e11
"""Unix seconds reach this in the year 5138; a larger number counts milliseconds."""


def utc(value: Any) -> datetime | None:
    """From an ISO text (UTC where it names no zone) or Unix seconds or milliseconds; None where it is neither."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            return None
        return datetime.fromtimestamp(value if value < _SECONDS_END else value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def nanoseconds(moment: datetime | None) -> int | None:
    """Unix nanoseconds, exact to the microsecond."""
    if moment is None:
        return None
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def stated(value: Any) -> dict[str, Any]:
    """The fields of a message or step that began at a logged time; its text is kept where it names no zone."""
    found = utc(value)
    plain = isinstance(value, str) and found is not None and datetime.fromisoformat(value.strip()).tzinfo is None
    return {"started": found, "raw_time": value if plain else None}
