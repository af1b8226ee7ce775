"""A shop's business rules as masks over the catalogue: category, stock, excluded items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys.errors import BadData
from recsys.schema import CATALOGUE_FILE, NO_ITEM, UNKNOWN
from recsys.serving.catalogue import Catalogue
from recsys.serving.stage import Arrays

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RuleTable:
    """What rules are decided by, [n] each, in the order of the release's catalogue.

    Attributes:
        catalogue: The shop's ids.
        category_l1: int64 [n].
        category_l2: int64 [n].
        in_stock: bool [n]; None where the shop gives no stock, which counts as enough.
    """

    catalogue: Catalogue
    category_l1: NDArray[np.int64]
    category_l2: NDArray[np.int64]
    in_stock: Mask | None = None

    @classmethod
    def load(cls, artefacts: Path) -> RuleTable:
        """Read a release's items.

        Raises:
            BadData: A file is missing, damaged or of another catalogue.
        """
        catalogue = Catalogue.load(artefacts)
        columns = catalogue.features(artefacts)
        stock = _in_stock(artefacts / CATALOGUE_FILE, catalogue.item_ids)
        return cls(catalogue, columns["category_l1"], columns["category_l2"], stock)

    def masks(self, inputs: Arrays) -> dict[int, Mask]:
        """What each request may be answered with.

        Args:
            inputs: only_category_l1 and only_category_l2 int64 [B, 8], -1 at pads: an item must be of one of
                these, of either level, where there are any; in_stock_only int32 [B, 1]; exclude int64
                [B, 1000], the shop's ids, -1 at pads.

        Returns:
            Row -> bool [n], for the rows that have any rule.
        """
        l1, l2 = inputs["only_category_l1"], inputs["only_category_l2"]
        exclude, stocked = inputs["exclude"], inputs["in_stock_only"].reshape(-1) != 0
        limited = (l1 != UNKNOWN).any(axis=1) | (l2 != UNKNOWN).any(axis=1)
        excluding = (exclude != NO_ITEM).any(axis=1)
        masks = {}
        for row in np.flatnonzero(limited | excluding | stocked).tolist():
            mask = np.ones(len(self.catalogue.item_ids), np.bool_)
            if limited[row]:
                mask = _among(self.category_l1, l1[row]) | _among(self.category_l2, l2[row])
            if stocked[row] and self.in_stock is not None:
                mask &= self.in_stock
            if excluding[row]:
                mask &= ~_among(self.catalogue.item_ids, exclude[row])
            masks[row] = mask
        return masks


def _among(values: NDArray[np.int64], wanted: NDArray[np.int64]) -> Mask:
    """Which values are wanted; pads want nothing."""
    mask: Mask = np.isin(values, wanted[wanted != NO_ITEM])
    return mask


def _in_stock(path: Path, item_ids: NDArray[np.int64]) -> Mask | None:
    """Which items are in stock, if the release holds a catalogue that says so."""
    if not path.is_file():
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
        if "current_stock" not in names:
            return None
        table = pq.read_table(path, columns=["item_id", "current_stock"])
    except (OSError, pa.ArrowException) as error:
        cause = " ".join(str(error).split())[:200]
        raise BadData(str(path), f"cannot be read ({cause})", "Build the release again") from error
    if not np.array_equal(table.column("item_id").to_numpy(), item_ids):
        raise BadData(str(path), "is not in the order of the item ids", "Build the release again")
    stock: Mask = table.column("current_stock").to_numpy() > 0
    return stock
