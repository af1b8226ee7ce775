"""Everything that a release says of its items, one row each: read, made longer, written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.encoders.catalogue import FAULTS_FILE, IMAGE_MISSING_FILE, MultimodalTables, encode_items
from recsys.errors import BadData
from recsys.features.feast_offline import EVENT_TIMESTAMP
from recsys.release.assemble import FEAST_DIR
from recsys.release.item_file import ItemFile
from recsys.serving.catalogue import Catalogue, Popularity

_VIEW: Final = f"{FEAST_DIR}/item_features.parquet"
_TEXTS: Final = ("title", "category_l1_name", "category_l2_name", "product_description")


@dataclass(frozen=True)
class ItemTables:
    """Tables of n items, row i that of item index i.

    Attributes:
        folder: The release that they were read from: it holds the fitted encoders.
        raw: Columns of `schema.ITEM_RAW`, [n] each.
        image: float32 [n, 64].
        text: float32 [n, 64].
        image_missing: bool [n].
        image_faults: What is wrong with images that are there, by item id.
        popularity: float32 [n].
        catalogue: What is shown of an item.
        feast: Rows of Feast's item view, in any order.
    """

    folder: Path
    raw: dict[str, np.ndarray]
    image: np.ndarray
    text: np.ndarray
    image_missing: np.ndarray
    image_faults: dict[int, str]
    popularity: np.ndarray
    catalogue: pd.DataFrame
    feast: pd.DataFrame

    @property
    def ids(self) -> np.ndarray:
        """The shop's ids, int64 [n]."""
        return self.raw["item_id"]

    @classmethod
    def load(cls, folder: Path) -> ItemTables:
        """Reads a release's tables.

        Raises:
            BadData: One cannot be read, or is of another catalogue.
        """
        catalogue = Catalogue.load(folder)
        try:
            vectors = MultimodalTables.load(folder)
            shown, feast = pd.read_parquet(folder / schema.CATALOGUE_FILE), pd.read_parquet(folder / _VIEW)
        except (OSError, ValueError) as error:
            raise BadData(str(folder), f"an item table cannot be read ({error})", "Train again") from error
        count = len(catalogue.item_ids)
        lengths = {len(vectors.image), len(vectors.text), len(vectors.image_missing), len(shown)}
        if lengths != {count}:
            raise BadData(str(folder), f"item tables of {sorted(lengths)} rows, not {count}", "Train again")
        return cls(
            folder=folder,
            raw=catalogue.features(folder),
            image=vectors.image,
            text=vectors.text,
            image_missing=vectors.image_missing,
            image_faults=vectors.image_faults,
            popularity=Popularity.load(folder, count).counts,
            catalogue=shown,
            feast=feast,
        )

    def places(self, ids: np.ndarray) -> np.ndarray:
        """Item indexes of the shop's ids, int64 [m]; -1 for those that are not there."""
        return Catalogue(self.ids).encode(ids)

    def with_items(self, given: ItemFile, place: np.ndarray) -> tuple[ItemTables, np.ndarray]:
        """The tables with these items: new ones behind the others, in the file's order.

        Of an item that was there, what the file does not say stays: its popularity, its image where there is
        no new one, its text where the file has no texts.

        Args:
            given: m items.
            place: `places` of their ids.

        Returns:
            The tables, and the item index of each of the m items.
        """
        made = encode_items(self.folder, given.items, given.descriptions, given.pictures)
        rows = place.copy()
        rows[place < 0] = len(self.ids) + np.arange(int((place < 0).sum()))
        pictured = (place < 0) | np.array([path is not None for path in given.pictures])
        told = (place < 0) | any(name in given.items for name in _TEXTS)
        grown = ItemTables(
            folder=self.folder,
            raw={
                name: _put(old, rows, given.items[name].to_numpy(old.dtype)) for name, old in self.raw.items()
            },
            image=_put(self.image, rows, made.image, pictured),
            text=_put(self.text, rows, made.text, told),
            image_missing=_put(self.image_missing, rows, made.image_missing, pictured),
            image_faults={**self.image_faults, **made.image_faults},
            popularity=_put(self.popularity, rows, np.zeros(len(rows), np.float32), place < 0),
            catalogue=_shown(self.catalogue, rows, given.items),
            feast=_view(self.feast, given.items),
        )
        return grown, rows

    def save(self, folder: Path) -> None:
        """Writes every table under its name in a release."""
        np.save(folder / schema.ITEM_IDS_FILE, self.ids)
        np.savez(folder / schema.ITEM_FEATURES_FILE, **self.raw)
        np.save(folder / schema.IMAGE_EMBEDDINGS_FILE, self.image)
        np.save(folder / schema.TEXT_EMBEDDINGS_FILE, self.text)
        np.save(folder / IMAGE_MISSING_FILE, self.image_missing)
        (folder / FAULTS_FILE).write_text(json.dumps(self.image_faults), encoding="utf-8")
        np.save(folder / schema.POPULARITY_FILE, self.popularity)
        self.catalogue.to_parquet(folder / schema.CATALOGUE_FILE, index=False)
        (folder / FEAST_DIR).mkdir(exist_ok=True)
        self.feast.to_parquet(folder / _VIEW, index=False)


def _put(old: np.ndarray, rows: np.ndarray, new: np.ndarray, where: np.ndarray | bool = True) -> np.ndarray:
    """A copy of `old`, long enough for all `rows`, with `new` in those where it is wanted."""
    length = max(len(old), int(rows.max()) + 1)
    grown = np.zeros((length, *old.shape[1:]), old.dtype)
    grown[: len(old)] = old
    wanted = np.broadcast_to(where, rows.shape)
    grown[rows[wanted]] = new[wanted]
    return grown


def _shown(catalogue: pd.DataFrame, rows: np.ndarray, items: pd.DataFrame) -> pd.DataFrame:
    """The catalogue with the file's columns in their rows; a text that is not known is empty."""
    known = {**schema.ITEM_COLUMNS, **schema.ITEM_OPTIONAL_COLUMNS}
    found = {}
    for name in (name for name in known if name in catalogue or name in items):
        dtype = known[name]
        nothing = np.array("" if dtype.kind == "O" else schema.UNKNOWN, dtype)
        length = max(len(catalogue), int(rows.max()) + 1)
        column = np.full(length, nothing, dtype)
        if name in catalogue:
            column[: len(catalogue)] = catalogue[name].to_numpy()
        if name in items:
            column[rows] = items[name].to_numpy()
        found[name] = column
    return pd.DataFrame(found)


def _view(feast: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Feast's rows with the file's, which hold from the same time on as the others."""
    others = feast[~feast["item_id"].isin(items["item_id"])]
    new = items[list(schema.ITEM_COLUMNS)].assign(**{EVENT_TIMESTAMP: feast[EVENT_TIMESTAMP].max()})
    return pd.concat([others, new], ignore_index=True)[list(feast.columns)]
