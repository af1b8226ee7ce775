from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from recsys import schema
from recsys.errors import BadData
from recsys.release.manifest import (
    DataWindow,
    FileEntry,
    Manifest,
    feature_schema,
    library_versions,
    read_manifest,
)


def _manifest(window: DataWindow) -> Manifest:
    return Manifest(
        release=3,
        created=datetime(2025, 8, 1, tzinfo=UTC),
        parent=2,
        data=window,
        feature_schema=feature_schema(),
        metrics={"chain": {"hit@10": 0.4}},
        versions=library_versions(),
        files={"dlrm.onnx": FileEntry(sha256="0" * 64, size=5)},
    )


def test_manifest_survives_its_file(tmp_path: Path, window: DataWindow) -> None:
    manifest = _manifest(window)
    (tmp_path / schema.MANIFEST_FILE).write_text(manifest.to_json())
    assert read_manifest(tmp_path) == manifest


def test_schema_lists_every_model_input() -> None:
    found = feature_schema()
    assert found["item"]["item_id"] == "int64"
    assert set(found["user"]) == set(schema.USER_FEATURES)
    assert set(found["embedding"]) == set(schema.EMBEDDING_FEATURES)


def test_versions_name_numpy_as_installed() -> None:
    import numpy as np

    assert library_versions()["numpy"] == np.__version__


def test_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"has no manifest\.json"):
        read_manifest(tmp_path)


def test_broken_manifest_names_the_field(tmp_path: Path, window: DataWindow) -> None:
    text = _manifest(window).to_json().replace('"release": 3', '"release": 0')
    (tmp_path / schema.MANIFEST_FILE).write_text(text)
    with pytest.raises(BadData, match="release"):
        read_manifest(tmp_path)
