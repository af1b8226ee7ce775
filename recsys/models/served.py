"""Runs test rows through the serving chain of a release."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from recsys import schema
from recsys.models import metrics
from recsys.serving.chain import Chain
from recsys.settings import Settings

_BATCH: Final = 64
_SHOWN: Final = 10


@dataclass(frozen=True)
class Served:
    """What came out for some rows.

    Attributes:
        retrieval: Rank of each row's click in the index's answer, int64 [rows].
        chain: Its rank in the final order.
        retrieved: Best items of the index's answer, item indexes [rows, 10].
        shown: Best items of the final order, [rows, 10].
    """

    retrieval: np.ndarray
    chain: np.ndarray
    retrieved: np.ndarray
    shown: np.ndarray

    def summary(self, items: int) -> dict[str, dict[str, float]]:
        """Metrics of retrieval alone and of the whole chain; see `recsys.models.metrics.summary`."""
        return {
            "retrieval": {
                **metrics.summary(self.retrieval),
                "coverage@10": metrics.coverage(self.retrieved, items),
            },
            "chain": {**metrics.summary(self.chain), "coverage@10": metrics.coverage(self.shown, items)},
        }


def serve(
    release_dir: Path,
    rows: pd.DataFrame,
    item: np.ndarray,
    settings: Settings,
    progress: Callable[[float], None] = lambda _: None,
) -> Served:
    """Asks the chain for each row, with the features that its user had at its time.

    All that is ranked is returned, so hit@300 means the same for retrieval and chain, and nothing is
    filtered: what the user has seen counts as a hit too. Feature store and seen filter are not asked.

    Args:
        release_dir: A release's artefacts.
        rows: Columns of `schema.USER_RAW` and `schema.CONTEXT_RAW`.
        item: Item index of each row's click, int64 [rows].
        settings: Widths of serving.
        progress: Told the share that is done.
    """
    widths = settings.serving.model_copy(update={"returned": settings.serving.ranked})
    chain = Chain(release_dir, settings.model_copy(update={"serving": widths}))

    def answer(at: int) -> tuple[np.ndarray, np.ndarray]:
        part = rows.iloc[at : at + _BATCH]
        request = {"user_id": part["user_id"], **{name: part[name] for name in schema.CONTEXT_RAW}}
        known = {name: part[name].to_numpy() for name in ("age", "gender", "top_category")}
        tensors = chain.run({name: column.to_numpy() for name, column in request.items()}, known)
        return tensors["candidates"], tensors["ordered_items"]

    starts = range(0, len(rows), _BATCH)
    candidates, ordered = [], []
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for number, (first, last) in enumerate(pool.map(answer, starts)):
                candidates.append(first)
                ordered.append(last)
                if number % 50 == 49:
                    progress((number + 1) / len(starts))
    finally:
        chain.close()
    retrieved, final = np.concatenate(candidates), np.concatenate(ordered)
    return Served(
        metrics.positions(retrieved, item),
        metrics.positions(final, item),
        retrieved[:, :_SHOWN],
        final[:, :_SHOWN],
    )
