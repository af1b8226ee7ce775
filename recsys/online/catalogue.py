"""A release's items for answers: what is shown of each, its categories and stock, and how popular it was."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from recsys import schema
from recsys.errors import BadData
from recsys.release.store import ReleaseStore

_FIX: Final = "Publish the release again"
_KEPT: Final = 3


@dataclass(frozen=True)
class Catalogue:
    """The n items of one release, in the order of its tables.

    Attributes:
        release: Its number.
        item_ids: int64 [n], the shop's ids.
        category_l1: int64 [n].
        category_l2: int64 [n].
        price: float32 [n].
        stock: int64 [n]; None where the shop gives no stock.
        popularity: float32 [n], interactions in the training window.
        texts: Columns sku, title, category_l1_name, category_l2_name [n], those that the shop gives.
    """

    release: int
    item_ids: NDArray[np.int64]
    category_l1: NDArray[np.int64]
    category_l2: NDArray[np.int64]
    price: NDArray[np.float32]
    stock: NDArray[np.int64] | None
    popularity: NDArray[np.float32]
    texts: dict[str, list[str | None]]

    def __post_init__(self) -> None:
        order = np.argsort(self.item_ids, kind="stable")
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_sorted", self.item_ids[order])

    def indexes(self, item_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of items.

        Args:
            item_ids: int64 [m], any.

        Returns:
            int64 [m]; -1 for an item that the release does not know.
        """
        order: NDArray[np.int64] = self.__dict__["_order"]
        ids: NDArray[np.int64] = self.__dict__["_sorted"]
        place = np.minimum(np.searchsorted(ids, item_ids), len(ids) - 1)
        return np.where(ids[place] == item_ids, order[place], schema.NO_ITEM)

    def category_mask(self, category: int | str) -> NDArray[np.bool_]:
        """The items of a category.

        Args:
            category: A category_l1, or the name of a category of either level in any case of letters.

        Returns:
            bool [n].
        """
        if isinstance(category, int):
            return np.asarray(self.category_l1 == category)
        l1, l2 = self.category_codes(category)
        mask: NDArray[np.bool_] = np.isin(self.category_l1, l1) | np.isin(self.category_l2, l2)
        return mask

    def category_codes(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The categories that bear a name.

        Args:
            name: In any case of letters.

        Returns:
            Codes of the first and of the second level.
        """
        wanted = name.casefold()
        l1 = self._codes("category_l1", self.category_l1).get(wanted, [])
        l2 = self._codes("category_l2", self.category_l2).get(wanted, [])
        return tuple(l1), tuple(l2)

    def card(self, index: int) -> dict[str, Any]:
        """What is shown of one item.

        Args:
            index: Its row.
        """
        card: dict[str, Any] = {
            "item_id": int(self.item_ids[index]),
            "category_l1": int(self.category_l1[index]),
            "category_l2": int(self.category_l2[index]),
            "price": round(float(self.price[index]), 2),
        }
        for name in ("sku", "title", "category_l1_name", "category_l2_name"):
            card[name] = self.texts[name][index] if name in self.texts else None
        return card

    def _codes(self, level: str, codes: NDArray[np.int64]) -> dict[str, list[int]]:
        """Names of a level's categories and the codes that bear them; worked out once."""
        cache = self.__dict__.setdefault("_names", {})
        if level not in cache:
            found: dict[str, set[int]] = {}
            for name, code in zip(self.texts.get(f"{level}_name", []), codes.tolist(), strict=False):
                if name is not None:
                    found.setdefault(name.casefold(), set()).add(code)
            cache[level] = {name: sorted(members) for name, members in found.items()}
        names: dict[str, list[int]] = cache[level]
        return names

    @classmethod
    def load(cls, folder: Path, release: int) -> Catalogue:
        """Read a release's catalogue.

        Args:
            folder: The release's.
            release: Its number.

        Raises:
            BadData: A file is missing, damaged or does not fit the others.
        """
        try:
            table = pq.read_table(folder / schema.CATALOGUE_FILE)
            popularity = np.load(folder / schema.POPULARITY_FILE, allow_pickle=False)
            columns = {name: table.column(name).to_numpy() for name in schema.ITEM_COLUMNS}
        except (OSError, ValueError, KeyError) as error:  # pyarrow and numpy raise these for damaged files
            raise BadData(str(folder), " ".join(str(error).split())[:200], _FIX) from error
        if not len(table) or popularity.shape != (len(table),):
            raise BadData(str(folder), "catalogue and popularity do not fit", _FIX)
        names = [name for name in schema.ITEM_OPTIONAL_COLUMNS if name in table.column_names]
        texts = {name: table.column(name).to_pylist() for name in names if name != "current_stock"}
        stock = None
        if "current_stock" in names:
            stock = table.column("current_stock").to_numpy().astype(np.int64)
        return cls(
            release,
            columns["item_id"].astype(np.int64),
            columns["category_l1"].astype(np.int64),
            columns["category_l2"].astype(np.int64),
            columns["price"].astype(np.float32),
            stock,
            popularity.astype(np.float32),
            texts,
        )


class Catalogues:
    """The catalogues of the releases that answers come from; the last few are kept in memory.

    Args:
        root: Folder of the releases.
    """

    def __init__(self, root: Path) -> None:
        self._store = ReleaseStore(root)
        self._loaded: OrderedDict[int, Catalogue] = OrderedDict()

    def of(self, release: int) -> Catalogue:
        """The catalogue of a release.

        Args:
            release: Its number.

        Raises:
            BadData: The release is missing or damaged.
        """
        if release not in self._loaded:
            self._loaded[release] = Catalogue.load(self._store.path(release), release)
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(release)
        return self._loaded[release]

    def current(self) -> Catalogue | None:
        """The catalogue of the current release; None before the first.

        Raises:
            BadData: The release is damaged.
        """
        number = self._store.current()
        return None if number is None else self.of(number)
