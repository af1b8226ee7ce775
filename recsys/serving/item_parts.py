"""What the ranker makes of an item alone, kept from one request to the next."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

import numpy as np

from recsys.schema import EMBEDDING_FEATURES, ITEM_FEATURES
from recsys.serving.onnx_model import OnnxModel

_FIRST_KNOWN: Final = 3
"""Codes below it stand for no item or for any unknown one."""
_MOST: Final = 65_536
"""Items that are kept at most: 84 MB of 320 numbers each."""
_VALUES: Final = tuple(name for name in ITEM_FEATURES if name != "item_id")


class ItemParts:
    """Item features -> the item's part of a score, computed when they are first met or have changed.

    An item is known by its code. Its price and categories come from Feast and may change while a release is
    served, so they are compared at every look-up. Its embeddings are the release's; of them the first number
    is compared.

    Args:
        model: `schema.DLRM_ITEMS_ONNX`: rows of features to `item_part` [rows, width].
        most: Items that are kept; beyond it they take each other's places.
    """

    def __init__(self, model: OnnxModel, most: int = _MOST) -> None:
        self._model = model
        self._most = most
        self._codes = np.full(0, -1, np.int64)
        self._parts = np.empty((0, 0), np.float32)
        self._known: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()
        self.computed = 0

    def of(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Look up.

        Args:
            inputs: Item features [B, K] and embeddings [B, K, 64].

        Returns:
            float32 [B, K, width].
        """
        # Evaluation asks from several threads: none may read or clear what another has half written.
        with self._lock:
            return self._of(inputs)

    def _of(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        shape = inputs["item_id"].shape
        codes = inputs["item_id"].reshape(-1)
        values = {name: inputs[name].reshape(-1) for name in _VALUES}
        values |= {name: inputs[name][..., 0].reshape(-1) for name in EMBEDDING_FEATURES}
        self._make_room(int(codes.max(initial=0)))
        slots = codes % len(self._codes)
        fresh = (codes >= _FIRST_KNOWN) & (self._codes[slots] == codes)
        for name, column in values.items():
            fresh &= self._known[name][slots] == column
        parts: np.ndarray | None = self._parts[slots] if self._parts.size else None
        missing = np.flatnonzero(~fresh)
        if len(missing):
            computed = self._compute(inputs, missing)
            if parts is None:
                self._parts = np.zeros((len(self._codes), computed.shape[1]), np.float32)
                parts = self._parts[slots]
            parts[missing] = computed
            self._keep(slots, codes, values, parts, missing)
        assert parts is not None  # noqa: S101 - nothing kept is nothing fresh
        return parts.reshape(*shape, -1)

    def _compute(self, inputs: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        self.computed += len(rows)
        flat = {}
        for name in self._model.inputs:
            array = inputs[name]
            width = array.shape[-1] if name in EMBEDDING_FEATURES else 1
            flat[name] = array.reshape(-1, width)[rows]
        return self._model.run(flat)

    def _keep(
        self,
        slots: np.ndarray,
        codes: np.ndarray,
        values: Mapping[str, np.ndarray],
        parts: np.ndarray,
        missing: np.ndarray,
    ) -> None:
        kept = missing[codes[missing] >= _FIRST_KNOWN]
        # Items that share a slot: one row must be written whole.
        places, first = np.unique(slots[kept], return_index=True)
        rows = kept[first]
        self._codes[places] = codes[rows]
        self._parts[places] = parts[rows]
        for name, column in values.items():
            self._known[name][places] = column[rows]

    def _make_room(self, code: int) -> None:
        """Grow to the greatest code met, in steps, as far as is allowed."""
        size = len(self._codes)
        if size == self._most or (code < size and size):
            return
        wanted = min(self._most, max(1_024, 2 * size, 1 << code.bit_length()))
        self._codes = np.full(wanted, -1, np.int64)
        self._known = {name: np.zeros(wanted, ITEM_FEATURES[name]) for name in _VALUES}
        self._known |= {name: np.zeros(wanted, np.float32) for name in EMBEDDING_FEATURES}
        self._parts = np.zeros((wanted, self._parts.shape[1]), np.float32)
