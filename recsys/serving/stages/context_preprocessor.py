"""Imputes a missing or impossible device and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from recsys.schema import DEVICES, UNKNOWN
from recsys.serving.stage import Arrays

# The end of the year 9999: beyond it lie mistakes, such as milliseconds for seconds.
_LATEST: Final = 253_402_300_799


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
        device[~np.isin(device, list(DEVICES.values()))] = UNKNOWN
        moment[(moment <= 0) | (moment > _LATEST)] = int(self.clock())
        return {"context_device": device, "context_time": moment}


def load(artefacts: Path, parameters: Mapping[str, str]) -> ContextPreprocessor:
    """Load the stage; it needs neither artefacts nor parameters."""
    del artefacts, parameters
    return ContextPreprocessor()
