"""Splitting takes time in proportion to the text: ten times the text, at most twelve times the time."""

import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tracer.sentences import RULES, split

PARAGRAPH = r"""Okay, so by Eq. (4) we have \( x = 3.14 \), i.e. 10! / 5! = 30240. "Wait. Is that right?" Let me check:
\[ x = 1. \]
1. First, Dr. Fu adds 5 and 6. That is 11.
2. Then he divides... Hmm, e.g. by 3? So the answer is C.

"""
SHORT = PARAGRAPH * 200
LIMIT = 1.2


@pytest.mark.parametrize("rule", RULES)
def test_a_long_text_takes_no_longer_than_its_tenths(benchmark: BenchmarkFixture, rule: str) -> None:
    """Before each round the tenths are split one by one: as long a wait on the same machine, so its noise cancels."""
    tenths: list[float] = []

    def split_tenths() -> None:
        begin = time.perf_counter()
        for _ in range(10):
            split(SHORT, rule)
        tenths.append(time.perf_counter() - begin)

    benchmark.pedantic(split, args=(SHORT * 10, rule), setup=split_tenths, rounds=10)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    assert float(benchmark.stats["min"]) <= LIMIT * min(tenths)
