"""How well the exported ranker tells clicks from what was not clicked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import valid_days
from recsys.features.arrays import ArrayWorkflow
from recsys.features.training import feature_rows
from recsys.models import metrics
from recsys.serving.onnx_model import OnnxModel

_ROWS: Final = 4_096
_INPUTS: Final = (
    *schema.USER_FEATURES,
    *schema.CONTEXT_FEATURES,
    *schema.ITEM_FEATURES,
    *schema.EMBEDDING_FEATURES,
)


def measure(
    release_dir: Path,
    dataset: Dataset,
    clicks: pd.DataFrame,
    history: pd.DataFrame,
    *,
    rows: int,
    seed: int,
) -> dict[str, Any]:
    """Area under the ROC curve of the ranker's score.

    Where the data has exposures, of clicked against passed-over rows of the validation days; else of clicks
    against the same rows with another click's item (in-batch negatives).

    Args:
        release_dir: A release's artefacts.
        dataset: The data set.
        clicks: Clicked rows with their features, in random order.
        history: Interactions that `top_category` is computed from.
        rows: How many at most.
        seed: Of the draws.

    Returns:
        {"auc": float, "negatives": "exposures" or "in-batch"}.
    """
    shown = dataset.rows(valid_days(dataset))
    if "click" in shown and (shown["click"] == 0).any():
        sample = shown.sample(min(rows, len(shown)), random_state=seed)
        pairs, kind = feature_rows(dataset, sample, history), "exposures"
    else:
        positive = clicks.head(rows // 2)
        other = np.random.default_rng(seed).permutation(len(positive))
        negative = positive.assign(
            click=0, **{name: positive[name].to_numpy()[other] for name in schema.ITEM_RAW}
        )
        pairs, kind = pd.concat([positive, negative], ignore_index=True), "in-batch"
    return {"auc": metrics.auc(score(release_dir, pairs), pairs["click"].to_numpy()), "negatives": kind}


def score(release_dir: Path, rows: pd.DataFrame) -> np.ndarray:
    """The exported ranker's score of raw rows.

    Args:
        release_dir: A release's artefacts.
        rows: Columns of `schema.USER_RAW`, `CONTEXT_RAW` and `ITEM_RAW`.

    Returns:
        float32 [rows].
    """
    model = OnnxModel(release_dir / schema.DLRM_ONNX, "score", _INPUTS)
    columns: dict[str, np.ndarray] = {}
    for name in (schema.USER_WORKFLOW, schema.CONTEXT_WORKFLOW, schema.ITEM_WORKFLOW):
        workflow = ArrayWorkflow.load(release_dir, name)
        columns |= workflow.transform({column: rows[column].to_numpy() for column in workflow.inputs})
    item = pd.Index(np.load(release_dir / schema.ITEM_IDS_FILE)).get_indexer(rows["item_id"])
    tables = {
        name: np.load(release_dir / file, mmap_mode="r")
        for name, file in zip(
            schema.EMBEDDING_FEATURES,
            (schema.IMAGE_EMBEDDINGS_FILE, schema.TEXT_EMBEDDINGS_FILE),
            strict=True,
        )
    }
    found = []
    for at in range(0, len(rows), _ROWS):
        part = slice(at, at + _ROWS)
        batch = {name: column[part].reshape(-1, 1) for name, column in columns.items()}
        batch |= {name: table[item[part]] for name, table in tables.items()}
        found.append(model.run(batch)[:, 0])
    return np.concatenate(found)
