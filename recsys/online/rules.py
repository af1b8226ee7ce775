"""A shop's business rules for one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

    def asked_for(self, catalogue: Catalogue | None) -> dict[str, Any]:
        """What the ensemble is told of them, as fields of a `Question`.

        Args:
            catalogue: Where categories' names are looked up; None when there is none yet.

        Returns:
            Nothing of a category that the catalogue does not know: no answer holds any of it.
        """
        told: dict[str, Any] = {"in_stock_only": self.in_stock_only, "exclude": self.exclude}
        if isinstance(self.category, int):
            # A code is never negative: those that are stand for what is unknown.
            told["only_category_l1"] = (self.category,) if self.category >= 0 else ()
        elif self.category is not None and catalogue is not None:
            l1, l2 = catalogue.category_codes(self.category)
            told |= {"only_category_l1": l1, "only_category_l2": l2}
        return told

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
