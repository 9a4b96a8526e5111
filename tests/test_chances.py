"""Chances from what a server tells, against sums done by hand."""

from __future__ import annotations

import math

import pytest

from tracer.lm.chances import chance

TOP = {"a": math.log(0.5), "b": math.log(0.25), "c": math.log(0.25)}
"""The whole distribution: nothing is left for others."""


def test_at_temperature_1_a_chance_is_the_probability() -> None:
    """Whatever else is told."""
    assert chance("b", math.log(0.25), {"a": math.log(0.5)}, 1.0, 1.0) == pytest.approx(0.25)


def test_a_lower_temperature_squares_the_odds() -> None:
    """T = 1/2: weights .25, .0625, .0625, together .375."""
    assert chance("a", TOP["a"], TOP, 0.5, 1.0) == pytest.approx(0.25 / 0.375)


def test_top_p_leaves_the_likeliest_tokens_that_hold_it() -> None:
    """At T = 1 and .5 only a is left; at .6 a and b share 3 to ... .5 and .25; c is never drawn at .7."""
    assert chance("a", TOP["a"], TOP, 1.0, 0.5) == pytest.approx(1.0)
    told = {"a": math.log(0.5), "b": math.log(0.3), "c": math.log(0.2)}
    assert chance("b", told["b"], told, 1.0, 0.7) == pytest.approx(0.3 / 0.8)
    assert chance("c", told["c"], told, 1.0, 0.7) == 0.0


def test_a_token_that_is_told_beside_the_likeliest_is_outside_the_nucleus() -> None:
    """Its own ln p bounds nothing: .1 is left for others, each of which may be as likely as b."""
    told = {"a": math.log(0.6), "b": math.log(0.3)}
    assert chance("z", math.log(0.01), told, 1.0, 0.8) == 0.0
    assert chance("a", told["a"], told, 1.0, 0.8) == pytest.approx(0.6 / 0.9)


def test_what_the_untold_tokens_may_change_is_not_told() -> None:
    """At T = 1/2: .36 + .09 of told weights and at most .1 * .3 of others: more than a thousandth."""
    told = {"a": math.log(0.6), "b": math.log(0.3)}
    assert math.isnan(chance("a", told["a"], told, 0.5, 1.0))
    assert math.isnan(chance("a", told["a"], told, 1.0, 0.95))
    assert math.isnan(chance("a", told["a"], told, 1.5, 0.5))


def test_a_nucleus_that_is_sure_needs_no_whole_sum() -> None:
    """At T = 1/2 a holds .36 of .45 to .48, at least 75 %: for top_p = .7 it is alone."""
    told = {"a": math.log(0.6), "b": math.log(0.3)}
    assert chance("a", told["a"], told, 0.5, 0.7) == pytest.approx(1.0)
    assert chance("b", told["b"], told, 0.5, 0.7) == 0.0


def test_temperature_0_draws_the_likeliest() -> None:
    """And no other."""
    assert [chance(each, TOP[each], TOP, 0.0, 1.0) for each in "ab"] == [1.0, 0.0]


@pytest.mark.parametrize("told", [{}, {"a": math.log(0.5)}, {"b\ufffd": math.log(0.5)}])
def test_where_nothing_can_be_told_nothing_is(told: dict[str, float]) -> None:
    """No alternatives, or parts of characters that look alike."""
    assert math.isnan(chance("a", math.log(0.5), told, 0.6, 0.95))


def test_a_first_token_without_a_probability_has_no_chance() -> None:
    """A server tells null there."""
    assert math.isnan(chance("a", math.nan, TOP, 1.0, 1.0))
