"""How agents write spans: the conventions, in the order in which they are asked whether a span is theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tracer.collectors import adk, genai, openinference, openllmetry, pydantic_ai
from tracer.collectors.activity import Activity
from tracer.records import Span


class Convention(NamedTuple):
    """One way to write down what a span did."""

    ours: Callable[[Span], bool]
    activity: Callable[[Span], Activity | None]
    """None where the span is only bookkeeping; then no other convention is asked."""


CONVENTIONS: dict[str, Convention] = {
    "openinference": Convention(openinference.ours, openinference.activity),
    "openllmetry": Convention(openllmetry.ours, openllmetry.activity),
    "adk": Convention(adk.ours, adk.activity),
    "pydantic_ai": Convention(pydantic_ai.ours, pydantic_ai.activity),
    "gen_ai": Convention(lambda _: True, genai.activity),
}
"""The specific before the general: the special ones fall back on GenAI attributes themselves."""


def reading(span: Span, conventions: Mapping[str, Convention] = CONVENTIONS) -> Activity | None:
    """What the first convention that calls the span its own says that it did."""
    return next((each.activity(span) for each in conventions.values() if each.ours(span)), None)
