from __future__ import annotations

import json

import numpy as np
import pytest

from recsys.capacity.profile import ServiceProfile, load_profile
from recsys.errors import BadData


def test_draws_have_the_given_quantiles() -> None:
    profile = ServiceProfile(p50_ms=8, p95_ms=8 * np.exp(1.6448536 * 0.3), p99_ms=8 * np.exp(2.3263479 * 0.3))
    draws = profile.draw(200_000, np.random.default_rng(0)) * 1e3
    for part, expected in ((0.5, profile.p50_ms), (0.95, profile.p95_ms), (0.99, profile.p99_ms)):
        assert np.quantile(draws, part) == pytest.approx(expected, rel=0.02)
    assert draws.mean() / 1e3 == pytest.approx(profile.mean_s, rel=0.01)


def test_a_benchmark_gives_slots_and_keeps_throughput_and_latency(tmp_path) -> None:
    def run(variant: str, concurrency: int, p50: float, rps: float) -> dict[str, object]:
        latency = {"p50_ms": p50, "p95_ms": 1.2 * p50, "p99_ms": 1.5 * p50}
        return {"variant": variant, "concurrency": concurrency, "throughput_rps": rps, **latency}

    runs = [run("ensemble", 1, 10.0, 98.0), run("ensemble", 16, 60.0, 250.0), run("floor", 1, 2.0, 500.0)]
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"runs": runs}))
    profile = load_profile(path)
    assert profile.slots == 2  # 250/s · 10 ms = 2.5 requests in service
    assert profile.p50_ms + profile.overhead_ms == pytest.approx(10.0)
    assert profile.slots / profile.p50_ms * 1e3 == pytest.approx(250.0)


def test_a_slow_open_loop_tells_the_service_time_rather_than_one_caller(tmp_path) -> None:
    def run(p50: float, rps: float, **how: float) -> dict[str, object]:
        return {
            "variant": "ensemble",
            **how,
            "p50_ms": p50,
            "p95_ms": p50,
            "p99_ms": p50,
            "throughput_rps": rps,
        }

    closed = [run(10.0, 98.0, concurrency=1), run(40.0, 250.0, concurrency=16)]
    path = tmp_path / "bench.json"
    for rate, latency in ((25.0, 12.0), (100.0, 10.0)):  # 10 % and 40 % of the best throughput
        path.write_text(json.dumps({"runs": [*closed, run(12.0, rate, rate=rate, concurrency=0)]}))
        profile = load_profile(path)
        assert profile.p50_ms + profile.overhead_ms == pytest.approx(latency)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "is not JSON"),
        ("[]", "valid dictionary"),
        ('{"p50_ms": 8}', "p50_ms <= p95_ms"),
        ('{"p50_ms": 8, "p95_ms": 9, "p99_ms": 9, "slot": 1}', "slot"),
        ('{"samples_ms": [1, -1]}', "positive"),
        ('{"samples_ms": [1], "slots": 1.5}', "whole"),
        ('{"samples_ms": [1], "sharing": true, "batch_max": 4}', "exclude each other"),
        ('{"runs": []}', "concurrency 1"),
        ('{"runs": [{"variant": "ensemble", "concurrency": 1}]}', "lacks 'throughput_rps'"),
    ],
)
def test_what_is_no_profile_is_named(tmp_path, text: str, cause: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(text)
    with pytest.raises(BadData, match=r"profile\.json") as raised:
        load_profile(path)
    assert cause in str(raised.value)
