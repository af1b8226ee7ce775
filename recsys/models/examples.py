"""What the models are trained on: one example a row, over one catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.errors import BadData
from recsys.features.workflows import Workflows
from recsys.models.columns import Features, features

FIRST_KNOWN_CODE: Final = 3
"""Categorify's first code of something known, after padding, null and out of vocabulary."""


@dataclass(frozen=True)
class Catalogue:
    """The model inputs of every item; an item index is a row here.

    Attributes:
        item_ids: The shop's ids, int64 [n].
        inputs: `schema.ITEM_FEATURES` [n, 1] and `schema.EMBEDDING_FEATURES` [n, 64].
    """

    item_ids: np.ndarray
    inputs: Features

    def __len__(self) -> int:
        return len(self.item_ids)

    @classmethod
    def build(
        cls, items: pd.DataFrame, workflows: Workflows, image: np.ndarray, text: np.ndarray
    ) -> Catalogue:
        """Transforms the items.

        Args:
            items: The whole catalogue, columns of `schema.ITEM_RAW`, order of `items.parquet`.
            workflows: The fitted workflows.
            image: float32 [n, 64], same order.
            text: float32 [n, 64], same order.

        Raises:
            BadData: An embedding table does not fit the catalogue.
        """
        inputs = features(workflows.transform(items, part="item"), schema.ITEM_FEATURES)
        for name, table in zip(schema.EMBEDDING_FEATURES, (image, text), strict=True):
            if table.shape != (len(items), schema.EMBEDDING_DIM):
                raise BadData(
                    name,
                    f"has shape {table.shape}, the catalogue needs {(len(items), schema.EMBEDDING_DIM)}",
                    "Encode the catalogue again",
                )
            inputs[name] = np.asarray(table, dtype=np.float32)
        return cls(items["item_id"].to_numpy(np.int64), inputs)

    def rows_of(self, item_ids: np.ndarray) -> np.ndarray:
        """Item indexes, int64, of the shop's ids.

        Raises:
            BadData: One is not in the catalogue.
        """
        rows: np.ndarray = pd.Index(self.item_ids).get_indexer(item_ids).astype(np.int64)
        if (rows < 0).any():
            unknown = np.asarray(item_ids)[rows < 0][0]
            raise BadData(f"item {unknown}", "not in the catalogue", "Run `recsys data validate`")
        return rows


@dataclass(frozen=True)
class Examples:
    """Rows of interactions as the models see them.

    Attributes:
        inputs: `schema.USER_FEATURES` and `schema.CONTEXT_FEATURES`, [rows, 1].
        item: Item index of each row, int64 [rows].
        click: float32 [rows], 1 clicked, 0 shown and not clicked.
        timestamp: Unix seconds, int64 [rows].
    """

    inputs: Features
    item: np.ndarray
    click: np.ndarray
    timestamp: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    @classmethod
    def build(cls, rows: pd.DataFrame, catalogue: Catalogue, workflows: Workflows) -> Examples:
        """Transforms raw rows.

        Args:
            rows: Columns of `schema.USER_RAW`, `CONTEXT_RAW`, `item_id`, and `click` if there is one.
            catalogue: Where their items are.
            workflows: The fitted workflows.
        """
        inputs = features(workflows.transform(rows, part="user"), schema.USER_FEATURES)
        inputs |= features(workflows.transform(rows, part="context"), schema.CONTEXT_FEATURES)
        click = rows["click"].to_numpy(np.float32) if "click" in rows else np.ones(len(rows), np.float32)
        return cls(
            inputs, catalogue.rows_of(rows["item_id"].to_numpy()), click, rows["timestamp"].to_numpy(np.int64)
        )

    def take(self, index: np.ndarray) -> Examples:
        """The rows at these positions (or where a mask is true)."""
        inputs = {name: column[index] for name, column in self.inputs.items()}
        return Examples(inputs, self.item[index], self.click[index], self.timestamp[index])

    @property
    def has_exposures(self) -> bool:
        """Whether there are rows that were shown and not clicked."""
        return bool((self.click == 0).any())


def newest(examples: Examples, most: int) -> Examples:
    """The newest rows, in their order, `most` of them at most."""
    if len(examples) <= most:
        return examples
    return examples.take(np.sort(np.argsort(examples.timestamp, kind="stable")[-most:]))


def hold_out(examples: Examples, share: float, most: int, seed: int) -> tuple[Examples, Examples]:
    """Sets the last day of some users aside to watch training by.

    Only a few: the last day says most about the next ones and is needed for training. A whole day of a user
    and not single rows: clicks of one session resemble each other, and a model that has seen the others
    would look better than it will be tomorrow.

    Args:
        examples: Training rows.
        share: Of the last day's known users, at most.
        most: Clicks set aside, at most.
        seed: Of the draw.

    Returns:
        What is left to train on, and the clicks that were set aside.
    """
    user = examples.inputs["user_id"][:, 0]
    last_day = (examples.timestamp > examples.timestamp.max() - 86_400) & (user >= FIRST_KNOWN_CODE)
    users, clicks = np.unique(user[last_day & (examples.click == 1)], return_counts=True)
    order = np.random.default_rng(seed).permutation(len(users))[: int(len(users) * share)]
    chosen = users[order][np.cumsum(clicks[order]) <= most]
    aside = last_day & np.isin(user, chosen)
    return examples.take(~aside), examples.take(aside & (examples.click == 1))
