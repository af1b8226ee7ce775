from __future__ import annotations

import numpy as np
import pytest

from recsys.capacity.fit import fit
from recsys.capacity.predict import predict
from recsys.capacity.profile import ServiceProfile

RATES = (20.0, 60.0, 120.0)


def _runs(profile: ServiceProfile) -> list[dict[str, float]]:
    return [{"rate": rate, **predict(profile, rate, requests=60_000).as_dict()} for rate in RATES]


@pytest.mark.parametrize(
    "truth",
    [
        ServiceProfile(p50_ms=10, p95_ms=13, p99_ms=15, slots=2),
        ServiceProfile(p50_ms=9, p95_ms=14, p99_ms=17, slots=1.5, sharing=True),
        ServiceProfile(p50_ms=4, p95_ms=6, p99_ms=7, slots=1, overhead_ms=6),
    ],
    ids=["in turn", "shared", "overhead"],
)
def test_latencies_at_other_rates_are_those_of_the_server_that_was_measured(truth: ServiceProfile) -> None:
    found = fit(_runs(truth), "a server")
    assert found.capacity_rps == pytest.approx(truth.capacity_rps, rel=0.25)
    for rate in (40.0, 90.0):
        said, true = predict(found, rate), predict(truth, rate)
        assert said.p50_ms == pytest.approx(true.p50_ms, rel=0.12)
        assert said.p99_ms == pytest.approx(true.p99_ms, rel=0.25)


def test_what_the_queues_show_of_the_lost_time_is_read_from_the_statistics() -> None:
    profile = ServiceProfile(p50_ms=10, p95_ms=13, p99_ms=15, slots=1.5, sharing=True)
    runs = _runs(profile)
    for run, mean, queued in zip(runs, (10.0, 14.0, 30.0), (1.0, 2.0, 6.0), strict=True):
        stages = [{"queue_us": queued * 500, "requests": 100}] * 2
        run |= {"mean_ms": mean, "stages": stages}
    assert fit(runs, "a server").queue_share == pytest.approx(0.25)


def test_a_fit_says_what_it_is() -> None:
    runs = _runs(ServiceProfile(samples_ms=tuple(np.linspace(8, 12, 50)), slots=2))
    found = fit(runs[::-1], "bench.json")
    assert "fitted to 20, 60, 120 requests/s" in found.source
    assert found.queue_share == 1.0  # without statistics nobody knows better
