"""Where steps stand on the page: every expected lane, phase and edge is worked out by hand."""

import time
from typing import Any

from tracer.records import Edge, Step
from tracer.viz.layout import MAX_LANES, MAX_MAIN, Phase, layout, phases


def step(index: int, agent: str = "a", **more: Any) -> Step:
    return Step(index=index, agent=agent, **{"kind": "message", "content": "words", **more})


def edge(source: int, target: int, weight: float = 0.5, origin: Any = "reused") -> Edge:
    return Edge(source=source, target=target, origin=origin, weight=weight, reason="reuses words")


def test_agents_become_lanes_in_order_of_appearance() -> None:
    """b speaks first."""
    plan = layout([step(0, "b"), step(1, "a"), step(2, "b")], [])
    assert [(lane.agent, lane.others) for lane in plan.lanes] == [("b", 0), ("a", 0)]
    assert plan.lane == (0, 1, 0)


def test_agents_who_exchange_much_stand_side_by_side() -> None:
    """a opens; c talks to a only (two edges over two lanes), so it changes places with b: 1 + 1 instead of 2 + 2."""
    steps = [step(0, "a"), step(1, "b"), step(2, "c"), step(3, "a")]
    plan = layout(steps, [edge(0, 2), edge(2, 3)])
    assert [lane.agent for lane in plan.lanes] == ["a", "c", "b"]
    assert plan.lane == (0, 2, 1, 0)


def test_who_opens_the_run_keeps_the_first_lane() -> None:
    """Whatever the edges say: b and c swap at most with each other."""
    plan = layout([step(0, "a"), step(1, "b"), step(2, "c")], [edge(1, 2)] * 9)
    assert plan.lanes[0].agent == "a"


def test_quiet_agents_share_the_last_lane_and_the_cause_keeps_its_own() -> None:
    """Fourteen agents, ten lanes: the last one is shared by five, and the agent of the kept step is not among them."""
    steps = [step(index, f"agent {index}") for index in range(14)] + [step(14, "agent 0")]
    plan = layout(steps, [], keep={13})
    assert len(plan.lanes) == MAX_LANES
    assert [lane.others for lane in plan.lanes] == [0] * 9 + [5]
    alone = {lane.agent for lane in plan.lanes if not lane.others}
    assert {"agent 0", "agent 13"} <= alone
    assert plan.lane[12] == MAX_LANES - 1


def test_a_run_is_cut_where_something_new_is_ordered() -> None:
    """A plan at 1, an order at 3, a hand-off at 5; the second order in a row opens nothing."""
    steps = [
        step(0),
        step(1, kind="plan"),
        step(2),
        step(3, marks=("instruction",)),
        step(4, marks=("instruction",)),
        step(5, kind="handoff"),
    ]
    assert phases(steps) == (
        Phase(0, 0, ""),
        Phase(1, 2, "plan"),
        Phase(3, 4, "instruction"),
        Phase(5, 5, "hand-off"),
    )


def test_a_run_in_which_nothing_is_ordered_is_one_phase() -> None:
    """From the first step to the last; a run without steps has none."""
    assert phases([step(0), step(1), step(2)]) == (Phase(0, 2, ""),)
    assert phases([]) == ()


def test_only_the_strongest_edge_of_its_origin_into_a_step_is_main() -> None:
    """Of two reuses that meet in step 2 the one of weight 0.9; the declared one is of another origin."""
    edges = [edge(0, 2, 0.2), edge(1, 2, 0.9), edge(0, 2, 0.1, "declared")]
    assert layout([step(0), step(1), step(2)], edges).main == {1, 2}


def test_a_long_edge_is_never_main() -> None:
    """Over twenty steps still, over twenty-one no more; and no weaker one moves up."""
    steps = [step(index) for index in range(30)]
    assert layout(steps, [edge(0, 20)]).main == {0}
    assert layout(steps, [edge(0, 21, 0.9), edge(20, 21, 0.1)]).main == frozenset()


def test_a_crowd_of_edges_is_thinned_to_the_strongest() -> None:
    """One edge into each of 1,600 steps."""
    steps = [step(index) for index in range(1_601)]
    plan = layout(steps, [edge(k, k + 1, weight=k / 1_600) for k in range(1_600)])
    assert len(plan.main) == MAX_MAIN
    assert min(plan.main) == 1_600 - MAX_MAIN


def test_a_run_without_steps_has_an_empty_layout() -> None:
    """Nothing to place is no error."""
    assert layout([], []) == ((), (), (), frozenset())


def test_two_thousand_steps_are_placed_many_times_a_second() -> None:
    """0.1 s is the bar for one; the bound here is loose, for machines under load: tests/benchmarks has the figure."""
    steps = [step(index, f"agent {index % 8}") for index in range(2_000)]
    edges = [edge(max(0, index - 1 - index % 30), index, index % 7 / 7) for index in range(1, 2_000) for _ in range(2)]
    started = time.perf_counter()
    layout(steps, edges, keep={3})
    assert time.perf_counter() - started < 1.0
