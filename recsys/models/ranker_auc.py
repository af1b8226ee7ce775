"""How well the exported ranker tells clicks from what was not clicked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import valid_days
from recsys.features.arrays import ArrayWorkflow
from recsys.features.popularity import PopularityLog
from recsys.features.recents import ClickLog
from recsys.features.training import feature_rows
from recsys.models import calibration, metrics
from recsys.serving.onnx_model import OnnxModel

_ROWS: Final = 4_096
_INPUTS: Final = (
    *schema.USER_FEATURES,
    *schema.CONTEXT_FEATURES,
    *schema.ITEM_FEATURES,
    *schema.EMBEDDING_FEATURES,
    *schema.RECENT_FEATURES,
    schema.ITEM_POPULARITY,
    "user_embedding",
)
_TOWER_INPUTS: Final = (*schema.USER_FEATURES, *schema.CONTEXT_FEATURES, *schema.RECENT_FEATURES, "timestamp")


@dataclass(frozen=True)
class Pairs:
    """Rows that were clicked and rows that were not, with the ranker's score.

    Attributes:
        rows: Columns user_id, item_id, timestamp and click, among others.
        score: Float32 [rows].
        kind: What the rows not clicked are: "exposures" that were passed over, "in-batch" negatives (another
            click's item) or "uniform" ones (any item).
    """

    rows: pd.DataFrame
    score: np.ndarray
    kind: str

    @property
    def label(self) -> np.ndarray:
        """1 clicked, 0 not, [rows]."""
        found: np.ndarray = self.rows["click"].to_numpy()
        return found

    @property
    def user(self) -> np.ndarray:
        """The shop's user ids, int64 [rows]."""
        found: np.ndarray = self.rows["user_id"].to_numpy()
        return found

    @property
    def probability(self) -> np.ndarray:
        """The chance of a click that the score states, float64 [rows].

        A score is a softsign of the logarithm of how many times likelier the item is clicked than one taken
        at random (`recsys.models.dlrm.Ranker.score`); among as many random items that is a logit.
        """
        stated = 2 * self.score.astype(np.float64) - 1
        logit = stated / np.maximum(1 - np.abs(stated), 1e-6)
        chance: np.ndarray = 1 / (1 + np.exp(-np.clip(logit, -500, 500)))
        return chance

    def auc(self) -> float:
        """Area under the ROC curve."""
        return metrics.auc(self.score, self.label)


def pairs(
    release_dir: Path,
    dataset: Dataset,
    clicks: pd.DataFrame,
    history: pd.DataFrame,
    *,
    rows: int,
    seed: int,
    popularity: PopularityLog | None = None,
) -> Pairs:
    """Scores rows that a good ranker tells apart.

    Where the data has exposures: clicked and passed-over rows of the validation days; else clicks and the
    same rows with another click's item (in-batch negatives).

    Args:
        release_dir: A release's artefacts.
        dataset: The data set.
        clicks: Clicked rows with their features, in random order.
        history: Interactions that `top_category` and the newest clicks are taken from.
        rows: How many at most.
        seed: Of the draws.
        popularity: Of the items at any time, for a ranker that is told; None: nothing is popular yet.
    """
    shown = dataset.rows(valid_days(dataset))
    if "click" in shown and (shown["click"] == 0).any():
        sample = feature_rows(dataset, shown.sample(min(rows, len(shown)), random_state=seed), history)
        return Pairs(sample, _of_click(release_dir, sample, history, popularity), "exposures")
    positive = clicks.head(rows // 2)
    other = np.random.default_rng(seed).permutation(len(positive))
    found = _against(positive, positive.iloc[other])
    return Pairs(found, _of_click(release_dir, found, history, popularity), "in-batch")


def uniform_pairs(
    release_dir: Path,
    dataset: Dataset,
    clicks: pd.DataFrame,
    history: pd.DataFrame | None = None,
    *,
    rows: int,
    seed: int,
    popularity: PopularityLog | None = None,
) -> Pairs:
    """Scores clicks and the same rows with any item of the catalogue: what the score's scale is defined by.

    Args:
        release_dir: A release's artefacts.
        dataset: The data set.
        clicks: Clicked rows with their features, in random order.
        history: Interactions that users' newest clicks are taken from; None: nobody has any.
        rows: How many at most.
        seed: Of the draws.
        popularity: Of the items at any time, for a ranker that is told; None: nothing is popular yet.
    """
    positive = clicks.head(rows // 2)
    other = np.random.default_rng(seed).integers(len(dataset.items), size=len(positive))
    found = _against(positive, dataset.items.iloc[other])
    return Pairs(found, _of_click(release_dir, found, history, popularity), "uniform")


def _against(positive: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """The rows, and the rows once more with other items."""
    negative = positive.assign(click=0, **{name: items[name].to_numpy() for name in schema.ITEM_RAW})
    return pd.concat([positive, negative], ignore_index=True)


def heads(
    release_dir: Path,
    clicks: pd.DataFrame,
    history: pd.DataFrame,
    rows: int,
    popularity: PopularityLog | None = None,
) -> dict[str, dict[str, float]]:
    """How well each head tells which clicks go further, and whether its chance is one.

    Args:
        release_dir: A release's artefacts.
        clicks: Clicked rows with their features and `schema.EVENT`, in random order.
        history: Interactions that users' newest clicks are taken from.
        rows: How many at most.
        popularity: As for `pairs`.

    Returns:
        {head: {"auc", "ece", "log_loss", "share" of the clicks that go so far, "rows"}}; without the heads
        that the ranker does not have, and those of which no click tells.
    """
    there = _outputs(release_dir)
    told = clicks[clicks[schema.EVENT] != schema.UNKNOWN].head(rows) if schema.EVENT in clicks else clicks[:0]
    found = {}
    for reached, name in enumerate(schema.HEADS, start=1):
        label = (told[schema.EVENT].to_numpy() >= reached).astype(np.int8) if len(told) else np.empty(0)
        if name not in there or not label.any():
            continue
        chance = score(release_dir, told, history, name, popularity)
        fit = calibration.reliability(chance, label)
        own = {"auc": metrics.auc(chance, label), "ece": fit["ece"], "log_loss": fit["log_loss"]}
        found[name] = own | {"share": float(label.mean()), "rows": float(len(label))}
    return found


def _of_click(
    release_dir: Path, rows: pd.DataFrame, history: pd.DataFrame | None, popularity: PopularityLog | None
) -> np.ndarray:
    """The click's own score, also where carts and purchases are worth something in what is ordered by."""
    output = "click" if "click" in _outputs(release_dir) else "score"
    return score(release_dir, rows, history, output, popularity)


def _outputs(release_dir: Path) -> set[str]:
    session = onnxruntime.InferenceSession(release_dir / schema.DLRM_ONNX, providers=["CPUExecutionProvider"])
    return {port.name for port in session.get_outputs()}


def score(
    release_dir: Path,
    rows: pd.DataFrame,
    history: pd.DataFrame | None = None,
    output: str = "score",
    popularity: PopularityLog | None = None,
) -> np.ndarray:
    """The exported ranker's score of raw rows.

    Args:
        release_dir: A release's artefacts.
        rows: Columns of `schema.USER_RAW`, `CONTEXT_RAW` and `ITEM_RAW`.
        history: Interactions that users' newest clicks are taken from; None: nobody has any.
        output: Which of the ranker's.
        popularity: As for `pairs`.

    Returns:
        float32 [rows].
    """
    model = OnnxModel(release_dir / schema.DLRM_ONNX, output, _INPUTS)
    tower = OnnxModel(release_dir / schema.QUERY_TOWER_ONNX, "user_embedding", _TOWER_INPUTS)
    columns: dict[str, np.ndarray] = {}
    for name in (schema.USER_WORKFLOW, schema.CONTEXT_WORKFLOW, schema.ITEM_WORKFLOW):
        workflow = ArrayWorkflow.load(release_dir, name)
        columns |= workflow.transform({column: rows[column].to_numpy() for column in workflow.inputs})
    ids = np.load(release_dir / schema.ITEM_IDS_FILE)
    item = pd.Index(ids).get_indexer(rows["item_id"])
    log = ClickLog.empty() if history is None else ClickLog.build(history, ids)
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
        batch["timestamp"] = rows["timestamp"].to_numpy()[part, None]
        own = item[part, None]
        batch[schema.ITEM_POPULARITY] = np.zeros_like(own, np.float32)
        if popularity is not None:
            batch[schema.ITEM_POPULARITY] = popularity.before(own, rows["timestamp"].to_numpy()[part])
        batch |= log.recent(rows["user_id"][part], rows["timestamp"][part]).tensors()
        batch["user_embedding"] = tower.run(batch)
        found.append(model.run(batch)[:, 0])
    return np.concatenate(found)
