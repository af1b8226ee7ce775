from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from recsys.kubeflow.step_cache import StepCache


@pytest.fixture
def cache(tmp_path: Path) -> StepCache:
    return StepCache(tmp_path / "cache")


def _step(root: Path, content: str = "made") -> Path:
    """A finished step's folder with an artefact, an empty folder and Kubeflow's answer."""
    (root / "model" / "empty").mkdir(parents=True)
    (root / "model" / "weights").write_text(content)
    (root / "executor_output.json").write_text(json.dumps({"uri": str(root / "model")}))
    return root


def _input(uri: Path, **parameters: Any) -> dict[str, Any]:
    artefact = {"uri": str(uri), "name": "data", "metadata": {}}
    return {
        "inputs": {"artifacts": {"data": {"artifacts": [artefact]}}, "parameterValues": parameters},
        "outputs": {"artifacts": {"model": {}}},
    }


def test_kept_step_comes_back_at_another_place(cache: StepCache, tmp_path: Path) -> None:
    cache.keep("k", _step(tmp_path / "run1"))
    assert cache.restore("k", tmp_path / "run2")
    assert (tmp_path / "run2" / "model" / "weights").read_text() == "made"
    assert (tmp_path / "run2" / "model" / "empty").is_dir()
    answer = json.loads((tmp_path / "run2" / "executor_output.json").read_text())
    assert answer["uri"] == str(tmp_path / "run2" / "model")


def test_disk_holds_an_output_once(cache: StepCache, tmp_path: Path) -> None:
    cache.keep("k", _step(tmp_path / "run1"))
    cache.restore("k", tmp_path / "run2")
    assert (tmp_path / "run1" / "model" / "weights").samefile(tmp_path / "run2" / "model" / "weights")


def test_unknown_key_restores_nothing(cache: StepCache, tmp_path: Path) -> None:
    assert not cache.restore("k", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_key_is_made_of_content_parameters_and_source(cache: StepCache, tmp_path: Path) -> None:
    data = _step(tmp_path / "a") / "model"
    same = _step(tmp_path / "b") / "model"
    other = _step(tmp_path / "c", "else") / "model"
    key = cache.key("source", _input(data, seed=1))
    assert key == cache.key("source", _input(same, seed=1))
    different = {
        key,
        cache.key("source", _input(other, seed=1)),
        cache.key("source", _input(data, seed=2)),
        cache.key("changed", _input(data, seed=1)),
    }
    assert len(different) == 4


def test_interrupted_keep_leaves_no_entry(cache: StepCache, tmp_path: Path) -> None:
    step = _step(tmp_path / "run1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys.release.files.sync_tree", _fail)
        with pytest.raises(OSError, match="disk"):
            cache.keep("k", step)
    assert not cache.restore("k", tmp_path / "run2")
    cache.keep("k", step)
    assert cache.restore("k", tmp_path / "run3")


def _fail(path: Path) -> None:
    raise OSError("disk")


def test_prune_drops_the_least_recently_used_and_leftovers(cache: StepCache, tmp_path: Path) -> None:
    for n, key in enumerate("abc"):
        cache.keep(key, _step(tmp_path / key, "x" * 1000))
        os.utime(cache.root / key, (n, n))
    (cache.root / ".staging-d").mkdir()
    cache.restore("a", tmp_path / "again")
    cache.max_bytes = 2500
    cache.prune()
    assert {p.name for p in cache.root.iterdir()} == {"a", "c"}
