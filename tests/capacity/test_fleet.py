from __future__ import annotations

from recsys.capacity.fleet import Fleet, Nodes

TIMES = Nodes(node_start_s=90, image_pull_s=120, model_ready_s=30, drain_s=15, consolidate_after_s=300)


def _ready_after(fleet: Fleet, wanted: int, since: float) -> float:
    now = since
    while len(fleet.ready) < wanted:
        now += 1
        fleet.advance(now)
    return now - since


def test_a_cold_replica_waits_for_node_image_and_models() -> None:
    fleet = Fleet(TIMES, 2, 20)
    assert (len(fleet.ready), fleet.node_count) == (2, 2)
    fleet.scale_to(3, 100.0)
    assert _ready_after(fleet, 3, 100.0) == 90 + 120 + 30
    assert fleet.node_count == 3


def test_headroom_makes_it_wait_for_the_models_alone() -> None:
    fleet = Fleet(Nodes(**{**TIMES.__dict__, "headroom": 1}), 2, 20)
    assert fleet.node_count == 3
    fleet.scale_to(3, 100.0)
    assert _ready_after(fleet, 3, 100.0) == 30
    assert fleet.node_count == 4  # the placeholder's room is started anew


def test_replicas_share_a_node() -> None:
    fleet = Fleet(Nodes(replicas_per_node=4), 5, 20)
    assert fleet.node_count == 2


def test_scale_down_drains_the_newest_and_then_frees_the_node() -> None:
    fleet = Fleet(TIMES, 3, 20)
    fleet.scale_to(2, 0.0)
    assert len(fleet.ready) == 2
    assert fleet.advance(14.0).closed == ()
    assert len(fleet.advance(15.0).closed) == 1
    fleet.advance(314.0)
    assert fleet.node_count == 3
    fleet.advance(315.0)
    assert fleet.node_count == 2
    assert fleet.node_seconds(315.0) == 3 * 315


def test_what_is_not_ready_yet_goes_first() -> None:
    fleet = Fleet(TIMES, 1, 20)
    before = fleet.ready
    fleet.scale_to(2, 0.0)
    fleet.scale_to(1, 10.0)
    assert fleet.ready == before
    assert fleet.wanted == 1


def test_a_node_costs_a_minute_at_least() -> None:
    fleet = Fleet(
        Nodes(node_start_s=0, image_pull_s=0, model_ready_s=0, drain_s=0, consolidate_after_s=0), 1, 20
    )
    fleet.scale_to(2, 100.0)
    fleet.scale_to(1, 101.0)
    fleet.advance(102.0)
    assert fleet.node_count == 1
    assert fleet.node_seconds(102.0) == 102 + 60
