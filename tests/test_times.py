"""Times as logs write them."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tracer.collectors.times import nanoseconds, stated, utc

NOON = datetime(2026, 1, 2, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-02T12:00:00.500Z",
        "2026-01-02T12:00:00.500",
        " 2026-01-02T13:00:00.5+01:00",
        NOON.timestamp(),
        NOON.timestamp() * 1000,
    ],
)
def test_every_form_is_the_same_instant(value: Any) -> None:
    """Without a zone it is UTC; a number counts seconds, a large one milliseconds."""
    assert utc(value) == NOON


@pytest.mark.parametrize(
    "value", [None, "", "noon", True, 0, -1, float("nan"), float("inf"), 10**400, 1e18, [], "0000-01-01", "\x00"]
)
def test_nonsense_is_no_time(value: Any) -> None:
    """A log may hold anything."""
    assert utc(value) is None


def test_nanoseconds_are_exact_and_the_same_in_every_zone() -> None:
    """A float would lose the last digits."""
    moment = datetime(2026, 1, 2, 12, 0, 0, 123_457, tzinfo=UTC)
    assert (
        nanoseconds(moment) == nanoseconds(moment.astimezone(timezone(timedelta(hours=5)))) == 1_767_355_200_123_457_000
    )
    assert nanoseconds(None) is None


def test_a_time_without_a_zone_keeps_its_text() -> None:
    """It could mean more than one instant; one that is no time is neither."""
    assert stated("2026-01-02T12:00:00.500") == {"started": NOON, "raw_time": "2026-01-02T12:00:00.500"}
    assert stated("2026-01-02T12:00:00.500Z") == {"started": NOON, "raw_time": None}
    assert stated("noon") == {"started": None, "raw_time": None}
