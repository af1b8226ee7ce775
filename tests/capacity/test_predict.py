from __future__ import annotations

import json

import pytest

from recsys.capacity.predict import compare, open_loop_runs, predict
from recsys.capacity.profile import ServiceProfile
from recsys.errors import BadData

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


def test_the_model_agrees_with_itself() -> None:
    runs = [{"rate": rate, **predict(PROFILE, rate).as_dict()} for rate in (50.0, 150.0)]
    for line in compare(PROFILE, runs, seed=1):
        assert abs(line["p50_error"]) < 0.02
        assert abs(line["p99_error"]) < 0.05


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": [{"concurrency": 1}]}', '{"runs": [{"rate": 5}]}'])
def test_a_file_without_open_loop_runs_is_named(tmp_path, text: str) -> None:
    path = tmp_path / "load.json"
    path.write_text(text)
    with pytest.raises(BadData, match=r"load\.json"):
        open_loop_runs(path)


def test_open_loop_runs_are_picked(tmp_path) -> None:
    path = tmp_path / "load.json"
    run = {"rate": 5, "p50_ms": 1, "p99_ms": 2}
    others = [{"concurrency": 1}, {**run, "rows": 16}, {**run, "variant": "floor"}]
    path.write_text(json.dumps({"runs": [*others, run]}))
    assert open_loop_runs(path) == [run]
