"""Encoder and projection fitted together on a catalogue, and kept: new items get into the same space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.encoders.encoder import Encoder, Kind, make_encoder
from recsys.encoders.projection import Projection
from recsys.errors import BadData

_ARRAYS = ("mean", "components", "typical")


@dataclass(frozen=True)
class FittedEncoder:
    """An encoder with its projection to 64 dimensions.

    Attributes:
        kind: Texts or images.
        encoder: Fitted.
        projection: Fitted on the encoder's vectors of the catalogue.
        typical: float32 [64], the mean of the catalogue's projected vectors: the row of an item that has no
            input. It is shorter than 1 (zero, if no item had any input).
    """

    kind: Kind
    encoder: Encoder
    projection: Projection
    typical: NDArray[np.float32]

    @classmethod
    def fit(cls, kind: Kind, encoder: Encoder, vectors: NDArray[np.float32]) -> FittedEncoder:
        """Fits the projection.

        Args:
            kind: Texts or images.
            encoder: Fitted.
            vectors: float32 [n, width], its vectors of the catalogue.
        """
        projection = Projection.fit(vectors)
        projected = projection.apply(vectors)
        typical = projected.mean(axis=0) if len(projected) else np.zeros(projected.shape[1], dtype=np.float32)
        return cls(kind, encoder, projection, typical.astype(np.float32))

    def encode(self, inputs: Sequence[Any]) -> NDArray[np.float32]:
        """Encodes texts or images, of the catalogue or new ones.

        Args:
            inputs: n texts or n images.

        Returns:
            float32 [n, 64], rows of length 1; zero where the encoder finds nothing it knows.
        """
        return self.projection.apply(self.encoder.encode(inputs))

    def save(self, folder: Path) -> None:
        """Writes `<kind>_encoder.json` and `<kind>_encoder.npz`; a ready model's weights stay where they are.

        Args:
            folder: Made when missing.
        """
        folder.mkdir(parents=True, exist_ok=True)
        meta, arrays = self.encoder.state()
        record = {"spec": self.encoder.spec, "identity": self.encoder.identity(), "state": meta}
        (folder / f"{self.kind}_encoder.json").write_text(
            json.dumps(record, ensure_ascii=False), encoding="utf-8"
        )
        own = {f"state_{name}": array for name, array in arrays.items()}
        np.savez(
            folder / f"{self.kind}_encoder.npz",
            mean=self.projection.mean,
            components=self.projection.components,
            typical=self.typical,
            **own,
        )

    @classmethod
    def load(cls, folder: Path, kind: Kind) -> FittedEncoder:
        """Reads what `save` wrote; no pickle is involved.

        Args:
            folder: Where it was saved.
            kind: Texts or images.

        Raises:
            BadData: A file is missing or broken, or the ready weights are not those it was fitted with.
            BadUse: The encoder's packages are not installed.
        """
        path = folder / f"{kind}_encoder.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
                arrays = dict(file.items())
            encoder = make_encoder(record["spec"], kind)
            own = {name.removeprefix("state_"): arrays[name] for name in arrays if name not in _ARRAYS}
            encoder.restore((record["state"], own))
            mean, components, typical = (arrays[name] for name in _ARRAYS)
        except (OSError, ValueError, KeyError) as error:
            raise BadData(str(path), f"cannot be read ({error})", "Train again to write it.") from error
        fitted = cls(kind, encoder, Projection(mean, components), typical)
        if not fitted._same_weights(record["identity"]):
            raise BadData(
                str(path), f"{record['spec']} is not what it was", "Restore the weights or train again."
            )
        return fitted

    def _same_weights(self, identity: str) -> bool:
        """Encoders that learn carry their weights in the files; the others must find the same ones again."""
        return bool(self.encoder.state()[1]) or self.encoder.identity() == identity
