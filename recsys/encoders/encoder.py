"""What an encoder is, and how one is chosen by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from recsys.errors import BadUse

Kind = Literal["text", "image"]
State = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""What an encoder learned: what goes into a JSON file, and arrays."""


class Encoder(Protocol):
    """Turns texts (`str`) or images (`PIL.Image.Image`, RGB) into vectors.

    Attributes:
        spec: The words that `make_encoder` makes it from.
        image_size: Pixels that an image's shorter side should have at least; images may be decoded smaller.
    """

    spec: str
    image_size: int

    def identity(self) -> str:
        """Names the algorithm, its parameters and its weights: equal identities encode equally."""
        ...

    def fit(self, inputs: Sequence[Any]) -> None:
        """Learns what it must from a catalogue; encoders with ready weights learn nothing."""
        ...

    def encode(self, inputs: Sequence[Any]) -> NDArray[np.float32]:
        """Encodes inputs.

        Args:
            inputs: n texts or n images.

        Returns:
            float32 [n, width].
        """
        ...

    def state(self) -> State:
        """What `fit` learned."""
        ...

    def restore(self, state: State) -> None:
        """Takes up what an earlier `fit` learned."""
        ...


class ReadyWeights:
    """Mixed into encoders that learn nothing from the catalogue."""

    def fit(self, inputs: Sequence[Any]) -> None:
        """Learns nothing."""

    def state(self) -> State:
        """Nothing is learned."""
        return {}, {}

    def restore(self, state: State) -> None:
        """Nothing was learned."""


def make_encoder(spec: str, kind: Kind, seed: int = 42) -> Encoder:
    """Makes the encoder that a setting names.

    Args:
        spec: For texts `tfidf-svd`, `sentence-transformers:NAME` or `clip:NAME`; for images `color-shape` or
            `clip:NAME`. NAME is a local folder or a name on the Hugging Face hub.
        kind: What it shall encode.
        seed: Of whatever is random.

    Returns:
        An encoder that is not fitted yet; weights are loaded when they are first needed.

    Raises:
        BadUse: There is no such encoder for this kind, or its packages are not installed.
    """
    name, _, model = spec.partition(":")
    if spec == "tfidf-svd" and kind == "text":
        from recsys.encoders.tfidf_svd import TfidfSvdEncoder

        return TfidfSvdEncoder(seed=seed)
    if spec == "color-shape" and kind == "image":
        from recsys.encoders.color_shape import ColorShapeEncoder

        return ColorShapeEncoder()
    if name == "sentence-transformers" and model and kind == "text":
        from recsys.encoders.sentence_transformer import SentenceTransformerEncoder

        return SentenceTransformerEncoder(model)
    if name == "clip" and model:
        from recsys.encoders.clip import ClipEncoder

        return ClipEncoder(model, kind)
    choices = "tfidf-svd, sentence-transformers:NAME" if kind == "text" else "color-shape"
    raise BadUse(
        f"RECSYS_ENCODERS__{kind.upper()}={spec}", f"no such {kind} encoder", f"Use {choices} or clip:NAME."
    )


def missing_package(spec: str, kind: Kind, package: str) -> BadUse:
    """The error of an encoder whose packages are not installed.

    Args:
        spec: The encoder.
        kind: What it encodes.
        package: What could not be imported.
    """
    default = "tfidf-svd" if kind == "text" else "color-shape"
    return BadUse(
        f"encoder {spec}",
        f"the package {package} is not installed",
        f"Run scripts/setup --encoders, or set RECSYS_ENCODERS__{kind.upper()}={default}.",
    )


def unreadable_model(spec: str, error: Exception) -> BadUse:
    """The error of an encoder whose weights cannot be loaded.

    Args:
        spec: The encoder.
        error: What the library raised; its first line is kept.
    """
    cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return BadUse(f"encoder {spec}", cause, "Give the folder of a saved model, or a name on the hub.")


def weights_digest(model: str) -> str:
    """Hex sha256 over the files of a local model, so that exchanged weights are another encoder.

    Args:
        model: A local folder; for anything else (a hub name) the digest is empty.
    """
    folder = Path(model)
    if not folder.is_dir():
        return ""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
