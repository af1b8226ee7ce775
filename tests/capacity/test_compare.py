from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factories.hops import load_test

from recsys.capacity.compare import TOLERANCES, compare, held_back, open_loop_runs
from recsys.capacity.measured import profile_of
from recsys.capacity.predict import predict
from recsys.capacity.profile import ServiceProfile
from recsys.errors import BadData

PROFILE = ServiceProfile(p50_ms=10, p95_ms=13, p99_ms=15, slots=2, overhead_ms=3)


def _file(folder: Path, runs: list[dict[str, Any]]) -> Path:
    path = folder / "load.json"
    path.write_text(json.dumps({"runs": runs}))
    return path


def test_the_model_agrees_with_itself() -> None:
    runs = [{"rate": rate, **predict(PROFILE, rate).as_dict()} for rate in (50.0, 130.0)]
    for line in compare(PROFILE, runs, seed=1):
        assert abs(line["p50_error"]) < 0.02
        assert abs(line["p99_error"]) < 0.05
        assert line["holds"] is True


@pytest.mark.parametrize("name", TOLERANCES)
def test_one_percentile_out_of_its_tolerance_is_enough(name: str) -> None:
    run = {"rate": 50.0, **predict(PROFILE, 50.0).as_dict()}
    for factor, holds in ((1 + 0.9 * TOLERANCES[name], True), (1 + 1.2 * TOLERANCES[name], False)):
        (line,) = compare(PROFILE, [run | {f"{name}_ms": run[f"{name}_ms"] / factor}])
        assert line["holds"] is holds


def test_beyond_the_highest_load_nothing_is_judged() -> None:
    (line,) = compare(PROFILE, [{"rate": 0.9 * PROFILE.capacity_rps, "p50_ms": 1.0, "p99_ms": 2.0}])
    assert (line["holds"], line["not_judged"]) == (None, "too busy")
    assert "p95_error" not in line


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        ({"throughput_rps": 40.0}, "overrun"),
        ({"rounds_p50_ms": [9.0, 14.0, 10.0]}, "unsteady"),
        ({"throughput_rps": 49.0, "rounds_p50_ms": [9.0, 11.0]}, ""),
    ],
)
def test_a_load_test_that_does_not_agree_with_itself_judges_nothing(
    measured: dict[str, Any], why: str
) -> None:
    run = {"rate": 50.0, **predict(PROFILE, 50.0).as_dict(), **measured}
    (line,) = compare(PROFILE, [run])
    assert (line["not_judged"], line["holds"]) == (why, None if why else True)


def test_runs_with_a_flaw_are_left_out_of_the_model(tmp_path: Path) -> None:
    sound = [{"rate": rate, **predict(PROFILE, rate).as_dict()} for rate in (20.0, 50.0, 80.0, 110.0)]
    wild = {"rate": 30.0, "p50_ms": 900.0, "p95_ms": 1_000.0, "p99_ms": 1_100.0, "throughput_rps": 5.0}
    profile = profile_of([*sound, wild], "a server")
    assert "20, 50, 80, 110" in profile.source


@pytest.mark.parametrize(("spread", "door_ms"), [(0.3, 1.5), (0.6, 1.5), (0.3, 3.0)])
def test_a_model_of_one_half_tells_the_other_half_of_a_chain_on_two_cores(
    tmp_path: Path, spread: float, door_ms: float
) -> None:
    """What the model stands for is simulated in detail: fourteen models, batches, two cores."""
    rates = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0)
    runs = [load_test(rate, 20, spread=spread, door_ms=door_ms, seed=int(rate)) for rate in rates]
    profile, others = held_back(_file(tmp_path, runs))
    assert [run["rate"] for run in others] == [40.0, 80.0, 120.0]
    assert "20, 60, 100" in profile.source
    assert [line["holds"] for line in compare(profile, others)] == [True, True, True]


def test_one_run_cannot_be_halved(tmp_path: Path) -> None:
    path = _file(tmp_path, [{"rate": 5, "p50_ms": 1, "p95_ms": 2, "p99_ms": 2}])
    with pytest.raises(BadData, match="single open-loop run"):
        held_back(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"runs": [{"concurrency": 1}]}', '{"runs": [{"rate": 5}]}'])
def test_a_file_without_open_loop_runs_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "load.json"
    path.write_text(text)
    with pytest.raises(BadData, match=r"load\.json"):
        open_loop_runs(path)


def test_open_loop_runs_are_picked(tmp_path: Path) -> None:
    run = {"rate": 5, "p50_ms": 1, "p99_ms": 2}
    others = [{"concurrency": 1}, {**run, "rows": 16}, {**run, "variant": "floor"}]
    assert open_loop_runs(_file(tmp_path, [*others, run])) == [run]
