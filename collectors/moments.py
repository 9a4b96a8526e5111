"""Times as logs write them -> instants in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_MILLISECONDS = 1e11
"""A larger number of seconds would lie after the year 5000, so it counts milliseconds."""


def moment(value: Any) -> datetime | None:
    """ISO text, UTC where it names no zone, or a number since 1970 in seconds or milliseconds; None for all else."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) > _MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def zoneless(value: Any) -> str | None:
    """The text itself where it states a time without a zone, and so could mean more than one instant."""
    try:
        return value if isinstance(value, str) and datetime.fromisoformat(value.strip()).tzinfo is None else None
    except ValueError:
        return None
