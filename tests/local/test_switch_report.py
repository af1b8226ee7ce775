from __future__ import annotations

import pytest

from recsys.local.switch_load import Told
from recsys.local.switch_report import Switch, report, table

OWN = {1: [((1, 2), (0.9, 0.8)), ((3,), (0.5,))], 2: [((2, 1), (0.7, 0.6)), ((3,), (0.4,))]}
SWITCHES = [
    Switch(2, False, 10.0, 14.0, {"load": 2.0, "settle": 1.0}),
    Switch(1, True, 20.0, 22.0, {"load": 0.0, "settle": 1.5}),
]


def told(question: int = 0, release: int = 1, at: float = 0.0, seconds: float = 0.01, **other) -> Told:
    given = {"status": 200, "release": release, "items": OWN[release][question]} | other
    return Told(question, at, seconds, **given)


def test_answers_of_either_release_are_right() -> None:
    found = report([told(0, 1), told(1, 2), told(0, 2)], SWITCHES, OWN)
    assert (found.requests, found.failed, found.mixed, found.by_release) == (3, 0, 0, {1: 1, 2: 2})


@pytest.mark.parametrize(
    "items",
    [
        ((2, 1), (0.9, 0.8)),  # one release's items under the other's scores
        ((1, 2), (0.9, 0.8000001)),  # not bit-equal
        ((1,), (0.9,)),
        ((), ()),
    ],
)
def test_anything_else_is_a_mix(items) -> None:
    assert report([told(0, 1, items=items)], SWITCHES, OWN).mixed == 1


def test_an_answer_under_the_other_releases_name_is_a_mix() -> None:
    assert report([told(0, 1, items=OWN[2][0])], SWITCHES, OWN).mixed == 1
    assert report([Told(0, 0.0, 0.01, 200, 7, 0, OWN[1][0])], SWITCHES, OWN).mixed == 1


def test_failures_are_counted_by_what_failed() -> None:
    asked = [told(status=503), told(status=0), told(degraded=128), told(degraded=128)]
    found = report(asked, SWITCHES, OWN)
    assert found.failed == 4
    assert found.failures == {"status 503": 1, "status 0": 1, "degraded 128": 2}
    assert found.mixed == 0


def test_latency_is_of_answers_that_a_switch_touched_or_did_not() -> None:
    quiet = [told(at=at / 10, seconds=0.010) for at in range(50)]
    begun_before = told(at=9.995, seconds=0.020)
    ended_after = told(at=21.99, seconds=0.020)
    found = report([*quiet, begun_before, ended_after], SWITCHES, OWN)
    assert (found.quiet["requests"], found.switching["requests"]) == (50, 2)
    assert found.p99_ratio == pytest.approx(2.0)


def test_going_back_is_done_when_it_is_served() -> None:
    found = report([told()], SWITCHES, OWN)
    assert found.promote_s["served_longest"] == 3.0
    assert found.rollback_s["served_longest"] == 0.5
    assert found.rollback_s["longest"] == 2.0
    assert found.parts_s == {"load": 1.0, "settle": 1.25}
    assert "rollback: served after 0.5 s" in table(found)
