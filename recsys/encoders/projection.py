"""Principal components: an encoder's vectors brought to 64 dimensions of unit length.

Not whitened: whitening lifts the weakest components, which at 64 of several hundred are mostly noise, to the
strength of the first; without it inner products of the result approximate the encoder's own cosines, which
the towers start from and diversity relies on. Centred: sentence and image encoders put all their vectors into
a narrow cone (Mu & Viswanath, 2018, "All-but-the-Top"), and without their mean neighbours are told apart
better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.schema import EMBEDDING_DIM


@dataclass(frozen=True)
class Projection:
    """A fitted projection.

    Attributes:
        mean: float32 [width].
        components: float32 [width, 64]; columns beyond the data's rank are zero.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], dim: int = EMBEDDING_DIM) -> Projection:
        """Finds the components with most variance; the same vectors always give the same signs.

        Args:
            vectors: float32 [n, width]; n may be 0, and then everything projects to zero.
            dim: Width of the result.
        """
        n, width = vectors.shape
        components = np.zeros((width, dim), dtype=np.float32)
        if n == 0:
            return cls(np.zeros(width, dtype=np.float32), components)
        mean = vectors.mean(axis=0, dtype=np.float64)
        centred = vectors - mean
        variances, axes = np.linalg.eigh(centred.T @ centred)
        variances, axes = variances[::-1], axes[:, ::-1]
        # n rows have at most n - 1 directions around their mean; what is left is rounding.
        kept = min(dim, int(np.sum(variances > max(variances[0], 0.0) * width * np.finfo(np.float32).eps)))
        components[:, :kept] = fix_signs(axes[:, :kept].T).T
        return cls(mean.astype(np.float32), components)

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Projects and scales each row to length 1; a row without any direction stays zero.

        Args:
            vectors: float32 [n, width].

        Returns:
            float32 [n, 64].
        """
        return unit_length((vectors - self.mean) @ self.components)


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales rows to length 1; zero rows stay zero.

    Args:
        vectors: float32 [n, width].
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-7)
    return np.asarray(scaled, dtype=np.float32)


def fix_signs(axes: NDArray[np.floating]) -> NDArray[np.floating]:
    """Turns each row so that its entry of largest size is positive: eigenvectors come with either sign.

    Args:
        axes: [k, width].
    """
    if not axes.size:
        return axes
    largest = np.abs(axes).argmax(axis=1)
    signs = np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)
    return np.asarray(axes * signs[:, None], dtype=axes.dtype)
