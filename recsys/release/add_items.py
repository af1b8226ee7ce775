"""New items without a training: a release whose models are its parent's and whose catalogue is longer.

An item that no training has seen has the code of what is out of vocabulary instead of one of its own, so the
candidate tower places it by what is known of it: text, image, price, categories. Its index is the next free
row, so it is decoded to its own id, and no other item's row moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.encoders.catalogue import FAULTS_FILE, IMAGE_MISSING_FILE
from recsys.errors import BadUse
from recsys.features.arrays import OUT_OF_VOCABULARY, ArrayWorkflow
from recsys.index.grow import extended, replaced
from recsys.index.index import Index
from recsys.release import files
from recsys.release.assemble import FEAST_DIR
from recsys.release.digest import files_under
from recsys.release.gate_report import unmeasured
from recsys.release.item_file import ItemFile
from recsys.release.item_tables import ItemTables
from recsys.release.manifest import Manifest, Verdict
from recsys.release.store import ReleaseStore
from recsys.release.vectors import item_vectors

_ITEM_VIEW: Final = f"{FEAST_DIR}/item_features.parquet"
_REWRITTEN: Final = {
    schema.MANIFEST_FILE,
    schema.INDEX_FILE,
    schema.INDEX_META_FILE,
    schema.ITEM_IDS_FILE,
    schema.ITEM_FEATURES_FILE,
    schema.IMAGE_EMBEDDINGS_FILE,
    schema.TEXT_EMBEDDINGS_FILE,
    schema.POPULARITY_FILE,
    schema.CATALOGUE_FILE,
    IMAGE_MISSING_FILE,
    FAULTS_FILE,
    _ITEM_VIEW,
}


@dataclass(frozen=True)
class Added:
    """What adding did.

    Attributes:
        release: The release that holds the items.
        parent: What it was made from; the same number where nothing was to be done.
        added: How many items are new.
        updated: How many were there before.
        unknown_categories: How many of them name a category that no training has seen.
        images_missing: How many have no image that can be read.
    """

    release: int
    parent: int
    added: int = 0
    updated: int = 0
    unknown_categories: int = 0
    images_missing: int = 0


def add_items(store: ReleaseStore, given: ItemFile, *, parent: int, update: bool = False) -> Added:
    """Publishes a release with further items; it is current when it is promoted.

    Adding the same file to what was made of it does nothing.

    Args:
        store: The releases.
        given: The items.
        parent: The release to add to.
        update: Whether items that it holds already take the file's values.

    Raises:
        BadUse: The release holds an item already and `update` is off, or is not there.
        BadData: A file of the release cannot be read, or an embedding is not finite.
    """
    fingerprint = f"items {given.fingerprint()}"
    made = _made_before(store, parent, fingerprint)
    if made is not None:
        return Added(made, made)
    folder, manifest = store.path(parent), store.show(parent)
    tables = ItemTables.load(folder)
    place = tables.places(given.ids)
    if not update and (place >= 0).any():
        held = given.ids[place >= 0]
        more = f", and {len(held) - 1} more" if len(held) > 1 else ""
        raise BadUse(
            f"item {held[0]}{more}", f"release {parent} holds it already", "Add --update to change it"
        )
    grown, rows = tables.with_items(given, place)
    found = _embed(folder, grown, rows)
    with TemporaryDirectory(dir=store.root, prefix=".items-") as temporary:
        staging = Path(temporary)
        _share(folder, staging)
        grown.save(staging)
        index = _indexed(Index.load(folder), place[place >= 0], found[place >= 0], found[place < 0])
        index.save(staging)
        number = store.publish(
            staging,
            data=manifest.data.model_copy(update={"items": len(grown.ids)}),
            metrics=manifest.metrics,
            kind="items",
            gate=_verdict(manifest, int((place < 0).sum()), int((place >= 0).sum())),
            parent=parent,
            fingerprint=fingerprint,
            settings_fingerprint=manifest.settings_fingerprint,
        )
    return Added(
        number,
        parent,
        added=int((place < 0).sum()),
        updated=int((place >= 0).sum()),
        unknown_categories=_unknown_categories(folder, given.items),
        images_missing=int(grown.image_missing[rows].sum()),
    )


def _made_before(store: ReleaseStore, current: int, fingerprint: str) -> int | None:
    """The current release if it, or one that it was made from, has taken these items up."""
    number: int | None = current
    known = store.numbers()
    while number is not None and number in known:
        manifest = store.show(number)
        if manifest.fingerprint == fingerprint:
            return current
        number = manifest.parent
    return None


def _embed(folder: Path, tables: ItemTables, rows: np.ndarray) -> np.ndarray:
    """Embeddings of some items by the release's own candidate tower, float32 [m, 64]."""
    return item_vectors(
        folder / schema.CANDIDATE_TOWER_ONNX,
        ArrayWorkflow.load(folder, schema.ITEM_WORKFLOW),
        pd.DataFrame({name: values[rows] for name, values in tables.raw.items()}),
        tables.image[rows],
        tables.text[rows],
    )


def _indexed(index: Index, held: np.ndarray, changed: np.ndarray, new: np.ndarray) -> Index:
    if len(held):
        index = replaced(index, held, changed)
    return extended(index, new) if len(new) else index


def _share(folder: Path, staging: Path) -> None:
    """Links what stays: the store keeps it once."""
    for source in files_under(folder):
        name = source.relative_to(folder).as_posix()
        if name not in _REWRITTEN:
            files.link_or_copy(source, staging / name)


def _verdict(parent: Manifest, added: int, updated: int) -> Verdict:
    """The models are the parent's, and so is what the gate said of them."""
    passed, reason = parent.gate.passed, parent.gate.reason
    note = f"models of release {parent.release}; {added} items added, {updated} updated"
    report = unmeasured(passed=passed, reason=reason, parent=parent.release, note=note)
    return Verdict(passed=passed, reason=reason, report=report)


def _unknown_categories(folder: Path, items: pd.DataFrame) -> int:
    workflow = ArrayWorkflow.load(folder, schema.ITEM_WORKFLOW)
    codes = workflow.transform({name: items[name].to_numpy() for name in schema.ITEM_RAW})
    outside = [codes[name] == OUT_OF_VOCABULARY for name in ("category_l1", "category_l2")]
    return int(np.any(outside, axis=0).sum())
