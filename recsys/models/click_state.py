"""What a release keeps of its users' clicks, so that the next one goes on where it ended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from recsys import schema
from recsys.models.history import ClickHistory


@dataclass(frozen=True)
class ClickState:
    """A click history whose encoder is run: a vector an item, and the clicks that count.

    Attributes:
        vectors: float32 [n, 64] by item index.
        clicks: Item indexes by user code, int32 [users, length], newest first; n where there is none.
    """

    vectors: np.ndarray
    clicks: np.ndarray

    @classmethod
    def of(cls, history: ClickHistory) -> ClickState:
        """The state of a trained history."""
        return cls(history.vectors(), history.clicks.numpy())

    @classmethod
    def load(cls, release_dir: Path) -> ClickState | None:
        """A release's state; None where its user embeddings are not derived from clicks."""
        path = release_dir / schema.CLICK_HISTORY_FILE
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as kept:
            return cls(kept["vectors"], kept["clicks"])

    def save(self, release_dir: Path) -> None:
        """Writes `schema.CLICK_HISTORY_FILE`; equal states give equal bytes."""
        path = release_dir / schema.CLICK_HISTORY_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, vectors=self.vectors, clicks=self.clicks)

    def extended(self, newer: tf.Tensor) -> np.ndarray:
        """The clicks with newer ones before them, the oldest falling out: int32 [users, length].

        Args:
            newer: Of `recsys.models.history.newest_clicks`, for the same users.
        """
        nothing, length = len(self.vectors), self.clicks.shape[1]
        both = np.concatenate([newer.numpy(), self.clicks], axis=1)
        order = np.argsort(both == nothing, axis=1, kind="stable")  # clicks before gaps, else as they are
        found: np.ndarray = np.take_along_axis(both, order, axis=1)[:, :length]
        return found
