from __future__ import annotations

import pytest

from recsys.capacity.predict import predict
from recsys.capacity.profile import ServiceProfile

PROFILE = ServiceProfile(p50_ms=10, p95_ms=13, p99_ms=15, slots=2, overhead_ms=3)


def test_an_idle_server_adds_no_wait() -> None:
    said = predict(PROFILE, 1.0)
    assert said.p50_ms == pytest.approx(13.0, rel=0.01)
    assert said.queue_ms < 0.05


def test_overload_shows_as_refusals_within_the_deadline() -> None:
    said = predict(PROFILE, 2 * PROFILE.capacity_rps, deadline_s=0.1, requests=50_000)
    assert said.utilisation == pytest.approx(2.0)
    assert said.refused_share == pytest.approx(0.5, abs=0.02)
    assert said.p99_ms < 100 + 15 * 2 + 3
