"""Formulas as math-verify reads them. For the worker process only: nothing here is sure to come to an end."""

from __future__ import annotations

from cmath import isfinite
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from typing import Any

_UNREADABLE = (TypeError, ValueError, ArithmeticError, AttributeError, NotImplementedError, RecursionError, MemoryError)
"""What sympy raises on expressions that have no value."""


@lru_cache(maxsize=4096)
def parsed(text: str) -> list[Any]:
    """A LaTeX formula or plain expression as sympy expressions; [] where it is none."""
    from math_verify import LatexExtractionConfig, parse

    config = [LatexExtractionConfig()]
    read: list[Any] = parse(f"\\boxed{{{text}}}", config, fallback_mode="no_fallback", parsing_timeout=None)
    return read


def fingerprint(text: str) -> dict[str, Any] | None:
    """What tells most formulas apart; None where the formula cannot be read.

    symbols  names, sorted
    exact    "2/3" where it is that rational number, else None
    value    [real part, imaginary part] where every symbol has a fixed value of its own; None for a formula without a
             value (a set, an equation, a matrix, infinity)
    """
    from sympy import Expr

    read = parsed(text)
    if not read:
        return None
    formula = read[0]
    found: dict[str, Any] = {
        "symbols": sorted(str(symbol) for symbol in formula.free_symbols),
        "exact": None,
        "value": None,
    }
    if isinstance(formula, Expr):
        with suppress(*_UNREADABLE):
            found["exact"] = _exact(formula)
            found["value"] = _value(formula)
    return found


def _exact(formula: Any) -> str | None:
    """Its decimals are what is written, not the nearest binary fractions."""
    from sympy import Float, Rational

    done = formula.xreplace({each: Rational(str(each)) for each in formula.atoms(Float)}).doit()
    return f"{done.p}/{done.q}" if done.is_Rational else None


def _value(formula: Any) -> list[float] | None:
    value = complex(formula.subs({symbol: _fixed(str(symbol)) for symbol in formula.free_symbols}).evalf(20))
    return [value.real, value.imag] if isfinite(value) else None


def _fixed(name: str) -> Any:
    """A number between 1 and 2 that belongs to the name."""
    from sympy import Float

    return Float(1 + int.from_bytes(sha256(name.encode()).digest()[:6], "big") / 2**48, 40)


def equal(first: str, second: str) -> bool:
    """Whether math-verify holds them equal, either of them taken as the reference (its rule is not symmetric)."""
    from math_verify import verify

    one, other = parsed(first), parsed(second)
    return any(bool(verify(*pair, timeout_seconds=None)) for pair in ((one, other), (other, one)))
