"""Scores each user's candidates with the DLRM."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from recsys.schema import (
    CONTEXT_FEATURES,
    DLRM_ITEMS_ONNX,
    DLRM_ONNX,
    DLRM_PAIRS_ONNX,
    EMBEDDING_FEATURES,
    ITEM_FEATURES,
    ITEM_POPULARITY,
    RECENT_FEATURES,
    USER_FEATURES,
)
from recsys.serving.item_parts import ItemParts
from recsys.serving.onnx_model import OnnxModel
from recsys.serving.stage import Arrays

_log = logging.getLogger(__name__)
_CACHED_ROWS: Final = 1_280
"""Rows a run: four users of 300 items, a sixth less time than one by one, for each run pays for its nodes. 64
users at once took four times as long: the caches of one thread do not hold them."""

_TOWER: Final = "user_embedding"
_PARTS: Final = "item_parts"
_OF_USERS: Final = (_TOWER, *RECENT_FEATURES)
"""Inputs [B, width], the same for all of a user's candidates."""

_INPUTS: Final = (
    *USER_FEATURES,
    *CONTEXT_FEATURES,
    *ITEM_FEATURES,
    ITEM_POPULARITY,
    *EMBEDDING_FEATURES,
    *_OF_USERS,
)


@dataclass(frozen=True)
class DlrmRanking:
    """The ranker (Naumov et al., "Deep Learning Recommendation Model", 2019).

    Attributes:
        model: Its ONNX export, one row a candidate; or, with `items`, the half of it in which users [b, 1]
            and items' parts [b, K, width] meet, as `recsys.release.dlrm_broadcast` rewrites it.
        items: The items' parts.
        pool: Ranks some of a batch's users beside others, each on one thread; None for one after the other.
    """

    model: OnnxModel
    items: ItemParts | None = None
    pool: ThreadPoolExecutor | None = None

    def run(self, inputs: Arrays) -> Arrays:
        """Score.

        Args:
            inputs: Every user and context feature [B, 1], every item feature and item_popularity [B, K], the
                two embeddings [B, K, 64], recent_items and recent_ages [B, 50], and user_embedding [B, 64];
                where that is NaN, what the ranker adds to retrieval's score decides alone.

        Returns:
            score float32 [B, K], greater for a likelier click; NaN if the model failed, which sampling
            answers with retrieval's order. A pad's score means nothing.
        """
        users, items = inputs["item_id"].shape
        inputs = inputs | {_TOWER: np.nan_to_num(inputs[_TOWER])}
        step = max(1, _CACHED_ROWS // items)
        try:
            spans = [slice(start, start + step) for start in range(0, users, step)]
            if self.pool is None or len(spans) == 1:
                parts = [self._score(inputs, span) for span in spans]
            else:
                parts = list(self.pool.map(lambda span: self._score(inputs, span), spans))
        except Exception:  # noqa: BLE001 - whatever it raises, retrieval's order beats an error
            _log.exception("ranker failed")
            return {"score": np.full((users, items), np.nan, np.float32)}
        return {"score": np.concatenate(parts)}

    def close(self) -> None:
        """End the pool's threads."""
        if self.pool is not None:
            self.pool.shutdown()

    def _score(self, inputs: Arrays, users: slice) -> np.ndarray:
        """Scores [b, K] of some of the users."""
        if self.items is not None:
            some = {name: array[users] for name, array in inputs.items()}
            return self.model.run(some | {_PARTS: self.items.of(some)})
        some = {name: inputs[name][users] for name in self.model.inputs}
        some |= {name: some[name][:, None] for name in _OF_USERS if name in some}
        shape = inputs["item_id"][users].shape
        repeated = {name: np.broadcast_to(array, (*shape, *array.shape[2:])) for name, array in some.items()}
        rows = shape[0] * shape[1]
        return self.model.run({name: array.reshape(rows, -1) for name, array in repeated.items()}).reshape(
            shape
        )


def load(artefacts: Path, parameters: Mapping[str, str]) -> DlrmRanking:
    """Load the model, rewritten where the release holds it so.

    Raises:
        BadData: A file is missing, damaged, or wants inputs that serving does not have.
    """
    threads = int(parameters.get("ranker_threads", "1"))
    pool = ThreadPoolExecutor(threads, "ranker") if threads > 1 else None
    if not (artefacts / DLRM_PAIRS_ONNX).is_file():
        return DlrmRanking(OnnxModel(artefacts / DLRM_ONNX, "score", _INPUTS), None, pool)
    pairs = OnnxModel(artefacts / DLRM_PAIRS_ONNX, "score", (*_INPUTS, _PARTS))
    items = ItemParts(OnnxModel(artefacts / DLRM_ITEMS_ONNX, "item_part", _INPUTS))
    return DlrmRanking(pairs, items, pool)
