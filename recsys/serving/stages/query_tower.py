"""Embeds users, in their context and after their newest clicks, with the query tower."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.schema import CONTEXT_FEATURES, EMBEDDING_DIM, QUERY_TOWER_ONNX, RECENT_FEATURES, USER_FEATURES
from recsys.serving.onnx_model import OnnxModel
from recsys.serving.stage import Arrays

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueryTower:
    """The user half of the two-tower model.

    Attributes:
        model: Its ONNX export.
    """

    model: OnnxModel

    def run(self, inputs: Arrays) -> Arrays:
        """Embed.

        Args:
            inputs: Each of `schema.USER_FEATURES` and `CONTEXT_FEATURES`, [B, 1]; of `RECENT_FEATURES`,
                [B, 50]; and timestamp int64 [B, 1], unix seconds. A tower reads those that it was trained on.

        Returns:
            user_embedding float32 [B, 64]; NaN if the model failed, which retrieval answers with popular
            items.
        """
        try:
            embedding = self.model.run(inputs)
        except Exception:  # noqa: BLE001 - whatever it raises, popular items beat an error
            _log.exception("query tower failed")
            embedding = np.full((len(inputs["user_id"]), EMBEDDING_DIM), np.nan, np.float32)
        return {"user_embedding": embedding}


def load(artefacts: Path, parameters: Mapping[str, str]) -> QueryTower:
    """Load the model.

    Raises:
        BadData: The file is missing, damaged, or wants inputs that serving does not have.
    """
    del parameters
    known = (*USER_FEATURES, *CONTEXT_FEATURES, *RECENT_FEATURES, "timestamp")
    return QueryTower(OnnxModel(artefacts / QUERY_TOWER_ONNX, "user_embedding", known))
