"""Units of measure as exact factors: 100 cm is 1 m, 1 km/h is 5/18 m/s, 12 apples are 12 of "apple"."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """One of it is `factor` times the base unit of its dimension."""

    factor: Fraction
    dimension: str
    """Base units with their powers, as "m^2" or "m/s"; for a word that is no unit of measure, the word."""


KNOWN: dict[str, tuple[str, str]] = {
    "m": ("1", "m"), "meter": ("1", "m"), "metre": ("1", "m"), "km": ("1000", "m"), "kilometer": ("1000", "m"),
    "kilometre": ("1000", "m"), "cm": ("1/100", "m"), "centimeter": ("1/100", "m"), "centimetre": ("1/100", "m"),
    "mm": ("1/1000", "m"), "millimeter": ("1/1000", "m"), "millimetre": ("1/1000", "m"), "dm": ("1/10", "m"),
    "in": ("127/5000", "m"), "inch": ("127/5000", "m"), "ft": ("381/1250", "m"), "foot": ("381/1250", "m"),
    "feet": ("381/1250", "m"), "yd": ("1143/1250", "m"), "yard": ("1143/1250", "m"), "mi": ("201168/125", "m"),
    "mile": ("201168/125", "m"),
    "g": ("1", "g"), "gram": ("1", "g"), "kg": ("1000", "g"), "kilogram": ("1000", "g"), "mg": ("1/1000", "g"),
    "milligram": ("1/1000", "g"), "lb": ("45359237/100000", "g"), "pound": ("45359237/100000", "g"),
    "oz": ("45359237/1600000", "g"), "ounce": ("45359237/1600000", "g"),
    "s": ("1", "s"), "sec": ("1", "s"), "second": ("1", "s"), "ms": ("1/1000", "s"), "millisecond": ("1/1000", "s"),
    "min": ("60", "s"), "minute": ("60", "s"), "h": ("3600", "s"), "hr": ("3600", "s"), "hour": ("3600", "s"),
    "day": ("86400", "s"), "week": ("604800", "s"), "month": ("1", "month"), "year": ("12", "month"),
    "l": ("1/1000", "m^3"), "L": ("1/1000", "m^3"), "liter": ("1/1000", "m^3"), "litre": ("1/1000", "m^3"),
    "ml": ("1/1000000", "m^3"), "mL": ("1/1000000", "m^3"), "milliliter": ("1/1000000", "m^3"),
    "°": ("1", "°"), "degree": ("1", "°"), "deg": ("1", "°"), "radian": ("1", "radian"), "rad": ("1", "radian"),
    "USD": ("1", "USD"), "dollar": ("1", "USD"), "cent": ("1/100", "USD"), "¢": ("1/100", "USD"),
    "EUR": ("1", "EUR"), "euro": ("1", "EUR"), "GBP": ("1", "GBP"),
    "mph": ("1397/3125", "m/s"), "kph": ("5/18", "m/s"),
}  # fmt: skip
"""Name -> factor and dimension. Exact case for those of one or two letters, plural and any case for the longer ones."""
NO_UNITS = frozenset(
    """pi sqrt sin cos tan log exp and or to mod if for is are the but not from with than where when all any else
    otherwise times plus minus over divided by factorial choose squared cubed am pm""".split()  # noqa: SIM905
)
"""Words after a number that are not what is counted."""
_POWER = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
_TERM = re.compile(
    r"(?:(?P<before>square|sq\.?|cubic|cu\.?) )?(?P<word>[A-Za-z°¢ ]+?)\.?"
    r"(?:\^\{?(?P<power>[23])\}?| (?P<after>squared|cubed))?"
)


def unit_of(text: str, *, known: bool = False) -> Unit | None:
    """The unit that a text names; None where it names none, with `known` also where it is only a word or two."""
    top, *below = re.split(r" ?/ ?| per ", text.strip())
    terms = [_term(part, known=known) for part in (top, *below)]
    if len(terms) > 2 or None in terms:
        return None
    made = [term for term in terms if term]
    if len(made) == 1:
        return made[0]
    return Unit(made[0].factor / made[1].factor, f"{made[0].dimension}/{made[1].dimension}")


def _term(text: str, *, known: bool) -> Unit | None:
    """A word with its power: "cm^2", "square centimeters", "red balls"."""
    found = _TERM.fullmatch(text.strip())
    if not found:
        return None
    named = found["before"] or found["after"]
    power = int(found["power"] or 0) or _POWER.get((named or "").rstrip("."), 1)
    name, word = _singular(found["word"]), found["word"]
    if name in KNOWN:
        factor, dimension = KNOWN[name]
        return Unit(Fraction(factor) ** power, _raised(dimension, power))
    words = word.casefold().split()
    if known or power != 1 or not 1 <= len(words) <= 3 or NO_UNITS & set(words) or len(word) < 3:
        return None
    return Unit(Fraction(1), " ".join(each.removesuffix("s") for each in words))


def _singular(word: str) -> str:
    """The name under which KNOWN has a word, where it has it."""
    if word in KNOWN or len(word) < 3:
        return word
    plain = word.casefold()
    candidates = (plain, plain.removesuffix("s"), plain.removesuffix("es"), word.upper())
    return next((each for each in candidates if each in KNOWN), word)


def _raised(dimension: str, power: int) -> str:
    return dimension if power == 1 else f"{dimension}^{power}"
