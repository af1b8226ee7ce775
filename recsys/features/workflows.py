"""The fitted NVTabular workflows: user, item, context, and the full one composed of them.

Each statistic is fitted once, on the rows it is about, and the four workflows share the fitted operators:

* ids, gender, top category and device on the training rows that bear one: an unknown (`schema.UNKNOWN`) is
  no category, so it gets the out-of-vocabulary code 2, as does all that training has not seen, in particular
  a user without training events, whose embedding would be untrained;
* items on the whole catalogue, so that an item nobody has clicked yet still has a code of its own, and prices
  keep their statistics when the mix of clicks changes;
* the age's mean and deviation on the training rows of known users.

Categorify codes are 0 padding (unused), 1 null, 2 out of vocabulary, 3 and up by falling frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import nvtabular as nvt
import pandas as pd
from merlin.dag.node import iter_nodes
from merlin.io import Dataset
from merlin.io.worker import clean_worker_cache
from merlin.schema import ColumnSchema, Schema, Tags
from nvtabular import ops

from recsys import schema
from recsys.errors import BadData
from recsys.features import backend
from recsys.features.arrays import CLOCK
from recsys.features.export import export_arrays
from recsys.features.row_file import PART_ROWS, RowFile

__all__ = ["PARTS", "Part", "Workflows", "cardinalities", "export_arrays", "fit", "load"]

Part = Literal["full", "user", "item", "context"]
PARTS: Final[tuple[Part, ...]] = ("user", "item", "context", "full")

_OUTPUTS: Final = {
    "user": schema.USER_FEATURES,
    "item": schema.ITEM_FEATURES,
    "context": schema.CONTEXT_FEATURES,
    "full": {**schema.USER_FEATURES, **schema.CONTEXT_FEATURES, **schema.ITEM_FEATURES},
}
_INPUTS: Final = {
    "user": schema.USER_RAW,
    "item": schema.ITEM_RAW,
    "context": schema.CONTEXT_RAW,
    "full": (*schema.USER_RAW, *schema.CONTEXT_RAW, *schema.ITEM_RAW),
}
_FLOATS: Final = ("age", "price")
_CHUNK_ROWS: Final = PART_ROWS

_NOTHING_KNOWN: Final = np.array([np.iinfo(np.int64).min])
"""Vocabulary of a column that is unknown in every row: Categorify cannot be fitted on nothing."""


class _AgeBucket(ops.Bucketize):  # type: ignore[misc]  # NVTabular is untyped
    """Bucketize that gives int64, as the other categorical features are."""

    @property
    def output_dtype(self) -> type:
        return np.int64


@dataclass(frozen=True)
class Workflows:
    """The four fitted workflows.

    Attributes:
        user: `schema.USER_RAW` to `schema.USER_FEATURES`.
        item: `schema.ITEM_RAW` to `schema.ITEM_FEATURES`.
        context: `schema.CONTEXT_RAW` to `schema.CONTEXT_FEATURES`.
        full: All three at once. Their `output_schema` bears the Merlin tags and cardinalities that models are
            built from.
    """

    user: nvt.Workflow
    item: nvt.Workflow
    context: nvt.Workflow
    full: nvt.Workflow

    def transform(self, frame: pd.DataFrame, part: Part = "full") -> pd.DataFrame:
        """Turns raw columns into features.

        Args:
            frame: The part's raw columns, as of `recsys.features.training`; others are ignored.
            part: Which workflow.

        Returns:
            The part's features in the order and dtypes of `schema`, with the frame's index.

        Raises:
            BadData: A raw column is missing, or one of integers holds something else.
        """
        _check_raw(frame, part)
        features = {name: np.empty(len(frame), dtype) for name, dtype in _OUTPUTS[part].items()}
        for at in range(0, len(frame), _CHUNK_ROWS):
            chunk = backend.to_backend(_raw(frame[at : at + _CHUNK_ROWS], part))
            transformed = backend.to_pandas(getattr(self, part).transform(chunk))
            for name, values in features.items():
                values[at : at + _CHUNK_ROWS] = transformed[name]
        return pd.DataFrame(features, index=frame.index, copy=False)

    def save(self, directory: str | Path) -> None:
        """Writes each workflow, with its vocabularies, to a folder of its own that can be moved.

        Args:
            directory: Will hold user/, item/, context/ and full/, which `nvtabular.Workflow.load` reads too.
        """
        for part in PARTS:
            workflow = getattr(self, part)
            categorifies = _categorifies(workflow)
            paths = [(op.out_path, op.categories) for op in categorifies]
            workflow.save(str(Path(directory) / part))  # points the operators at the copy that it makes
            for op, (out_path, categories) in zip(categorifies, paths, strict=True):
                op.out_path, op.categories = out_path, categories


def fit(train_rows: pd.DataFrame | RowFile, items: pd.DataFrame, out_dir: str | Path) -> Workflows:
    """Fits the workflows and saves them.

    Args:
        train_rows: Raw training rows (`recsys.features.training.training_rows`), masked or not. Those of a
            file are read a part at a time, on the Dask cluster where there is one
            (`recsys.features.backend.cluster`).
        items: The whole catalogue, columns of `schema.ITEM_RAW`.
        out_dir: Where the vocabularies and the workflows are written; `load` reads it.

    Returns:
        The fitted workflows.
    """
    out_dir = Path(out_dir).absolute()
    vocabularies = out_dir / "vocabularies"
    vocabularies.mkdir(parents=True, exist_ok=True)
    fitted: dict[str, Any] = {
        name: _fit_categorify(name, train_rows, vocabularies)
        for name in ("user_id", "gender", "top_category", "device_type")
    }
    for name in ("item_id", "category_l1", "category_l2", "item_gender"):
        fitted[name] = _fit_categorify(name, items, vocabularies)
    fitted["age"] = _fit_normalize(["age"], backend.column(train_rows, "age", np.float32, known="user_id"))
    prices = backend.column(items, "price", np.float32)
    fitted["price"] = _fit_normalize(["price"] >> ops.LogOp(), prices)
    workflows = _compose(fitted)
    workflows.save(out_dir)
    return workflows


def load(directory: str | Path) -> Workflows:
    """Reads what `fit` or `save` wrote, wherever the folder lies now.

    The files hold pickles: load only what this project wrote, for training, never to serve.

    Raises:
        BadData: A workflow is not there.
    """
    workflows = {}
    for part in PARTS:
        path = Path(directory).absolute() / part
        if not (path / "workflow.pkl").is_file():
            raise BadData(str(path), "holds no fitted workflow", "Fit and save the workflows first")
        workflows[part] = nvt.Workflow.load(str(path))
        # Categorify remembers absolute paths; NVTabular rewrites them by text, which misses some moves.
        for op in _categorifies(workflows[part]):
            op.out_path = str(path)
            op.categories = {
                column: str(path / "categories" / Path(file).name) for column, file in op.categories.items()
            }
    clean_worker_cache()  # NVTabular caches vocabularies by path: others may have lain here
    return Workflows(**workflows)


def cardinalities(workflows: Workflows) -> dict[str, int]:
    """Number of codes of each categorical feature, the reserved ones included: its embedding's rows."""
    return {
        column.name: int(column.int_domain.max) + 1
        for column in workflows.full.output_schema.select_by_tag(Tags.CATEGORICAL)
    }


def _fit_categorify(name: str, rows: pd.DataFrame | RowFile, vocabularies: Path) -> ops.Categorify:
    op = ops.Categorify(out_path=str(vocabularies))
    if not _any_known(rows, name):
        rows = pd.DataFrame({name: _NOTHING_KNOWN})
    nvt.Workflow([name] >> op).fit(backend.column(rows, name, np.int64, known=name))
    return op


def _any_known(rows: pd.DataFrame | RowFile, name: str) -> bool:
    if isinstance(rows, RowFile):
        return rows.count(name, schema.UNKNOWN) < len(rows)
    return bool((rows[name] != schema.UNKNOWN).any())


def _fit_normalize(upstream: Any, values: Dataset) -> ops.Normalize:
    op = ops.Normalize(out_dtype=np.float32)
    nvt.Workflow(upstream >> op).fit(values)
    return op


def _compose(fitted: dict[str, Any]) -> Workflows:
    """Builds the four graphs over the operators fitted already, each graph with nodes of its own."""
    nodes = {
        "user": lambda: _user(fitted),
        "item": lambda: _item(fitted),
        "context": lambda: _context(fitted),
        "full": lambda: _user(fitted) + _context(fitted) + _item(fitted),
    }
    workflows = {}
    for part, node in nodes.items():
        raw = [ColumnSchema(name, dtype=_raw_dtype(name)) for name in _INPUTS[part]]
        workflows[part] = nvt.Workflow(node()).fit_schema(Schema(raw))
    return Workflows(**workflows)


def _user(fitted: dict[str, Any]) -> Any:
    last = len(schema.AGE_BOUNDARIES)
    bucket = {"name": "age_bucket", "min": 0, "max": last}
    sizes = {"cardinality": last + 1, "dimension": 16}
    age_bucket = ["age"] >> _AgeBucket(list(schema.AGE_BOUNDARIES)) >> ops.Rename(name="age_bucket")
    return (
        _category("user_id", fitted, Tags.USER_ID)
        + _category("gender", fitted, Tags.USER)
        + _category("top_category", fitted, Tags.USER)
        + (age_bucket >> ops.AddMetadata([Tags.USER], {"domain": bucket, "embedding_sizes": sizes}))
        + (["age"] >> fitted["age"] >> ops.AddMetadata([Tags.USER]))
    )


def _item(fitted: dict[str, Any]) -> Any:
    return (
        _category("item_id", fitted, Tags.ITEM_ID)
        + _category("category_l1", fitted, Tags.ITEM)
        + _category("category_l2", fitted, Tags.ITEM)
        + _category("item_gender", fitted, Tags.ITEM)
        + (["price"] >> ops.LogOp() >> fitted["price"] >> ops.AddMetadata([Tags.ITEM]))
    )


def _context(fitted: dict[str, Any]) -> Any:
    node = _category("device_type", fitted, Tags.CONTEXT)
    for name, function in CLOCK.items():
        moment = ["timestamp"] >> ops.LambdaOp(function, dtype=np.float32) >> ops.Rename(name=name)
        node += moment >> ops.AddMetadata([Tags.CONTEXT, Tags.CONTINUOUS])
    return node


def _category(name: str, fitted: dict[str, Any], tag: Tags) -> Any:
    # The vocabulary's path is of this machine and moment: nothing of a model should hold it.
    return [name] >> fitted[name] >> ops.AddMetadata([tag], {"cat_path": ""})


def _categorifies(workflow: nvt.Workflow) -> list[ops.Categorify]:
    return [node.op for node in iter_nodes([workflow.output_node]) if isinstance(node.op, ops.Categorify)]


def _raw_dtype(name: str) -> type:
    return np.float32 if name in _FLOATS else np.int64


def _check_raw(frame: pd.DataFrame, part: Part) -> None:
    for name in _INPUTS[part]:
        if name not in frame:
            raise BadData(f"column {name}", f"not among {list(frame.columns)}", "Use training_rows")
        dtype = frame[name].dtype
        # A float or nullable column may hold nulls, and a cast would make ids of them.
        if name not in _FLOATS and not (isinstance(dtype, np.dtype) and dtype.kind in "iu"):
            raise BadData(f"column {name}", f"holds {dtype}", "Give integers, -1 where unknown")


def _raw(frame: pd.DataFrame, part: Part) -> pd.DataFrame:
    """The part's raw columns, index from 0, in the dtypes that the array form computes in too."""
    return pd.DataFrame({name: frame[name].to_numpy(_raw_dtype(name)) for name in _INPUTS[part]})
