"""A fine-tuned release: its parent's files, but for what has learned."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.data.splits import positives
from recsys.release import dlrm_broadcast
from recsys.release.assemble import FEAST_DIR, check_complete, write_feast_sources
from recsys.release.digest import files_under

_MADE_ANEW = (schema.MANIFEST_FILE, *dlrm_broadcast.FILES, schema.POPULARITY_FILE, f"{FEAST_DIR}/")


def assemble_daily(
    parent_dir: Path, dataset: Dataset, new_days: Sequence[int], parts: Iterable[Path], out_dir: Path
) -> None:
    """Copies the parent's files and puts the fine-tuned ones in their place.

    Items, index, candidate tower and workflows stay byte for byte, so that the store keeps them once. Clicks
    of the new days are added to the items' popularity, and Feast's rows are those of the last new day's end.

    Args:
        parent_dir: The parent's folder.
        dataset: The validated data set.
        new_days: The days that were learned.
        parts: Folders whose files take the place of the parent's.
        out_dir: The folder to fill.

    Raises:
        BadData: A file that serving needs is missing.
        RecsysError: The ranker cannot be rewritten without changing its scores.
    """
    for source in files_under(parent_dir):
        name = source.relative_to(parent_dir).as_posix()
        if not name.startswith(_MADE_ANEW):
            _copy(source, out_dir / name)
    for part in parts:
        for folder in (p for p in part.glob("savedmodels/*") if p.is_dir()):
            shutil.rmtree(out_dir / folder.relative_to(part), ignore_errors=True)  # its files vary in number
        for source in files_under(part):
            _copy(source, out_dir / source.relative_to(part))
    counts = np.load(parent_dir / schema.POPULARITY_FILE) + _clicks(dataset, new_days, out_dir)
    np.save(out_dir / schema.POPULARITY_FILE, counts.astype(np.float32))
    write_feast_sources(dataset, [d for d in dataset.days if d <= max(new_days)], out_dir / FEAST_DIR)
    check_complete(out_dir)
    dlrm_broadcast.write_broadcast(out_dir)


def _clicks(dataset: Dataset, days: Sequence[int], release_dir: Path) -> np.ndarray:
    """Clicks of each of the release's items, [n]."""
    clicked = positives(dataset.interactions(days))["item_id"].value_counts()
    found: np.ndarray = clicked.reindex(np.load(release_dir / schema.ITEM_IDS_FILE), fill_value=0).to_numpy()
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
