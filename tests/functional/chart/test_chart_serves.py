"""The rendered chart as processes of an unprivileged user: it serves, promotes, has every metric it names.

What a kubelet would do is done by `factories.installation`: another user, no privileges, a file system that
cannot be written but for the pod's volumes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from factories.chart import ROOT, Object, merge, render, values
from factories.home import make_home
from factories.installation import ADMIN_KEY, Installation, answers, may_mount, open_folder
from factories.kubeflow import fake_kubeflow
from factories.monitoring import expressions, metrics

from recsys.index.shard_model import model_name
from recsys.local.twin import publish_twin
from recsys.local.valkey import ValkeyServer
from recsys.online.auth import create_key
from recsys.release.agent_client import AgentFiles
from recsys.release.part_servers import PartServer
from recsys.release.store import ReleaseStore
from recsys.serving.control import Control

pytestmark = pytest.mark.functional

TRITON, GATEWAY, WORKER = (f"Deployment/shop-recsys-{name}" for name in ("triton", "gateway", "worker"))
PART = "StatefulSet/shop-recsys-index"
PROMOTION = "Job/shop-recsys-promote-2-1"
KUBEFLOW = "http://ml-pipeline.kubeflow:8888"
ONLY_WITH_A_GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes"}


@pytest.fixture(scope="module")
def chart() -> Iterator[Installation]:
    with open_folder() as home, ValkeyServer(home / "valkey") as valkey:
        make_home(home / "source")
        publish_twin(ReleaseStore(home / "source" / "releases"), 1, home / "twin")
        (home / "token").write_text(create_key(home / "keys.json"))
        installed = Installation(render(_values(home)), home, valkey.url, home / "keys.json")
        assert "release 1 is ready" in installed.run(TRITON, "fetch-release")
        assert "release 1 is in" in installed.run(GATEWAY, "fetch-release")
        assert "features of release 1" in installed.run("Job/shop-recsys-feast-fill-1", "fill")
        triton, gateway = (f"http://127.0.0.1:{installed.ports[name]}" for name in ("http", "gateway"))
        with (
            installed.serve(TRITON, "triton", lambda: answers(f"{triton}/v2/health/ready")),
            installed.serve(GATEWAY, "gateway", lambda: answers(f"{gateway}/readyz")),
        ):
            yield installed


def _values(home: Path) -> Object:
    """Those for one machine, with a Valkey outside of the chart and time limits for a busy one."""
    patient = {"RECSYS_VALKEY__TIMEOUT_S": "2", "RECSYS_GATEWAY__DEADLINE_S": "10"}
    over = {
        "release": {"home": str(home / "pod"), "source": str(home / "source" / "releases"), "claim": ""},
        "valkey": {
            "inCluster": {"enabled": False},
            "existingSecret": "valkey",
            "external": {"cidrs": ["127.0.0.1/32"]},
        },
        "promotion": {"enabled": True, "release": 2},
        "precompute": {"enabled": True},
        "daily": {
            "enabled": True,
            "args": [
                "python",
                "-m",
                "recsys.cli",
                "pipeline",
                "submit",
                "/opt/recsys/ir/full_training.yaml",
                "--endpoint",
                KUBEFLOW,
                "--argument",
                "data=s3://shop/today",
            ],
        },
        "extraEnv": [{"name": name, "value": value} for name, value in patient.items()],
    }
    return merge(values("local"), over)


def _ask(chart: Installation, what: str, **asked: object) -> dict[str, Any]:
    token = (chart.home / "token").read_text()
    request = urllib.request.Request(
        f"http://127.0.0.1:{chart.ports['gateway']}/v1/{what}",
        data=json.dumps(asked).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_a_recommendation_is_served(chart: Installation) -> None:
    answer = _ask(chart, "recommendations", user_id=3, top_k=10)
    assert answer["release"] == 1
    assert answer["fallbacks"] == []
    assert len(answer["items"]) == 10


def test_the_worker_takes_events_and_its_probe_sees_whether_it_lives(chart: Installation) -> None:
    assert not chart.probe(WORKER, "worker")
    clicked = _ask(chart, "recommendations", user_id=7, top_k=1)["items"][0]["item_id"]
    _ask(chart, "events", user_id=7, item_id=clicked)
    with chart.serve(WORKER, "worker", lambda: _has_seen(chart, 7, clicked)):
        assert chart.probe(WORKER, "worker")


def _has_seen(chart: Installation, user_id: int, item_id: int) -> bool:
    shown = _ask(chart, "recommendations", user_id=user_id, top_k=10)["items"]
    return all(item["item_id"] != item_id for item in shown)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of another user")
def test_the_containers_are_not_root_and_write_to_their_volumes_alone(chart: Installation) -> None:
    owners = {path.stat().st_uid for path in (chart.home / "volumes").rglob("*")}
    assert owners == {1000}
    status = chart.python("print(open('/proc/self/status').read())").splitlines()
    said = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    assert said["Uid"].split() == ["1000"] * 4
    assert said["Groups"].strip() == ""
    assert said["NoNewPrivs"] == "1"
    if may_mount():
        assert chart.python(_WRITES.format("/recsys")) == "Read-only file system"
    assert chart.python(_WRITES.format(chart.home / "volumes/shop-recsys-triton/x")) == "written"


_WRITES = """
try:
    open("{}", "w").close()
    print("written")
except OSError as error:
    print(error.strerror)
"""


def test_model_control_is_closed_without_the_key(chart: Installation) -> None:
    index = f"http://127.0.0.1:{chart.ports['http']}/v2/repository/index"
    assert not answers(index, b"{}")
    assert not answers(index, b"{}", {"admin-key": "guessed"})
    assert answers(index, b"{}", {"admin-key": ADMIN_KEY})


def test_every_metric_that_is_named_exists(chart: Installation) -> None:
    _ask(chart, "recommendations", anonymous=True)
    worker = f"http://127.0.0.1:{chart.ports['worker']}/metrics"
    with chart.serve(WORKER, "worker", lambda: answers(worker)):
        there = _metrics(worker)
    there |= _metrics(f"http://127.0.0.1:{chart.ports['gateway']}/metrics")
    there |= _metrics(f"http://127.0.0.1:{chart.ports['metrics']}/metrics")
    for where, expression in expressions().items():
        named = {name for name in metrics(expression) if ":" not in name}
        assert named - ONLY_WITH_A_GPU <= there, where


def _metrics(url: str) -> set[str]:
    with urllib.request.urlopen(url, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {line.partition("{")[0].partition(" ")[0] for line in lines if line and not line.startswith("#")}


def test_batch_answers_are_made_by_their_job(chart: Installation) -> None:
    said = chart.run("CronJob/shop-recsys-precompute", "precompute")
    assert re.match(r"[1-9]\d* of [1-9]\d* users answered by release 1, 0 had a young answer", said), said
    assert "0 of " in chart.run("CronJob/shop-recsys-precompute", "precompute"), "all have a young one"


def test_the_nightly_job_submits_its_pipeline(chart: Installation) -> None:
    shutil.copytree(ROOT / "tests/pipelines/golden", chart.home / "image" / "ir")
    with fake_kubeflow() as kubeflow:
        chart.replaced[KUBEFLOW] = kubeflow.url
        assert "run-1" in chart.run("CronJob/shop-recsys-daily", "submit")
    (run,) = kubeflow.runs
    assert run["runtime_config"]["parameters"]["data"] == "s3://shop/today"


def test_a_part_of_the_index_is_served_and_brought_to_another_release(chart: Installation) -> None:
    in_parts = merge(_values(chart.home), {"indexParts": {"count": 2}})
    installed = Installation(render(in_parts), chart.home, chart.valkey_url, chart.keys_file)
    assert "part 1 of release 1" in installed.run(PART, "fetch-release")
    http, agent = (f"127.0.0.1:{installed.ports[name]}" for name in ("http", "triton-agent"))
    with (
        installed.serve(PART, "index-part", lambda: answers(f"http://{http}/v2/health/ready")),
        installed.serve(PART, "agent", lambda: answers(f"http://{agent}/readyz")),
    ):
        files = AgentFiles(agent, ADMIN_KEY)
        part = PartServer("part 1", Control(http, ADMIN_KEY), files, model_name(1, 2))
        part.add(2)
        assert part.serves(1)
        assert part.serves(2)


def test_agents_and_the_promotions_job_serve_another_release(chart: Installation) -> None:
    """The last one here: release 2 is served after it."""
    agents = {
        name: f"http://127.0.0.1:{chart.ports[f'{name}-agent']}/readyz" for name in ("triton", "gateway")
    }
    with (
        chart.serve(TRITON, "agent", lambda: answers(agents["triton"])),
        chart.serve(GATEWAY, "agent", lambda: answers(agents["gateway"])),
    ):
        told = json.loads(chart.run(PROMOTION, "promote"))
        assert told["release"] == 2
        assert len(told["replicas"]) == 1
        assert all(answers(url) for url in agents.values())
    answer = _ask(chart, "recommendations", user_id=3, top_k=10)
    assert (answer["release"], answer["fallbacks"]) == (2, [])
    assert ReleaseStore(chart.home / "source" / "releases").current() == 2
