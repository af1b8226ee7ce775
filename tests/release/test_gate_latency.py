from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from factories.release import make_degenerate_model, make_release
from onnx import TensorProto, helper, numpy_helper

from recsys import schema
from recsys.errors import BadData
from recsys.release.gate_latency import measure
from recsys.settings import ServingSettings

SERVING = ServingSettings(retrieved=40, ranked=40, returned=10)


def test_releases_take_turns_and_the_order_turns_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = [make_release(tmp_path / str(seed), seed=seed) for seed in range(2)]
    ticks = iter(range(0, 10**12, 50_000))
    found = measure(releases, SERVING, 6, clock=lambda: next(ticks))
    assert [set(one) for one in found] == [{"query_tower", "dlrm_ranking"}] * 2
    for one in found:
        for taken in one.values():
            assert taken.shape == (6,)
            assert np.all(taken > 0)


def test_more_work_takes_longer(tmp_path: Path) -> None:
    """Fifty times the candidates cannot be hidden by whatever else the machine does."""
    release = make_release(tmp_path / "release")
    wide = ServingSettings(retrieved=2_000, ranked=2_000, returned=10)
    few, many = (np.median(measure([release], one, 15)[0]["dlrm_ranking"]) for one in (SERVING, wide))
    assert many > 2 * few


@pytest.mark.parametrize("file", [schema.QUERY_TOWER_ONNX, schema.DLRM_ONNX])
def test_model_that_does_not_run_is_named(tmp_path: Path, file: str) -> None:
    release = make_release(tmp_path / "release")
    (release / file).write_bytes(b"no model")
    with pytest.raises(BadData, match=file):
        measure([release], SERVING, 3)


def test_ages_of_clicks_are_none_from_the_future(tmp_path: Path) -> None:
    """A tower may take their logarithm."""
    release = make_release(tmp_path / "release")
    width = [None, schema.RECENT_CLICKS]
    nodes = [
        helper.make_node("Add", ["recent_ages", "one"], ["more"]),
        helper.make_node("Log", ["more"], ["user_embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tower",
        [helper.make_tensor_value_info("recent_ages", TensorProto.FLOAT, width)],
        [helper.make_tensor_value_info("user_embedding", TensorProto.FLOAT, width)],
        [numpy_helper.from_array(np.array(1, np.float32), "one")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, release / schema.QUERY_TOWER_ONNX)
    assert np.all(measure([release], SERVING, 3)[0]["query_tower"] > 0)


def test_model_that_gives_no_numbers_is_named(tmp_path: Path) -> None:
    release = make_release(tmp_path / "release")
    inputs = {name: (dtype, 1) for name, dtype in schema.USER_FEATURES.items()}
    make_degenerate_model(release / schema.QUERY_TOWER_ONNX, inputs, "user_embedding")
    with pytest.raises(BadData, match=r"query_tower of .*: gives no numbers"):
        measure([release], SERVING, 3)
