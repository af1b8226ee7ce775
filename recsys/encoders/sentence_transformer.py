"""Sentence-BERT, by the sentence-transformers library, from a local folder or a name on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.encoder import ReadyWeights, missing_package, unreadable_model, weights_digest

_BATCH = 64


class SentenceTransformerEncoder(ReadyWeights):
    """Texts by a sentence-transformers model; the model is loaded when first used.

    Args:
        model: Local folder, or a name on the Hugging Face hub (downloads follow the hub's own time limits,
            HF_HUB_DOWNLOAD_TIMEOUT).

    Raises:
        BadUse: sentence-transformers is not installed.
    """

    image_size = 0

    def __init__(self, model: str) -> None:
        self.spec = f"sentence-transformers:{model}"
        self._name = model
        try:
            import sentence_transformers  # noqa: F401
        except ImportError as error:
            raise missing_package(self.spec, "text", error.name or "sentence-transformers") from error

    def identity(self) -> str:
        """Name and a digest of the weights; of a model from the hub, its commit."""
        commit = "" if (digest := weights_digest(self._name)) else self._commit()
        return f"{self.spec} {digest or commit}"

    def encode(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """Encodes texts; what is longer than the model's window is cut.

        Args:
            inputs: n texts.

        Returns:
            float32 [n, width of the model].
        """
        if not len(inputs):
            return np.zeros((0, self._model.get_sentence_embedding_dimension()), dtype=np.float32)
        vectors = self._model.encode(
            list(inputs), batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, dtype=np.float32)

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(self._name)
        except (OSError, ValueError) as error:
            raise unreadable_model(self.spec, error) from error

    def _commit(self) -> str:
        return str(getattr(self._model[0].auto_model.config, "_commit_hash", ""))
