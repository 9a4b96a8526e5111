"""Line numbers of positions in a text, found without counting from its head each time."""

from __future__ import annotations

from bisect import bisect_left


class Lines:
    """The lines of one text."""

    def __init__(self, text: str) -> None:
        self._breaks = [position for position, letter in enumerate(text) if letter == "\n"]

    def at(self, position: int) -> int:
        """The 1-based number of the line in which the character at `position` stands."""
        return bisect_left(self._breaks, position) + 1
