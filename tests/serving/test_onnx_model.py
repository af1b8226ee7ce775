"""ONNX sessions: right numbers, one thread, and clear words about a file that does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.release import make_degenerate_model

from recsys import schema
from recsys.errors import BadData, BadUse
from recsys.serving.onnx_model import OnnxModel
from recsys.settings import get_settings

PORTS = schema.USER_FEATURES | schema.CONTEXT_FEATURES
KNOWN = tuple(PORTS)


def test_rows_are_scored_alike_alone_and_together(release: Path) -> None:
    model = OnnxModel(release / schema.QUERY_TOWER_ONNX, "user_embedding", KNOWN)
    columns = {name: np.arange(64).reshape(-1, 1).astype(dtype) % 7 for name, dtype in PORTS.items()}
    together = model.run(columns)
    assert together.shape == (64, schema.EMBEDDING_DIM)
    assert together.dtype == np.float32
    for row in range(64):
        alone = model.run({name: column[row : row + 1] for name, column in columns.items()})
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


def test_other_columns_and_other_dtypes_are_fine(release: Path) -> None:
    model = OnnxModel(release / schema.QUERY_TOWER_ONNX, "user_embedding", KNOWN)
    columns = {name: np.ones((2, 1), np.int32) for name in (*KNOWN, "price")}
    assert model.run(columns).shape == (2, schema.EMBEDDING_DIM)


@pytest.mark.parametrize(
    ("output", "known", "words"),
    [
        ("embedding", KNOWN, "has no output embedding"),
        ("user_embedding", KNOWN[1:], f"wants {KNOWN[0]}, which serving does not have"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    release: Path, output: str, known: tuple[str, ...], words: str
) -> None:
    with pytest.raises(BadData, match=words):
        OnnxModel(release / schema.QUERY_TOWER_ONNX, output, known)


def test_missing_and_damaged_files_are_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(BadData, match=r"model\.onnx: cannot be loaded"):
        OnnxModel(path, "score", KNOWN)
    path.write_bytes(b"nonsense")
    with pytest.raises(BadData, match=r"model\.onnx: cannot be loaded") as caught:
        OnnxModel(path, "score", KNOWN)
    assert "\n" not in str(caught.value)


def test_the_degenerate_model_loads_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    make_degenerate_model(path, {"age": (np.dtype("float32"), 1)}, "score")
    model = OnnxModel(path, "score", KNOWN)
    with pytest.raises(Exception, match="bounds"):
        model.run({"age": np.zeros((1, 1), np.float32)})


def test_a_gpu_that_cannot_be_used_is_refused_rather_than_done_without(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setenv("RECSYS_GPU", "true")
    get_settings.cache_clear()
    try:
        with pytest.raises(BadUse, match="knows no GPU"):
            OnnxModel(release / schema.QUERY_TOWER_ONNX, "user_embedding", KNOWN)
        monkeypatch.setenv("RECSYS_GPU", "false")
        get_settings.cache_clear()
        OnnxModel(release / schema.QUERY_TOWER_ONNX, "user_embedding", KNOWN)
    finally:
        get_settings.cache_clear()
