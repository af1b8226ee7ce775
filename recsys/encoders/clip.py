"""CLIP, by the transformers library, for images or texts, from a local folder or a name on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.encoder import Kind, ReadyWeights, missing_package, unreadable_model, weights_digest

_BATCH = 32


class ClipEncoder(ReadyWeights):
    """One side of a CLIP model; the model is loaded when first used.

    Args:
        model: Local folder with model, image processor and tokeniser, or a name on the Hugging Face hub.
        kind: Which side.

    Raises:
        BadUse: transformers or torch is not installed.
    """

    image_size = 224

    def __init__(self, model: str, kind: Kind) -> None:
        self.spec = f"clip:{model}"
        self._name = model
        self._kind: Kind = kind
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError as error:
            raise missing_package(self.spec, kind, error.name or "transformers") from error

    def identity(self) -> str:
        """Name, side, and a digest of the weights; of a model from the hub, its commit."""
        digest = weights_digest(self._name) or str(getattr(self._model.config, "_commit_hash", ""))
        return f"{self.spec} {self._kind} {digest}"

    def encode(self, inputs: Sequence[Any]) -> NDArray[np.float32]:
        """Encodes images or texts into CLIP's common space.

        Args:
            inputs: n RGB images (`PIL.Image.Image`) or n texts; texts beyond the model's window are cut.

        Returns:
            float32 [n, width of the model].
        """
        batches = [self._batch(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]
        width = self._model.config.projection_dim
        return np.concatenate([np.zeros((0, width), dtype=np.float32), *batches])

    def _batch(self, inputs: Sequence[Any]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            if self._kind == "image":
                pixels = self._processor.image_processor(images=list(inputs), return_tensors="pt")
                vectors = self._model.get_image_features(**pixels)
            else:
                words = self._processor.tokenizer(
                    list(inputs),
                    padding=True,
                    truncation=True,
                    max_length=self._model.config.text_config.max_position_embeddings,
                    return_tensors="pt",
                )
                vectors = self._model.get_text_features(
                    input_ids=words["input_ids"], attention_mask=words["attention_mask"]
                )
        return np.asarray(vectors.numpy(), dtype=np.float32)

    @cached_property
    def _model(self) -> Any:
        from transformers import CLIPModel

        try:
            return CLIPModel.from_pretrained(self._name).eval()
        except (OSError, ValueError) as error:
            raise unreadable_model(self.spec, error) from error

    @cached_property
    def _processor(self) -> Any:
        from transformers import CLIPProcessor

        try:
            return CLIPProcessor.from_pretrained(self._name)
        except (OSError, ValueError) as error:
            raise unreadable_model(self.spec, error) from error
