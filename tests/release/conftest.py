"""A small folder of artefacts and the data window they claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.release.manifest import DataWindow


@pytest.fixture
def window() -> DataWindow:
    return DataWindow(fingerprint="f" * 64, days=(0, 1, 2), rows=10, users=4, items=3)


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    folder = tmp_path / "artefacts"
    (folder / "savedmodels").mkdir(parents=True)
    (folder / "dlrm.onnx").write_bytes(b"ranker" * 100)
    (folder / "index.faiss").write_bytes(b"index")
    (folder / "savedmodels" / "weights.bin").write_bytes(b"weights")
    return folder
