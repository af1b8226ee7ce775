"""Fitted NVTabular workflows to the arrays that serving reads (`recsys.features.arrays`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import nvtabular as nvt
import pandas as pd
from merlin.dag import Node
from merlin.dag.ops.concat_columns import ConcatColumns
from merlin.dag.ops.selection import SelectionOp
from merlin.dag.ops.subset_columns import SubsetColumns
from nvtabular import ops

from recsys import schema
from recsys.errors import BadUse
from recsys.features.arrays import CLOCK, FORMAT

if TYPE_CHECKING:
    from recsys.features.workflows import Workflows

_STRUCTURAL = (ConcatColumns, SelectionOp, SubsetColumns, ops.Rename, ops.AddMetadata)
"""Operators that name or describe columns and leave their values alone."""


def export_arrays(workflows: Workflows, out_dir: str | Path) -> None:
    """Writes the user, item and context workflow to six files, `schema.*_WORKFLOW` with .json and .npz.

    Args:
        workflows: The fitted workflows.
        out_dir: Made if absent.

    Raises:
        BadUse: As `export`.
    """
    export(workflows.user, out_dir, schema.USER_WORKFLOW)
    export(workflows.item, out_dir, schema.ITEM_WORKFLOW)
    export(workflows.context, out_dir, schema.CONTEXT_WORKFLOW)


def export(workflow: nvt.Workflow, out_dir: str | Path, name: str) -> None:
    """Writes one fitted workflow as `<name>.json` and `<name>.npz`.

    The same workflow gives the same bytes.

    Args:
        workflow: Fitted, of operators that the array form knows.
        out_dir: Made if absent.
        name: Of the files.

    Raises:
        BadUse: An operator, or an option of it, has no array form.
    """
    arrays: dict[str, np.ndarray] = {}
    outputs: dict[str, dict[str, Any]] = {}
    for column in workflow.output_schema:
        source, steps = _trace(workflow.output_node, column.name, arrays)
        dtype = np.dtype(column.dtype.to_numpy).name
        outputs[column.name] = {"input": source, "dtype": dtype, "steps": steps}
    sources = {chain["input"] for chain in outputs.values()}
    inputs = {
        column.name: np.dtype(column.dtype.to_numpy).name
        for column in workflow.input_schema
        if column.name in sources
    }
    directory = Path(out_dir)
    directory.mkdir(parents=True, exist_ok=True)
    spec = {"format": FORMAT, "inputs": inputs, "outputs": outputs}
    (directory / f"{name}.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
    np.savez(directory / f"{name}.npz", **arrays)


def _trace(node: Node, column: str, arrays: dict[str, np.ndarray]) -> tuple[str, list[dict[str, Any]]]:
    """Follows a column from a node's output back to the input it is made from.

    Args:
        node: Gives the column.
        column: Its name there.
        arrays: Receives the vocabularies met on the way.

    Returns:
        The input's name and the steps from it to the column, first to last.
    """
    mapping = node.op.column_mapping(node.input_columns)
    (source,) = mapping.get(column, [column])
    step = _step(node.op, source, arrays)
    for parent in node.parents_with_dependencies:
        if source in parent.output_schema.column_names:
            root, steps = _trace(parent, source, arrays)
            break
    else:
        root, steps = source, []
    return root, steps if step is None else [*steps, step]


def _step(op: Any, column: str, arrays: dict[str, np.ndarray]) -> dict[str, Any] | None:
    """What an operator does to a column's values, None where it leaves them alone."""
    if isinstance(op, _STRUCTURAL):
        return None
    if isinstance(op, ops.Categorify):
        _refuse_options(op)
        arrays[f"{column}.values"], arrays[f"{column}.codes"] = _vocabulary(op, column)
        return {"op": "categorify", "vocabulary": column}
    if isinstance(op, ops.Normalize):
        std = op.stds[column]
        # NVTabular leaves a constant column's scale alone; one value's deviation is NaN.
        return {"op": "normalize", "mean": op.means[column], "scale": std if std > 0 else 1.0}
    if isinstance(op, ops.Bucketize):
        return {"op": "bucketize", "boundaries": list(op.boundaries(column))}
    if isinstance(op, ops.LogOp):
        return {"op": "log"}
    if isinstance(op, ops.LambdaOp) and op.f in CLOCK.values():
        return {"op": "clock", "function": op.f.__name__}
    raise BadUse(
        f"operator {op.label} on column {column}",
        "it has no array form",
        "Teach recsys.features.arrays and recsys.features.export its step",
    )


def _refuse_options(op: ops.Categorify) -> None:
    options = {
        "num_buckets": op.num_buckets,
        "single_table": op.single_table,
        "combo": op.encode_type == "combo",
    }
    used = [name for name, value in options.items() if value]
    if used:
        raise BadUse(
            f"Categorify with {used}", "it has no array form", "Fit Categorify without these options"
        )


def _vocabulary(op: ops.Categorify, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Known values, sorted, and the code of each.

    NVTabular keeps a vocabulary as a parquet file whose index is the code.
    """
    table = pd.read_parquet(op.categories[column])[column].dropna()
    order = np.argsort(table.to_numpy(np.int64), kind="stable")
    return table.to_numpy(np.int64)[order], table.index.to_numpy(np.int64)[order]
