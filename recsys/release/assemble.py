"""Puts together the folder that becomes a release, from what the training steps made."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import positives
from recsys.data.timeline import blocks_in_time
from recsys.errors import BadData
from recsys.features import feast_offline
from recsys.release.dlrm_broadcast import write_broadcast

FEAST_DIR = "feast"
"""Folder of a release with Feast's rows, one file a feature view."""

REQUIRED = (
    *(f"{name}{suffix}" for name in (schema.USER_WORKFLOW, schema.ITEM_WORKFLOW, schema.CONTEXT_WORKFLOW)
      for suffix in (".json", ".npz")),
    schema.INDEX_FILE,
    schema.INDEX_META_FILE,
    schema.QUERY_TOWER_ONNX,
    schema.CANDIDATE_TOWER_ONNX,
    schema.DLRM_ONNX,
    schema.ITEM_IDS_FILE,
    schema.ITEM_FEATURES_FILE,
    schema.IMAGE_EMBEDDINGS_FILE,
    schema.TEXT_EMBEDDINGS_FILE,
    schema.POPULARITY_FILE,
    schema.CATALOGUE_FILE,
    schema.DEFAULTS_FILE,
)  # fmt: skip
"""Every file without which a release cannot be served."""


def assemble(dataset: Dataset, days: Sequence[int], parts: Iterable[Path], out_dir: Path) -> None:
    """Copies the training steps' artefacts together and adds what comes from the data alone.

    Args:
        dataset: The validated data set; its items' order gives the item indexes.
        days: The training days.
        parts: Folders whose files go into the release under their own names.
        out_dir: The folder to fill.

    Raises:
        BadData: Two parts hold a file of one name, or a file that serving needs is in none of them.
        RecsysError: The ranker cannot be rewritten without changing its scores.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    for part in parts:
        _copy_part(part, out_dir)
    _write_catalogue(dataset, out_dir)
    np.save(out_dir / schema.POPULARITY_FILE, popularity(dataset, days))
    check_complete(out_dir)
    write_broadcast(out_dir)


def check_complete(folder: Path) -> None:
    """Looks for every file of `REQUIRED`.

    Raises:
        BadData: One is missing; names it.
    """
    missing = [name for name in REQUIRED if not (folder / name).is_file()]
    if missing:
        raise BadData(str(folder), f"{', '.join(missing)} missing", "Run the step that makes it again")


def popularity(dataset: Dataset, days: Sequence[int]) -> np.ndarray:
    """Clicks of each item over the given days, float32 [n] by item index."""
    items = pd.Index(dataset.items["item_id"])
    counts = np.zeros(len(items), dtype=np.int64)
    for block in blocks_in_time(dataset, days):
        place = items.get_indexer(positives(block)["item_id"])
        counts += np.bincount(place[place >= 0], minlength=len(items))
    return counts.astype(np.float32)


def write_feast_sources(dataset: Dataset, days: Sequence[int], out_dir: Path) -> None:
    """Writes Feast's rows as of the end of the training window: one parquet file a feature view.

    Args:
        dataset: The validated data set.
        days: The training days.
        out_dir: Gets `user_features`, `item_features` and `user_behavior_features` (the newest top
            category of each user), each `.parquet` with `event_timestamp`.
    """
    end = max(int(dataset.rows([day])["timestamp"].max()) for day in days) + 1
    newest = feast_offline.behavior_history(dataset, list(days)).drop_duplicates("user_id", keep="last")
    frames = {
        "user_features": feast_offline.user_rows(dataset, end),
        "item_features": feast_offline.item_rows(dataset, end),
        "user_behavior_features": feast_offline.behavior_rows(newest),
    }
    for view, frame in frames.items():
        feast_offline.write_part(out_dir, view, frame)


def _copy_part(part: Path, out_dir: Path) -> None:
    for source in sorted(p for p in part.rglob("*") if p.is_file()):
        target = out_dir / source.relative_to(part)
        if target.exists():
            raise BadData(str(source), "another step made a file of this name too", "Rename one of them")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _write_catalogue(dataset: Dataset, out_dir: Path) -> None:
    items = dataset.items
    np.save(out_dir / schema.ITEM_IDS_FILE, items["item_id"].to_numpy(np.int64))
    raw = {name: items[name].to_numpy(schema.ITEM_COLUMNS[name]) for name in schema.ITEM_RAW}
    np.savez(out_dir / schema.ITEM_FEATURES_FILE, **raw)
    known = (*schema.ITEM_COLUMNS, *schema.ITEM_OPTIONAL_COLUMNS)
    shown = items[[name for name in known if name in items]]
    pd.DataFrame(shown).to_parquet(out_dir / schema.CATALOGUE_FILE, index=False)
