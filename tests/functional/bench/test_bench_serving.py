"""`recsys bench serving` over real servers of its own, and over one that runs already."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from factories.home import make_home
from factories.shop_server import open_shop

from recsys.settings import ServingSettings

pytestmark = pytest.mark.functional

SMALL = {"RETRIEVED": "80", "RANKED": "60", "RETURNED": "20"}
BRIEF = (
    "--rounds",
    "1",
    "--seconds",
    "0.3",
    "--warm-up",
    "0.1",
    "--concurrency",
    "1,4",
    "--batch",
    "3",
    "--rate",
    "20",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("home"))


def bench(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {f"RECSYS_SERVING__{name}": value for name, value in SMALL.items()}
    line = [sys.executable, "-m", "recsys.cli", "--home", str(home), "bench", "serving", *arguments]
    environment = {**os.environ, **variables, "RECSYS_VALKEY__TIMEOUT_S": "2"}
    return subprocess.run(line, capture_output=True, text=True, timeout=300, env=environment, check=False)


@pytest.fixture(scope="module")
def measured(home: Path) -> tuple[dict[str, Any], Path]:
    report = home / "report"
    done = bench(home, "--fused", "--floor", "--gateway", "--json", "--report", str(report), *BRIEF)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), report


def test_every_case_of_every_variant_is_there(measured: tuple[dict[str, Any], Path]) -> None:
    document, _ = measured
    cases = {(run["variant"], run["mode"], run["concurrency"], run["rows"]) for run in document["runs"]}
    for variant in ("ensemble", "fused"):
        assert {(variant, "closed", 1, 1), (variant, "closed", 4, 1), (variant, "closed", 1, 3)} <= cases
        assert (variant, "open", 0, 1) in cases
    for variant in ("gateway", "gateway_fused"):
        assert {(variant, "closed", 1, 1), (variant, "closed", 4, 1)} <= cases
        assert (variant, "closed", 1, 3) not in cases  # a shop asks for one user at a time
    assert {case for case in cases if case[0] == "floor"} == {
        ("floor", "closed", 1, 1),
        ("floor", "closed", 1, 3),
    }


def test_answers_are_whole_and_figures_in_order(measured: tuple[dict[str, Any], Path]) -> None:
    document, _ = measured
    for run in document["runs"]:
        assert run["requests"] > 0, run
        assert run["failed"] == 0
        # A gateway answers from a fallback when a busy machine lets its deadline pass.
        assert run["degraded"] == 0 or run["driver"] == "http"
        assert 0 < run["p50_ms"] <= run["p95_ms"] <= run["p99_ms"] <= run["p99_9_ms"]
        assert run["throughput_rps"] > 0
        assert 0 <= run["steal_percent"] <= 100
        assert run["load_average"] >= 0


def test_stages_servers_and_ratios(measured: tuple[dict[str, Any], Path]) -> None:
    document, _ = measured
    stages = {
        run["variant"]: [stage["model"] for stage in run["stages"]]
        for run in document["runs"]
        if run["mode"] == "closed"
    }
    assert len(stages["ensemble"]) == 15
    assert stages["fused"] == ["ensemble_fused", "ensemble_model"]
    alone = ServingSettings().stages == "embedded"
    assert [(one["variant"], one["processes"]) for one in document["servers"]] == [
        ("ensemble", 1 if alone else 15),
        ("fused", 1 if alone else 2),
    ]
    assert all(one["pss_mb"] > 10 and one["ready_s"] > 0 for one in document["servers"])
    assert any("fused / bare process" in one["name"] for one in document["ratios"])


def test_the_report_is_written(measured: tuple[dict[str, Any], Path]) -> None:
    document, report = measured
    assert json.loads((report / "serving.json").read_text()) == document
    assert "ensemble_fused" in (report / "serving.html").read_text()


def test_nothing_is_left_running(measured: tuple[dict[str, Any], Path]) -> None:
    for environ in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = environ.read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        assert b"recsys-bench-" not in line or b"tritonserver" not in line


def test_a_target_that_runs_already(home: Path, tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        done = bench(home, "--target", shop.triton.endpoints["grpc"], "--json", *BRIEF)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {run["variant"] for run in document["runs"]} == {"target"}
    assert all(run["requests"] > 0 and run["failed"] == 0 for run in document["runs"])
    assert document["servers"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "example.org:8001"), "not on this machine"),
        (("--target", "127.0.0.1:1", *BRIEF), "Triton at 127.0.0.1:1"),
        (("--concurrency", "1,x"), "are not numbers"),
        (("--concurrency", "0"), "cannot be"),
        (("--reference", *BRIEF), "no NVTabular workflows of release 1"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = bench(home, *arguments)
    assert done.returncode in (1, 2)
    last = done.stderr.strip().splitlines()[-1]
    assert said in last
    assert "Traceback" not in done.stderr
