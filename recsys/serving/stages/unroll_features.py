"""Repeats user and context features for each of the K candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.schema import CONTEXT_FEATURES, USER_FEATURES
from recsys.serving.stage import Arrays
from recsys.serving.tensors import feature, tiled


@dataclass(frozen=True)
class UnrollFeatures:
    """One row a user -> one row a user and candidate.

    Attributes:
        ranked: K.
    """

    ranked: int

    def run(self, inputs: Arrays) -> Arrays:
        """Repeat.

        Args:
            inputs: `<name>_feature` [B, 1] of every user and context feature.

        Returns:
            `<name>_tiled` [B, K] of the same, as read-only views: nothing is copied here.
        """
        return {
            tiled(name): np.broadcast_to(inputs[feature(name)], (len(inputs[feature(name)]), self.ranked))
            for name in (*USER_FEATURES, *CONTEXT_FEATURES)
        }


def load(artefacts: Path, parameters: Mapping[str, str]) -> UnrollFeatures:
    """Load the stage; it needs no artefact."""
    del artefacts
    return UnrollFeatures(int(parameters["ranked"]))
