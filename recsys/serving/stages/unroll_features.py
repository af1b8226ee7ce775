"""Hands user and context features to the ranker, which repeats them for each of the K candidates itself.

Repeating them here would send the same number K times from process to process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recsys.schema import CONTEXT_FEATURES, USER_FEATURES
from recsys.serving.stage import Arrays
from recsys.serving.tensors import feature, tiled


class UnrollFeatures:
    """One row a user -> the same row, to be met by each of the user's candidates."""

    def run(self, inputs: Arrays) -> Arrays:
        """Hand on.

        Args:
            inputs: `<name>_feature` [B, 1] of every user and context feature.

        Returns:
            `<name>_tiled` [B, 1] of the same, the very arrays: they broadcast against [B, K].
        """
        return {tiled(name): inputs[feature(name)] for name in (*USER_FEATURES, *CONTEXT_FEATURES)}


def load(artefacts: Path, parameters: Mapping[str, str]) -> UnrollFeatures:
    """Load the stage; it needs neither artefacts nor parameters."""
    del artefacts, parameters
    return UnrollFeatures()
