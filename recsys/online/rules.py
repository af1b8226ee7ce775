"""A shop's business rules for one answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.online.catalogue import Catalogue


@dataclass(frozen=True)
class Rules:
    """Which items may be in an answer.

    Attributes:
        category: Only this category; see `Catalogue.category_mask`.
        in_stock_only: Only items of which the shop has some; where it gives no stock, all.
        exclude: Never these items.
    """

    category: int | str | None = None
    in_stock_only: bool = False
    exclude: tuple[int, ...] = ()

    def allowed(self, catalogue: Catalogue) -> NDArray[np.bool_] | None:
        """The catalogue's items that may be shown.

        Args:
            catalogue: n items.

        Returns:
            bool [n]; None when all may be.
        """
        if self == Rules():
            return None
        mask = np.ones(len(catalogue.item_ids), dtype=np.bool_)
        if self.category is not None:
            mask &= catalogue.category_mask(self.category)
        if self.in_stock_only and catalogue.stock is not None:
            mask &= catalogue.stock > 0
        if self.exclude:
            known = catalogue.indexes(np.array(self.exclude, dtype=np.int64))
            mask[known[known >= 0]] = False
        return mask
