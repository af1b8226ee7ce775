"""Turns item indexes back into the shop's own ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.serving.catalogue import Catalogue
from recsys.serving.stage import Arrays


@dataclass(frozen=True)
class ItemIdDecoder:
    """Item index -> shop's item id.

    Attributes:
        catalogue: The shop's ids in the release's order.
    """

    catalogue: Catalogue

    def run(self, inputs: Arrays) -> Arrays:
        """Decode.

        Args:
            inputs: ordered_items int64 [B, N], -1 for none.

        Returns:
            ordered_ids int64 [B, N], -1 where there is no item.
        """
        return {"ordered_ids": self.catalogue.decode(inputs["ordered_items"])}


def load(artefacts: Path, parameters: Mapping[str, str]) -> ItemIdDecoder:
    """Load the ids.

    Raises:
        BadData: The file is missing or damaged.
    """
    del parameters
    return ItemIdDecoder(Catalogue.load(artefacts))
