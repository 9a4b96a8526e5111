"""How long something takes, in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds below two minutes, then minutes, then hours from three on."""
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 3 * 3600 else f"{seconds / 3600:.0f} hours"
