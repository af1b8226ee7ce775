"""Imputes a missing or impossible device and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recsys.schema import DEVICES, UNKNOWN
from recsys.serving.moments import is_moment
from recsys.serving.stage import Arrays


@dataclass(frozen=True)
class ContextPreprocessor:
    """Turns a request's context into one that the context workflow knows.

    Attributes:
        clock: Unix seconds, for requests that do not say when.
    """

    clock: Callable[[], float] = time.time

    def run(self, inputs: Arrays) -> Arrays:
        """Impute.

        Args:
            inputs: device_type int32 [B, 1], where anything but a known device counts as missing;
                timestamp int64 [B, 1], unix seconds, where 0, negative and absurdly late mean now.

        Returns:
            context_device int64 [B, 1], -1 if unknown, and context_time int64 [B, 1].
        """
        device = inputs["device_type"].astype(np.int64)
        moment = inputs["timestamp"].astype(np.int64)
        moment[~is_moment(moment)] = int(self.clock())
        device[~np.isin(device, list(DEVICES.values()))] = UNKNOWN
        return {"context_device": device, "context_time": moment}


def load(artefacts: Path, parameters: Mapping[str, str]) -> ContextPreprocessor:
    """Load the stage; it needs neither artefacts nor parameters."""
    del artefacts, parameters
    return ContextPreprocessor()
