from __future__ import annotations

import json

import pytest


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "profile.json"
    path.write_text('{"p50_ms": 20, "p95_ms": 30, "p99_ms": 40, "source": "made up for a test"}')
    return path


@pytest.fixture
def curve(tmp_path):
    path = tmp_path / "hour.csv"
    path.write_text("time,rps\n00:00,20\n00:10,120\n01:00,20\n")
    return path


def test_a_day_as_table_page_and_json(run, profile, curve, home) -> None:
    done = run("capacity", "--profile", profile, "--curve", curve)
    assert done.code == 0
    assert "USD" in done.out and "p50 / p95 / p99" in done.out
    assert (home / "capacity.html").is_file()
    done = run("capacity", "--profile", profile, "--curve", curve, "--node-price", "2", "--json")
    document = json.loads(done.out)
    assert document["usd"] == pytest.approx(2 * document["node_hours"])
    assert document["price"]["source"] == "given by --node-price"
    assert document["assumed"]["node_start_s"] == 90


def test_a_sweep_has_a_line_for_every_setting(run, profile, curve) -> None:
    done = run("capacity", "--profile", profile, "--curve", curve, "--sweep", "--p99", "5000", "--json")
    document = json.loads(done.out)
    assert {(day["threshold_ms"], day["headroom"]) for day in document["days"]} == {
        (threshold, headroom) for threshold in (2, 5, 10, 20) for headroom in (0, 1)
    }


def test_steady_rates_and_a_load_test_beside_the_model(run, profile, tmp_path) -> None:
    found = json.loads(run("capacity", "--profile", profile, "--rate", 10, "--rate", 40, "--json").out)
    assert [one["rate_rps"] for one in found["predictions"]] == [10, 40]
    path = tmp_path / "load.json"
    path.write_text(json.dumps({"runs": [{"rate": 10.0, "p50_ms": 25.0, "p99_ms": 60.0}]}))
    (line,) = json.loads(run("capacity", "--profile", profile, "--compare", path, "--json").out)["runs"]
    assert line["p50_error"] == pytest.approx(line["predicted_p50_ms"] / 25.0 - 1)


def test_a_benchmark_is_held_beside_itself_half_against_half(run, tmp_path) -> None:
    path = tmp_path / "bench.json"
    slow = {"p50_ms": 10.0, "p95_ms": 13.0, "p99_ms": 15.0}
    runs = [{"variant": "ensemble", "rate": rate, **slow} for rate in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]
    path.write_text(json.dumps({"runs": runs}))
    found = json.loads(run("capacity", "--profile", path, "--compare", path, "--json").out)
    assert [line["rate_rps"] for line in found["runs"]] == [2, 4, 6]
    assert found["holds"] is True
    assert "1, 3, 5 requests/s" in found["model"]["source"]
    done = run("capacity", "--profile", path, "--compare", path)
    assert "3 of 3 hold (within p50 20%, p95 30%, p99 40%" in done.out


def test_no_price_is_said_and_not_invented(run, profile, curve) -> None:
    done = run("capacity", "--profile", profile, "--curve", curve, "--node", "z9.huge", "--json")
    assert done.code == 0
    assert json.loads(done.out)["usd"] is None
    assert "--node-price" in done.err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((), "--profile"),
        (("--profile", "nowhere.json"), "nowhere.json"),
        (("--min-replicas", 9), "--min-replicas"),
        (("--curve", "weekly"), "weekly"),
    ],
)
def test_bad_use_is_one_line(run, profile, options, named) -> None:
    given = options if not options or "--profile" in options else ("--profile", profile, *options)
    done = run("capacity", *given)
    assert done.code in {1, 2}
    assert named in done.err
    assert done.err.count("\n") == 1
