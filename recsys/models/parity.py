"""How far the exported models are from the trained ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import tensorflow as tf

from recsys import schema
from recsys.errors import BadData
from recsys.models.towers import SAVEDMODELS

_ROWS: Final = 64
_DTYPES: Final = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}


def parity(release_dir: Path) -> dict[str, float]:
    """Runs each SavedModel of a release and its ONNX file on the same rows.

    Args:
        release_dir: Its artefacts.

    Returns:
        By model, the greatest difference of any output as a share of its greatest value (of 1 at least); NaN
        where one of the two gives no number. Empty for a release without SavedModels.

    Raises:
        BadData: A file cannot be loaded, or the two do not take the same inputs.
    """
    files = (schema.QUERY_TOWER_ONNX, schema.CANDIDATE_TOWER_ONNX, schema.DLRM_ONNX)
    saved = {file: release_dir / SAVEDMODELS / Path(file).stem for file in files}
    return {path.name: _distance(release_dir / file, path) for file, path in saved.items() if path.is_dir()}


def _distance(exported: Path, saved: Path) -> float:
    try:
        session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
        feed = {port.name: _drawn(port) for port in session.get_inputs()}
        names = [port.name for port in session.get_outputs()]
        found = dict(zip(names, session.run(names, feed), strict=True))
        signature = tf.saved_model.load(str(saved)).signatures["serving_default"]
        wanted = signature.structured_input_signature[1]
        # An input that does not matter is not in the ONNX graph.
        given = {
            name: tf.constant(feed[name]) if name in feed else tf.zeros([_ROWS, *spec.shape[1:]], spec.dtype)
            for name, spec in wanted.items()
        }
        expected = {name: each.numpy() for name, each in signature(**given).items()}
        return float(np.max([_apart(found[name], each) for name, each in expected.items()]))
    except Exception as error:  # neither library's errors have a base class of their own
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise BadData(str(exported), f"cannot be compared with {saved} ({cause})", "Export again") from error


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(expected - found).max() / max(1.0, float(np.abs(expected).max())))


def _drawn(port: Any) -> np.ndarray:
    """Rows whose codes are small enough for any table, and whose ages are not negative."""
    rng = np.random.default_rng(0)
    shape = [_ROWS, *(size if isinstance(size, int) else 1 for size in port.shape[1:])]
    if _DTYPES[port.type] is np.float32:
        return rng.random(shape).astype(np.float32)
    return rng.integers(0, 4, size=shape).astype(_DTYPES[port.type])
