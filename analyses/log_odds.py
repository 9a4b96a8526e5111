"""Words before a language model, some of what stands before them erased: what is asked, and sums of what comes back.

odds(x) = ln p(x | what is left) - ln(1 - p(x | what is left))      of each word x, in nats of log-odds
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.float64]
Span = tuple[int, int]


class Text(NamedTuple):
    """A text as the model reads it."""

    ids: Tensor | npt.NDArray[np.int64]
    """(T,) token ids; a server does not tell them, and their places stand for them"""
    parts: Sequence[Span]
    """Tokens [a, b) of each part that may be erased, ascending and disjoint; a part may be empty."""
    told: int
    """The words from this token on are scored; at least 1."""


def logprob(odds: Array) -> Array:
    """ln p of words from their log-odds; the sum over a row is ln p of all of them together."""
    with np.errstate(invalid="ignore"):  # NaN stays NaN: a word that was erased
        return np.asarray(-np.logaddexp(0.0, -odds))


def log_odds(logs: Array) -> Array:
    """The log-odds of words from their ln p, which must be below 0."""
    return np.asarray(logs - np.log(-np.expm1(logs)))


def together(odds: Array) -> Array:
    """The log-odds of all words of a row at once, from each one's, (rows, words) -> (rows,).

    ln P - ln(1 - P) with P the product of their probabilities, as in ContextCite (arXiv 2409.00729).
    """
    return log_odds(np.minimum(logprob(odds).sum(axis=1), -1e-15))
