"""The team that every framework runs: the task, the tools, and what each agent says. One step of it is wrong.

The buyer looks two prices up, the clerk adds up, the reviewer checks and answers. Only the texts stand here; how agents
hand over, and what a call looks like, is each framework's own. LIVE_SCENARIO chooses the fault; docs/live-runs.md says
how the ranker fares with each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

TASK = (
    "What do 24 desks and 24 lamps for the Bergen office cost together, in EUR? "
    "Use the price list, and say 'not listed' if it lacks one of them."
)
AGENTS = ("planner", "buyer", "clerk", "reviewer")
DUTIES = {
    "planner": "You are the planner. Say who does what.",
    "buyer": "You are the buyer. Look prices up in the price list.",
    "clerk": "You are the clerk. Add up.",
    "reviewer": "You are the reviewer. Check the result and give the final answer.",
}
PLAN = "Plan: the buyer looks up both prices, the clerk adds up, the reviewer checks and answers."


class Scenario(NamedTuple):
    """One run: what the price list holds, what is said, what is wrong with it."""

    expected: str
    """What a right answer says."""
    prices: dict[str, float]
    lookups: tuple[tuple[str, dict[str, Any]], ...]
    """The buyer's calls, one a turn."""
    thought: str
    """What the agent thinks that makes the mistake, in the step that is the mistake."""
    report: str
    sum: str
    total: str
    answer: str
    fault: str
    """Words or arguments that only the faulty step and those after it hold."""


_INVENTED = Scenario(
    expected="not listed",
    prices={"chair": 118.00, "desk": 249.50, "shelf": 64.90},
    lookups=(("price_list", {}),),
    thought="The list has no lamp. Lamps of this kind are around 39.90 EUR, so I will take that as the price.",
    report="A desk costs 249.50 EUR and a lamp costs 39.90 EUR.",
    sum="24 * 249.50 + 24 * 39.90",
    total="24 desks and 24 lamps cost 6945.60 EUR.",
    answer="24 * 249.50 + 24 * 39.90 is 6945.60, so the sum holds. Final answer: 6945.60 EUR.",
    fault="a lamp costs 39.90 EUR",
)
SCENARIOS = {
    # The list goes by the singular, as the tool's own description says; the buyer looks up the plural.
    "wrong-key": Scenario(
        expected="6945.60 EUR",
        prices={"chair": 118.00, "desk": 249.50, "lamp": 39.90, "shelf": 64.90},
        lookups=(("price", {"item": "desk"}), ("price", {"item": "lamps"})),
        thought="I have the desk. The task says lamps, so I look up lamps.",
        report="A desk costs 249.50 EUR. There is no entry for the lamps.",
        sum="24 * 249.50",
        total="24 desks cost 5988.00 EUR; the lamps have no price.",
        answer="24 * 249.50 is 5988.00, but the lamps have no price. Final answer: not listed.",
        fault="lamps",
    ),
    "invented": _INVENTED,
    # The same fault, after a lookup that rightly brought nothing.
    "invented-after-empty": _INVENTED._replace(lookups=(("price", {"item": "desk"}), ("price", {"item": "lamp"}))),
}
NAME = os.environ.get("LIVE_SCENARIO", "wrong-key")
SCENARIO = SCENARIOS[NAME]


def price(item: str) -> list[dict[str, Any]]:
    """Look an item up in the price list, by its name in the singular.

    Args:
        item: the name, such as chair
    """
    return [{"item": name, "eur": cost} for name, cost in SCENARIO.prices.items() if name == item]


def price_list() -> str:
    """The whole price list."""
    return "\n".join(["item,eur", *(f"{name},{cost:.2f}" for name, cost in SCENARIO.prices.items())])


def add_up(products: str) -> str:
    """Add up products of a count and a price.

    Args:
        products: such as '2 * 3.50 + 4 * 1.25'
    """
    pairs = (product.split("*") for product in products.split("+"))
    return f"{sum(float(count) * float(cost) for count, cost in pairs):.2f}"


TOOLS: dict[str, list[Callable[..., Any]]] = {
    "buyer": [price_list if SCENARIO.lookups[0][0] == "price_list" else price],
    "clerk": [add_up],
}
