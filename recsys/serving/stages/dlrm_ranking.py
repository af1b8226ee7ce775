"""Scores each user's candidates with the DLRM."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from recsys.schema import (
    CONTEXT_FEATURES,
    DLRM_BROADCAST_ONNX,
    DLRM_ONNX,
    EMBEDDING_FEATURES,
    ITEM_FEATURES,
    USER_FEATURES,
)
from recsys.serving.onnx_model import OnnxModel
from recsys.serving.stage import Arrays

_log = logging.getLogger(__name__)
_CACHED_ROWS: Final = 512
"""Rows a run: what one thread's caches hold. 64 users at once took four times as long as one by one."""

_INPUTS: Final = (*USER_FEATURES, *CONTEXT_FEATURES, *ITEM_FEATURES, *EMBEDDING_FEATURES)


@dataclass(frozen=True)
class DlrmRanking:
    """The ranker (Naumov et al., "Deep Learning Recommendation Model", 2019).

    Attributes:
        model: Its ONNX export.
        broadcasts: Whether the model takes users [b, 1] beside candidates [b, K], as
            `recsys.release.dlrm_broadcast` rewrites it, or wants one row a candidate.
    """

    model: OnnxModel
    broadcasts: bool = False

    def run(self, inputs: Arrays) -> Arrays:
        """Score.

        Args:
            inputs: Every user and context feature [B, 1], every item feature [B, K], and the two embeddings
                [B, K, 64].

        Returns:
            score float32 [B, K], greater for a likelier click; NaN if the model failed, which sampling
            answers with retrieval's order. A pad's score means nothing.
        """
        users, items = inputs["item_id"].shape
        step = max(1, _CACHED_ROWS // items)
        try:
            parts = [self._score(inputs, slice(start, start + step)) for start in range(0, users, step)]
        except Exception:  # noqa: BLE001 - whatever it raises, retrieval's order beats an error
            _log.exception("ranker failed")
            return {"score": np.full((users, items), np.nan, np.float32)}
        return {"score": np.concatenate(parts)}

    def _score(self, inputs: Arrays, users: slice) -> np.ndarray:
        """Scores [b, K] of some of the users."""
        some = {name: inputs[name][users] for name in self.model.inputs}
        shape = some["item_id"].shape
        if self.broadcasts:
            return self.model.run(some).reshape(shape)
        repeated = {name: np.broadcast_to(array, (*shape, *array.shape[2:])) for name, array in some.items()}
        rows = shape[0] * shape[1]
        return self.model.run({name: array.reshape(rows, -1) for name, array in repeated.items()}).reshape(
            shape
        )


def load(artefacts: Path, parameters: Mapping[str, str]) -> DlrmRanking:
    """Load the model, in the form that broadcasts where the release holds it.

    Raises:
        BadData: The file is missing, damaged, or wants inputs that serving does not have.
    """
    del parameters
    broadcasts = (artefacts / DLRM_BROADCAST_ONNX).is_file()
    file = DLRM_BROADCAST_ONNX if broadcasts else DLRM_ONNX
    return DlrmRanking(OnnxModel(artefacts / file, "score", _INPUTS), broadcasts)
