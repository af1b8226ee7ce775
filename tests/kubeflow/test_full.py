from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from factories.release import make_release
from factories.shop import make_shop

from recsys.errors import BadData, RecsysError
from recsys.kubeflow import StepEvent, full, run_full
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore
from recsys.settings import GateSettings, Settings


class _Pipeline:
    """Stands in for the local runner: publishes a ready release and remembers the arguments."""

    def __init__(self, tmp_path: Path) -> None:
        self.calls: list[Mapping[str, Any]] = []
        self.reason = ""
        self._release = make_release(tmp_path / "made")

    def __call__(self, pipeline: Any, arguments: Mapping[str, Any], home: Path, progress: Any) -> Any:
        self.calls.append(arguments)
        number = ReleaseStore(arguments["store"]).publish(
            self._release,
            data=DataWindow(fingerprint="d", days=(0,)),
            metrics={},
            gate=Verdict(passed=not self.reason, reason=self.reason),
            fingerprint=arguments["fingerprint"],
        )
        return {"Output": number}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Pipeline:
    found = _Pipeline(tmp_path)
    monkeypatch.setattr(full, "run_local", found)
    return found


@pytest.fixture
def run(tmp_path: Path, pipeline: _Pipeline) -> Callable[..., int]:
    make_shop(tmp_path / "shop", days=range(1))
    events: list[StepEvent] = []

    def run_once(settings: Settings | None = None) -> int:
        return run_full(tmp_path / "shop", tmp_path / "home", settings or Settings(), events.append)

    return run_once


def test_arguments_are_absolute_and_whole(run: Any, pipeline: _Pipeline, tmp_path: Path) -> None:
    assert run() == 1
    (arguments,) = pipeline.calls
    assert arguments["data"] == str(tmp_path / "shop")
    assert arguments["store"] == str(tmp_path / "home" / "releases")
    assert arguments["floors"] == GateSettings().model_dump()
    assert set(arguments["recipe"]) == {"training", "recents", "encoders", "gpu", "weights"}
    assert arguments["sizes"]["serving"]["retrieved"] == 400


def test_equal_inputs_train_once(run: Any, pipeline: _Pipeline) -> None:
    assert (run(), run()) == (1, 1)
    assert len(pipeline.calls) == 1


@pytest.mark.parametrize("change", ["data", "recipe"])
def test_changed_inputs_train_again(run: Any, pipeline: _Pipeline, tmp_path: Path, change: str) -> None:
    run()
    if change == "data":
        make_shop(tmp_path / "shop", days=range(1), seed=1)
        assert run() == 2
    else:
        assert run(Settings(training={"seed": 7})) == 2
    assert len(pipeline.calls) == 2


def test_damaged_release_is_trained_again(run: Any, pipeline: _Pipeline, tmp_path: Path) -> None:
    run()
    damaged = tmp_path / "home" / "releases" / "1" / "dlrm.onnx"
    damaged.chmod(0o644)
    damaged.write_bytes(b"broken")
    assert run() == 2
    assert len(pipeline.calls) == 2


def test_refused_release_is_an_error_each_time(run: Any, pipeline: _Pipeline) -> None:
    pipeline.reason = "ranker.auc is missing"
    for _ in range(2):
        with pytest.raises(RecsysError, match=r"release 1: refused by its gate: ranker\.auc is missing"):
            run()
    assert len(pipeline.calls) == 1


def test_data_that_is_not_there_is_named(tmp_path: Path, pipeline: _Pipeline) -> None:
    with pytest.raises(BadData, match="no such folder"):
        run_full(tmp_path / "nowhere", tmp_path / "home", Settings())
