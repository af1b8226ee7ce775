from __future__ import annotations

import os
from pathlib import Path

import helm_python as helm
import pytest
from factories.chart import CHART, containers, merge, named, render, values

from recsys.errors import BadUse, RecsysError
from recsys.kubeflow.roll_out import command, roll_out
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore

WHERE = {"name": "recsys", "namespace": "shop", "chart": "/opt/recsys/chart"}


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    """Releases 1 and 2 passed their gate; 3 did not."""
    releases = ReleaseStore(tmp_path / "releases")
    for number, passed in ((1, True), (2, True), (3, False)):
        staging = tmp_path / f"staging-{number}"
        staging.mkdir()
        (staging / "model").write_text(str(number))
        verdict = Verdict(passed=passed, reason="" if passed else "AUC .51")
        releases.publish(staging, data=DataWindow(fingerprint=str(number), days=()), metrics={}, gate=verdict)
    return releases


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for helm on PATH that writes down what it was asked for, and fails where told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "helm"
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n'
        f"[ -e {tmp_path}/broken ] || exit 0\necho 'Error: UPGRADE FAILED: job failed' >&2; exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "calls"


@pytest.mark.parametrize(("asked", "served"), [(0, 2), (1, 1)])
def test_helm_is_given_the_number(store: ReleaseStore, calls: Path, asked: int, served: int) -> None:
    assert roll_out(str(store.root), asked, **WHERE) == served
    (line,) = calls.read_text().splitlines()
    assert line.startswith("upgrade --install recsys /opt/recsys/chart --namespace shop ")
    assert f"--set promotion.release={served} " in line
    assert "--wait-for-jobs" in line  # the promotion itself is a Job


def test_a_refused_release_is_not_served(store: ReleaseStore, calls: Path) -> None:
    with pytest.raises(RecsysError, match=r"refused by its gate: AUC \.51"):
        roll_out(str(store.root), 3, **WHERE)
    assert not calls.exists()


def test_what_helm_says_is_told(store: ReleaseStore, calls: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(RecsysError, match="UPGRADE FAILED: job failed"):
        roll_out(str(store.root), 2, **WHERE)


def test_without_helm_it_says_so(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BadUse, match="helm"):
        roll_out(str(store.root), 2, **WHERE)


def test_a_store_without_a_good_release_is_named(tmp_path: Path, calls: Path) -> None:
    with pytest.raises(BadUse, match="none that passed"):
        roll_out(str(tmp_path / "releases"), 0, **WHERE)


def _set(line: list[str]) -> dict[str, dict[str, int]]:
    path, _, value = line[line.index("--set") + 1].partition("=")
    section, _, key = path.partition(".")
    return {section: {key: int(value)}}


def test_in_place_the_chart_runs_a_promotion() -> None:
    line = [*command(8, in_place=True, timeout_s=60, **WHERE)]
    objects = render(merge(values("eks"), _set(line)))
    (job,) = containers(named(objects, "Job", "shop-recsys-promote-8-1")["spec"]["template"])
    assert job["args"][:3] == ["release", "promote", "8"]


def test_otherwise_new_pods_start_from_the_release_and_go_back_when_they_cannot() -> None:
    line = [*command(8, in_place=False, timeout_s=60, **WHERE)]
    assert "--atomic" in line
    objects = render(merge(values("smallest"), _set(line)))
    pods = named(objects, "Deployment", "shop-recsys-triton")["spec"]["template"]
    assert "--release=8" in containers(pods)[0]["args"]
    with pytest.raises(helm.HelmError, match=r"release\.number"):  # one way or the other
        render(merge(values("eks"), _set(line)))


def test_the_training_image_holds_helm_and_the_chart() -> None:
    text = (CHART.parents[1] / "docker" / "train" / "Dockerfile").read_text()
    assert "COPY helm/recsys/ /opt/recsys/chart/" in text
    assert "/usr/local/bin/helm" in text
