"""The release's catalogue as arrays: ids, raw columns and popularity, by item index."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.errors import BadData
from recsys.schema import ITEM_COLUMNS, ITEM_FEATURES_FILE, ITEM_IDS_FILE, ITEM_RAW, NO_ITEM, POPULARITY_FILE

_FIX = "Build the release again"


def load_array(path: Path, dtype: np.dtype, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Read an .npy file that must be as expected; never a pickle.

    Args:
        path: The file.
        dtype: What it must hold.
        shape: What shape it must have; None for any vector that is not empty.

    Raises:
        BadData: It is missing, damaged, or something else.
    """
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadData(str(path), f"cannot be read ({error})", _FIX) from error
    right_shape = array.shape == shape if shape else array.ndim == 1 and array.size > 0
    if array.dtype != dtype or not right_shape:
        wanted = f"{dtype} {list(shape) if shape else '[n]'}"
        raise BadData(str(path), f"holds {array.dtype} {list(array.shape)}, not {wanted}", _FIX)
    return array


@dataclass(frozen=True)
class Catalogue:
    """Which item stands at which index.

    Attributes:
        item_ids: int64 [n], the shop's ids.
    """

    item_ids: np.ndarray

    @classmethod
    def load(cls, artefacts: Path) -> Catalogue:
        """Read the ids of a release.

        Raises:
            BadData: The file is missing, damaged, or an id occurs twice.
        """
        path = artefacts / ITEM_IDS_FILE
        item_ids = load_array(path, np.dtype("int64"))
        if len(np.unique(item_ids)) != len(item_ids):
            raise BadData(str(path), "an item id occurs twice", _FIX)
        return cls(item_ids)

    def holds(self, items: np.ndarray) -> np.ndarray:
        """Which of these item indexes are items; bool, the same shape."""
        inside: np.ndarray = (items >= 0) & (items < len(self.item_ids))
        return inside

    def decode(self, items: np.ndarray) -> np.ndarray:
        """The shop's ids of item indexes; -1 where there is no item; int64, the same shape."""
        inside = self.holds(items)
        return np.where(inside, self.item_ids[np.where(inside, items, 0)], NO_ITEM)

    def encode(self, ids: np.ndarray) -> np.ndarray:
        """Item indexes of the shop's ids; -1 where the release has no such item; int64, the same shape."""
        order = self._order
        place = np.searchsorted(self.item_ids, ids, sorter=order)
        found = order[np.minimum(place, len(order) - 1)]
        return np.where(self.item_ids[found] == ids, found, NO_ITEM)

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.item_ids, kind="stable")

    def features(self, artefacts: Path) -> dict[str, np.ndarray]:
        """The raw columns of `schema.ITEM_RAW`, [n] each, as the release holds them.

        Raises:
            BadData: The file is missing, damaged or of another catalogue.
        """
        path = artefacts / ITEM_FEATURES_FILE
        try:
            with np.load(path, allow_pickle=False) as archive:
                columns = {name: archive[name].astype(ITEM_COLUMNS[name], copy=False) for name in ITEM_RAW}
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise BadData(str(path), f"cannot be read ({error})", _FIX) from error
        if not np.array_equal(columns["item_id"], self.item_ids):
            raise BadData(str(path), f"is not in the order of {ITEM_IDS_FILE}", _FIX)
        return columns


@dataclass(frozen=True)
class Popularity:
    """How often each item was met in training.

    Attributes:
        counts: float32 [n].
    """

    counts: np.ndarray

    @classmethod
    def load(cls, artefacts: Path, items: int) -> Popularity:
        """Read a release's popularity.

        Args:
            artefacts: Folder of the release.
            items: Size of its catalogue.

        Raises:
            BadData: The file is missing, damaged or of another catalogue.
        """
        return cls(load_array(artefacts / POPULARITY_FILE, np.dtype("float32"), (items,)))

    def top(self, count: int, allowed: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The most popular items.

        Args:
            count: How many; may exceed the catalogue.
            allowed: bool [n], which items may be among them; None for all.

        Returns:
            item indexes int64 [count], the rest -1, and scores float32 [count], log(1 + interactions),
            which are on the scale of an inner product, the rest -inf.
        """
        items = np.full(count, NO_ITEM, np.int64)
        scores = np.full(count, -np.inf, np.float32)
        order = np.argsort(-self.counts, kind="stable")
        best = (order if allowed is None else order[allowed[order]])[:count]
        items[: len(best)] = best
        scores[: len(best)] = np.log1p(self.counts[best])
        return items, scores
