"""A second release for drills: the same but for the ranker's last weights, so that it answers otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from recsys import schema
from recsys.release.manifest import Verdict
from recsys.release.store import ReleaseStore


def publish_twin(store: ReleaseStore, number: int, scratch: Path, seed: int = 0) -> int:
    """Publish a release that differs from another in every score.

    Args:
        store: The releases.
        number: Which is copied.
        scratch: Folder to work in; what is there already goes.
        seed: Of the change.

    Returns:
        The new release's number.
    """
    manifest = store.show(number)
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(store.path(number), scratch)
    (scratch / schema.MANIFEST_FILE).unlink()
    for name in manifest.files:
        if Path(name).stem.startswith("dlrm") and name.endswith(".onnx"):
            _disturb(scratch / name, seed)
    return store.publish(
        scratch, data=manifest.data, metrics=manifest.metrics, gate=Verdict(passed=True), parent=number
    )


def _disturb(path: Path, seed: int) -> None:
    """Turn the last float weights a little."""
    model = onnx.load(path)
    weights = [each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT]
    rng = np.random.default_rng(seed)
    for each in weights[-2:]:
        values = numpy_helper.to_array(each)
        noise = 1 + 0.1 * rng.standard_normal(values.shape)
        each.CopyFrom(numpy_helper.from_array((values * noise).astype(np.float32), each.name))
    path.unlink()  # a read-only link to the store's object
    onnx.save(model, path)
