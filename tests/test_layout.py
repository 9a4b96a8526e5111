"""Where steps stand on the page: every expected position is worked out by hand."""

import time

from tracer.records import Edge, Step
from tracer.viz.layout import MAX_CURVES, MAX_LANES, layout


def step(index: int, agent: str) -> Step:
    return Step(index=index, agent=agent, kind="message", content="words")


def edge(source: int, target: int, weight: float = 0.5) -> Edge:
    return Edge(source=source, target=target, origin="reused", weight=weight, reason="reuses words")


def test_agents_become_lanes_in_order_of_appearance() -> None:
    """Two agents share 190 px, but a lane is at most 44 px wide, so the centres stand at 22 and 66."""
    plan = layout([step(0, "b"), step(1, "a"), step(2, "b")], [], tall=())
    assert [(lane.agent, lane.x, lane.others) for lane in plan.lanes] == [("b", 22, 0), ("a", 66, 0)]
    assert [row.x for row in plan.rows] == [22, 66, 22]
    assert plan.width == 88


def test_steps_that_matter_get_tall_rows() -> None:
    """Rows of 30, 54 and 30 px have their centres at 15, 57 and 99."""
    plan = layout([step(0, "a"), step(1, "a"), step(2, "a")], [], tall={1})
    assert [row.y for row in plan.rows] == [15, 57, 99]
    assert [row.tall for row in plan.rows] == [False, True, False]
    assert plan.height == 114


def test_rows_of_a_long_run_are_shorter() -> None:
    """Above 40 steps a quiet row takes 24 px."""
    plan = layout([step(index, "a") for index in range(41)], [], tall=())
    assert (plan.short, plan.height) == (24, 41 * 24)


def test_quiet_agents_share_the_last_lane_and_the_cause_keeps_its_own() -> None:
    """Fourteen agents, ten lanes: the last one is shared by five, and the agent of the tall step is not among them."""
    steps = [step(index, f"agent {index}") for index in range(14)] + [step(14, "agent 0")]
    plan = layout(steps, [], tall={13})
    assert len(plan.lanes) == MAX_LANES
    assert [lane.others for lane in plan.lanes] == [0] * 9 + [5]
    alone = {lane.agent for lane in plan.lanes if not lane.others}
    assert {"agent 0", "agent 13"} <= alone
    assert plan.rows[12].x == plan.lanes[-1].x


def test_a_curve_between_lanes_leaves_and_arrives_vertically() -> None:
    """From (22, 15) to (66, 45): both control points stand half the drop away, straight below and above."""
    plan = layout([step(0, "a"), step(1, "b")], [edge(0, 1)], tall=())
    assert [curve.d for curve in plan.curves] == ["M22.0 15.0C22.0 30.0 66.0 30.0 66.0 45.0"]


def test_only_the_strongest_edge_into_a_step_is_drawn_from_the_start() -> None:
    """Of two reuses that meet in step 2 the one of weight 0.9 is the main one."""
    plan = layout([step(0, "a"), step(1, "a"), step(2, "a")], [edge(0, 2, 0.2), edge(1, 2, 0.9)], tall=())
    assert [(curve.source, curve.main) for curve in plan.curves] == [(1, True), (0, False)]


def test_edges_beyond_the_limit_and_edges_to_nowhere_are_not_drawn() -> None:
    """The weakest edges are counted as undrawn; one that names a missing step, or the step itself, is dropped."""
    many = [edge(0, 1, 0.5)] * MAX_CURVES + [edge(0, 1, 0.1)] * 3
    plan = layout([step(0, "a"), step(1, "b")], [*many, edge(0, 99), edge(1, 1)], tall=())
    assert (len(plan.curves), plan.undrawn) == (MAX_CURVES, 3)


def test_the_route_is_drawn_hop_by_hop() -> None:
    """Three steps on the way make two hops; a step that does not exist is skipped."""
    plan = layout([step(index, "a") for index in range(4)], [], tall=(), route=[0, 2, 77, 3])
    assert [(hop.source, hop.target) for hop in plan.route] == [(0, 2), (2, 3)]


def test_a_run_without_steps_has_an_empty_layout() -> None:
    """No steps: no lanes, no rows, no height, no error."""
    assert layout([], [edge(0, 1)], tall=())[:4] == ((), (), (), ())


def test_two_thousand_steps_are_placed_in_a_tenth_of_a_second() -> None:
    """The best of three, because other programs share the machine."""
    steps = [step(index, f"agent {index % 7}") for index in range(2_000)]
    edges = [edge(index // 2, index, (index % 10) / 10) for index in range(1, 2_000) for _ in range(3)]
    assert min(_seconds(steps, edges) for _ in range(3)) < 0.1


def _seconds(steps: list[Step], edges: list[Edge]) -> float:
    begin = time.perf_counter()
    layout(steps, edges, tall={3})
    return time.perf_counter() - begin
