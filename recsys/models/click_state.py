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
        moments: When they were, unix seconds, int64 [users, length]; None where nothing reads it.
    """

    vectors: np.ndarray
    clicks: np.ndarray
    moments: np.ndarray | None = None

    @classmethod
    def of(cls, history: ClickHistory) -> ClickState:
        """The state of a trained history."""
        moments = None if history.moments is None else history.moments.numpy()
        return cls(history.vectors(), history.clicks.numpy(), moments)

    @classmethod
    def load(cls, release_dir: Path) -> ClickState | None:
        """A release's state; None where its user embeddings are not derived from clicks."""
        path = release_dir / schema.CLICK_HISTORY_FILE
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as kept:
            return cls(kept["vectors"], kept["clicks"], kept.get("moments"))

    def save(self, release_dir: Path) -> None:
        """Writes `schema.CLICK_HISTORY_FILE`; equal states give equal bytes."""
        path = release_dir / schema.CLICK_HISTORY_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        moments = {} if self.moments is None else {"moments": self.moments}
        np.savez_compressed(path, vectors=self.vectors, clicks=self.clicks, **moments)

    def extended(self, newer: tf.Tensor) -> np.ndarray:
        """The clicks with newer ones before them, the oldest falling out: int32 [users, length].

        Args:
            newer: Of `recsys.models.history.newest_clicks`, for the same users.
        """
        return self._extended(self.clicks, newer, newer)

    def extended_moments(self, newer: tf.Tensor, moments: tf.Tensor) -> np.ndarray:
        """When the clicks of `extended` were: int64 [users, length].

        Args:
            newer: As for `extended`.
            moments: Of `recsys.models.history.newest_moments`, for the same users.
        """
        return self._extended(self.moments, newer, moments)

    def _extended(self, old: np.ndarray | None, newer: tf.Tensor, values: tf.Tensor) -> np.ndarray:
        there = np.concatenate([newer.numpy(), self.clicks], axis=1) != len(self.vectors)
        order = np.argsort(~there, axis=1, kind="stable")  # clicks before gaps, else as they are
        both = np.concatenate([values.numpy(), old], axis=1)
        found: np.ndarray = np.take_along_axis(both, order, axis=1)[:, : self.clicks.shape[1]]
        return found
