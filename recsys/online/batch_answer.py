"""A user's recommendations as the batch job leaves them in Valkey: twelve bytes an item."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import BadData

_HEADER: Final = struct.Struct("<4sII")  # mark, release, number of items
_MARK: Final = b"rec1"
HEADER_BYTES: Final = _HEADER.size


@dataclass(frozen=True)
class BatchAnswer:
    """One user's items, best first.

    Attributes:
        release: The release that ranked them.
        ids: int64 [n], the shop's ids.
        scores: float32 [n], never rising.
    """

    release: int
    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """The answer as it is stored."""
        head = _HEADER.pack(_MARK, self.release, len(self.ids))
        return head + self.ids.astype("<i8").tobytes() + self.scores.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes) -> BatchAnswer:
        """Read what `to_bytes` gave.

        Raises:
            BadData: It is something else, or cut off.
        """
        mark, release, count = b"", 0, 0
        if len(stored) >= _HEADER.size:
            mark, release, count = _HEADER.unpack_from(stored)
        if mark != _MARK or len(stored) != _HEADER.size + 12 * count:
            raise BadData("batch answer", "damaged", "Run `recsys precompute` again")
        ids = np.frombuffer(stored, "<i8", count, _HEADER.size).astype(np.int64)
        scores = np.frombuffer(stored, "<f4", count, _HEADER.size + 8 * count).astype(np.float32)
        return cls(release, ids, scores)


def release_of(head: bytes) -> int | None:
    """The release that ranked a stored answer, told by its first `HEADER_BYTES`; None if it is none."""
    if len(head) < HEADER_BYTES:
        return None
    mark, release, _ = _HEADER.unpack_from(head)
    return int(release) if mark == _MARK else None
