"""What the models are trained on: one example a row, over one catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.errors import BadData
from recsys.features.recents import ClickLog
from recsys.features.workflows import Workflows
from recsys.models.columns import Features, features

FIRST_KNOWN_CODE: Final = 3
"""Categorify's first code of something known, after padding, null and out of vocabulary."""


_COLUMNS: Final = ("item", "click", "timestamp", "visitor", "event")
_PART_ROWS: Final = 1 << 20


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
        visitor: The shop's id of each row's user, masked or not, int64 [rows]; -1: nobody's.
        log: The clicks that rows look back on.
        event: How far each row went, int8 [rows], see `schema.EVENT_CODES`; None: no row tells.
    """

    inputs: Features
    item: np.ndarray
    click: np.ndarray
    timestamp: np.ndarray
    visitor: np.ndarray | None = None
    log: ClickLog = field(default_factory=ClickLog.empty, repr=False)
    event: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.item)

    @classmethod
    def build(
        cls, rows: pd.DataFrame, catalogue: Catalogue, workflows: Workflows, log: ClickLog | None = None
    ) -> Examples:
        """Transforms raw rows.

        Args:
            rows: Columns of `schema.USER_RAW`, `CONTEXT_RAW`, `item_id`, and `click`, `schema.VISITOR` and
                `schema.EVENT` if there are such.
            catalogue: Where their items are.
            workflows: The fitted workflows.
            log: The clicks that rows look back on; by default those among the rows.
        """
        inputs = features(workflows.transform(rows, part="user"), schema.USER_FEATURES)
        inputs |= features(workflows.transform(rows, part="context"), schema.CONTEXT_FEATURES)
        click = rows["click"].to_numpy(np.float32) if "click" in rows else np.ones(len(rows), np.float32)
        visitor = rows[schema.VISITOR if schema.VISITOR in rows else "user_id"]
        if log is None:
            log = ClickLog.build(rows.assign(user_id=visitor), catalogue.item_ids)
        item = catalogue.rows_of(rows["item_id"].to_numpy())
        time = rows["timestamp"].to_numpy(np.int64)
        event = rows[schema.EVENT].to_numpy(np.int8) if schema.EVENT in rows else None
        return cls(inputs, item, click, time, visitor.to_numpy(np.int64), log, event)

    def take(self, index: np.ndarray) -> Examples:
        """The rows at these positions (or where a mask is true)."""
        return self.mapped(lambda column: column[index])

    def without(self, mask: np.ndarray) -> Examples:
        """The rows where a mask is false; columns on disk are closed up there, which uses these rows up."""
        return self.mapped(lambda column: _closed_up(column, ~mask))

    def mapped(self, change: Callable[[np.ndarray], np.ndarray]) -> Examples:
        """The same with each column changed, in the order of `columns`."""
        inputs = {name: change(column) for name, column in self.inputs.items()}
        own = {name: getattr(self, name) for name in _COLUMNS}
        changed: dict[str, Any] = {
            name: column if column is None else change(column) for name, column in own.items()
        }
        return Examples(inputs, log=self.log, **changed)

    def columns(self) -> list[np.ndarray]:
        """All that a row has."""
        own = [getattr(self, name) for name in _COLUMNS]
        return [*self.inputs.values(), *(column for column in own if column is not None)]

    def look_back(self) -> Features:
        """What else a session tower reads: `schema.RECENT_FEATURES` [rows, 50] and timestamp [rows, 1]."""
        visitor = np.full(len(self), schema.UNKNOWN) if self.visitor is None else self.visitor
        recent = self.log.recent(visitor, self.timestamp)
        return {**recent.tensors(), "timestamp": self.timestamp[:, None]}

    def looking_back(self) -> Examples:
        """The same rows with `look_back` among their inputs; some 600 bytes a row more."""
        return replace(self, inputs=self.inputs | self.look_back())


def _closed_up(column: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """A column's rows where a mask is true; on disk they are moved to its beginning, a part at a time."""
    if not isinstance(column, np.memmap) or column.mode is None:
        found: np.ndarray = column[kept]
        return found
    end = 0
    for at in range(0, len(column), _PART_ROWS):
        rows = column[at : at + _PART_ROWS][kept[at : at + _PART_ROWS]]
        column[end : end + len(rows)] = rows
        end += len(rows)
    return column[:end]


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
    user, clicked = examples.inputs["user_id"][:, 0], examples.click == 1
    end = examples.timestamp[clicked].max(initial=0)
    last_day = (examples.timestamp > end - 86_400) & (user >= FIRST_KNOWN_CODE)
    users, clicks = np.unique(user[last_day & clicked], return_counts=True)
    # By a hash of the user: whom retrieval's training sets aside, the ranker's sets aside too, though it sees
    # other rows. Rows that retrieval has learned by heart would tell it nothing.
    order = np.argsort(_mixed(users, seed), kind="stable")[: int(len(users) * share)]
    chosen = users[order][np.cumsum(clicks[order]) <= most]
    aside = last_day & np.isin(user, chosen)
    held = examples.take(aside & (examples.click == 1))
    return examples.without(aside), held


def _mixed(numbers: np.ndarray, seed: int) -> np.ndarray:
    """A number of 64 bits for each, as if drawn at random (SplitMix64: Steele et al., 2014)."""
    step = (seed + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    mixed = numbers.astype(np.uint64) + np.uint64(step)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return result
