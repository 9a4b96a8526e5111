"""How probably a token is drawn, from what a server tells of it: its own ln p and those of the likeliest tokens.

At temperature T a token is drawn with probability w / W, where w = p^(1/T) and W is the sum over the nucleus: the
fewest of the likeliest tokens that hold top_p of the whole sum S. A server tells the likeliest tokens only, so of S a
part is known, and with t the probability of all other tokens, none of which is likelier than q, for T <= 1

    sum of the told w  <=  S  <=  sum of the told w + t * q^(1/T - 1).

A chance is told only where both ends give the same nucleus or, without one, the same chance up to CLOSE; else nan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

CLOSE = 1e-3
"""Relative error up to which a chance counts as known."""


def chance(token: str, logprob: float, top: Mapping[str, float], temperature: float, top_p: float) -> float:
    """Probability that a token of this ln p is drawn, `top` being ln p of the likeliest tokens by their text."""
    told = sorted({**top, token: logprob}.values(), reverse=True)
    others = [value for text, value in top.items() if text != token]
    if math.isnan(logprob) or not others or any("\ufffd" in text for text in top):  # parts of characters look alike
        return math.nan
    if temperature == 0:
        return float(logprob == told[0])
    if temperature == 1 and top_p == 1:
        return math.exp(logprob)
    weights = [math.exp(each / temperature) for each in told]
    least = math.fsum(weights)
    rest = max(0.0, 1 - math.fsum(map(math.exp, told)))
    if temperature > 1 and rest > 0:
        return math.nan
    # The token itself may be told beside the likeliest ones, so it bounds nothing.
    most = least + rest * math.exp(min(others) * (1 / temperature - 1))
    own = math.exp(logprob / temperature)
    if top_p == 1:
        return own / least if most <= least * (1 + CLOSE) else math.nan
    size = _nucleus(weights, top_p * least)
    if size is None or size != _nucleus(weights, top_p * most):
        return math.nan
    return own / math.fsum(weights[:size]) if own >= weights[size - 1] else 0.0


def _nucleus(weights: list[float], wanted: float) -> int | None:
    """How many of the weights, which descend, are as much together as is wanted; None where all are not."""
    total = 0.0
    for size, weight in enumerate(weights, 1):
        total += weight
        if total >= wanted:
            return size
    return None
