"""Exports models as SavedModel and ONNX, and refuses an export that does not compute the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import merlin.models.tf as mm
import numpy as np
import onnxruntime
import tensorflow as tf

from recsys import schema
from recsys.errors import RecsysError
from recsys.models.click_state import ClickState
from recsys.models.conversion import Table, convert, embedding_tables
from recsys.models.dlrm import Ranker
from recsys.models.onnx_weights import write_with_weights
from recsys.models.session_query import SessionQuery
from recsys.models.towers import SAVEDMODELS

if TYPE_CHECKING:
    from recsys.models.two_tower import TwoTower

_TOLERANCE: Final = 1e-4
_CHECKED_ROWS: Final = 64
_DTYPES: Final = {
    **schema.USER_FEATURES,
    **schema.CONTEXT_FEATURES,
    **schema.ITEM_FEATURES,
    **schema.RECENT_FEATURES,
    "timestamp": np.dtype("int64"),
}
_WIDTHS: Final = dict.fromkeys(
    ("user_embedding", *schema.EMBEDDING_FEATURES), schema.EMBEDDING_DIM
) | dict.fromkeys(schema.RECENT_FEATURES, schema.RECENT_CLICKS)


def export_towers(trained: TwoTower, out_dir: Path) -> None:
    """Writes both towers.

    Args:
        trained: Of `recsys.models.two_tower.train`.
        out_dir: Will hold `query_tower.onnx` (output `user_embedding`), `candidate_tower.onnx`
            (`item_embedding`), both float32 [rows, 64], `savedmodels/query_tower` and
            `savedmodels/candidate_tower`, and the state of the click history where there is one.

    Raises:
        RecsysError: An ONNX file does not compute what the model does.
    """
    export_query(trained.query, out_dir)
    _export_tower(trained.candidate, "item_embedding", Path(out_dir) / schema.CANDIDATE_TOWER_ONNX)
    if trained.clicks is not None:
        ClickState.of(trained.clicks).save(Path(out_dir))


@dataclass(frozen=True)
class Like:
    """A file that holds the same model with other weights.

    Attributes:
        path: The ONNX file.
        weights: What it was exported with: the variables in their order, then a ranker's
            `numbers`.
    """

    path: Path
    weights: Sequence[np.ndarray]


def export_query(tower: mm.Encoder, out_dir: Path, like: Like | None = None) -> None:
    """Writes the query tower alone: `query_tower.onnx` and `savedmodels/query_tower`.

    Args:
        tower: Trained.
        out_dir: The folder.
        like: What its ONNX file is made from where that is possible: converting a model takes seconds.

    Raises:
        RecsysError: The ONNX file does not compute what the model does.
    """
    path = Path(out_dir) / schema.QUERY_TOWER_ONNX
    change = None if like is None else _Change(like, [variable.numpy() for variable in tower.variables])
    _export_tower(tower, "user_embedding", path, change)


def _export_tower(tower: mm.Encoder, output: str, path: Path, change: _Change | None = None) -> None:
    base = tower.base if isinstance(tower, SessionQuery) else tower
    tables = embedding_tables(base)
    if base is not tower:
        tables["histories"] = Table(tower, "histories")
    kept = {"kept": tower.variables}
    _export(lambda inputs: {output: tower(inputs)}, tower.schema.column_names, path, kept, tables, change)


def export_ranker(trained: Ranker, out_dir: Path, like: Like | None = None) -> None:
    """Writes the ranker.

    Args:
        trained: Of `recsys.models.dlrm.train`.
        out_dir: Will hold `dlrm.onnx` (outputs of `Ranker.outputs`, float32 [rows, 1]) and
            `savedmodels/dlrm`.
        like: What its ONNX file is made from where that is possible.

    Raises:
        RecsysError: The ONNX file does not compute what the model does.
    """
    kept = [trained.model.variables]
    if trained.towers is not None:
        kept += [trained.towers.candidate]
    if trained.intent is not None:
        kept += [trained.intent]
    numbers = [tf.Variable(each, trainable=False) for each in trained.numbers]
    learned = [*trained.variables, *numbers]
    change = None
    if like is not None:
        fixed = () if trained.intent is None else trained.intent.tables
        change = _Change(like, [each.numpy() for each in learned], fixed)
    parts = {"kept": kept, "learned": learned}
    tables = embedding_tables(trained.model)
    _export(trained.outputs, trained.inputs, Path(out_dir) / schema.DLRM_ONNX, parts, tables, change)


@dataclass(frozen=True)
class _Change:
    """What takes the place of the weights of `like`, and what else the graph must hold."""

    like: Like
    weights: Sequence[np.ndarray]
    fixed: Sequence[np.ndarray] = ()

    def write(self, path: Path) -> bool:
        """Whether it could be written."""
        return write_with_weights(self.like.path, self.like.weights, self.weights, path, self.fixed)


def _export(  # noqa: PLR0917 - a model's parts, and where they go
    compute: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]],
    names: Iterable[str],
    path: Path,
    parts: dict[str, Any],
    tables: Mapping[str, Table],
    change: _Change | None = None,
) -> None:
    signature = {name: _spec(name) for name in names}

    def trace() -> Any:
        @tf.function(input_signature=[signature], autograph=False)  # type: ignore[untyped-decorator]  # TF is untyped
        def serve(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {name: tf.identity(output) for name, output in compute(inputs).items()}

        return serve

    path.parent.mkdir(parents=True, exist_ok=True)
    module, serve = tf.Module(), trace()
    # What `compute` reads: variables, not Keras objects, whose layers would all be traced one by one.
    for name, part in parts.items():
        setattr(module, name, part)
    module.serve = serve
    saved = path.parent / SAVEDMODELS / path.stem
    tf.saved_model.save(module, str(saved), signatures={"serving_default": serve})
    drawn = _drawn(signature, {name: table.variable.shape[0] for name, table in tables.items()})
    if change is not None and change.write(path):
        if _distance(serve, drawn, path) <= _TOLERANCE:
            return
        path.unlink()
    convert(trace, signature, path, tables)
    worst = _distance(serve, drawn, path)
    if not worst <= _TOLERANCE:
        raise RecsysError(
            str(path), f"differs from the model by {worst:.2g}", "Use the locked versions of tf2onnx"
        )


def _spec(name: str) -> tf.TensorSpec:
    dtype = _DTYPES.get(name, np.dtype("float32"))
    return tf.TensorSpec([None, _WIDTHS.get(name, 1)], tf.as_dtype(dtype), name=name)


def _distance(
    serve: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]], inputs: dict[str, np.ndarray], path: Path
) -> float:
    """How far the file is from the model on some rows, as a share of its outputs."""
    expected = serve({name: tf.constant(column) for name, column in inputs.items()})
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for output, values in expected.items():
        found = session.run([output], inputs)[0]
        apart = float(np.abs(values.numpy() - found).max())
        worst = float(np.maximum(worst, apart / max(1.0, float(np.abs(values.numpy()).max()))))
    return worst


def _drawn(names: Iterable[str], codes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Rows to compare on: one half holds the first codes, which any table has, the other one any code."""
    rng = np.random.default_rng(0)
    inputs = {name: _draw(name, rng) for name in names}
    for name, column in inputs.items():
        if name in codes:
            column[::2] = rng.integers(codes[name], size=column[::2].shape)
    return inputs


def _draw(name: str, rng: np.random.Generator) -> np.ndarray:
    shape = (_CHECKED_ROWS, _WIDTHS.get(name, 1))
    if name == "recent_ages":
        return rng.exponential(24, shape).astype(np.float32)
    if _DTYPES.get(name, np.dtype("float32")).kind == "f":
        return rng.normal(size=shape).astype(np.float32)
    least = schema.NO_ITEM if name == "recent_items" else 0
    return rng.integers(least, 4, shape).astype(np.int64)
