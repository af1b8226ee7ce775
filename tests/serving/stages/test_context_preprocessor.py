"""Missing and impossible contexts become ones that the context workflow knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.serving.stages.context_preprocessor import ContextPreprocessor, load

NOW = 1_750_000_000


def run(device: int = 0, timestamp: int = 0) -> tuple[int, int]:
    stage = ContextPreprocessor(clock=lambda: NOW + 0.9)
    out = stage.run({"device_type": np.array([[device]], np.int32), "timestamp": np.array([[timestamp]])})
    assert all(array.dtype == np.int64 and array.shape == (1, 1) for array in out.values())
    return int(out["context_device"][0, 0]), int(out["context_time"][0, 0])


@pytest.mark.parametrize(
    ("device", "kept"), [(0, 0), (1, 1), (2, 2), (3, -1), (-1, -1), (-2, -1), (2**31 - 1, -1), (-(2**31), -1)]
)
def test_only_known_devices_pass(device: int, kept: int) -> None:
    assert run(device=device)[0] == kept


@pytest.mark.parametrize("timestamp", [0, -1, -(2**63), 2**63 - 1, NOW * 1000])
def test_times_that_cannot_be_mean_now(timestamp: int) -> None:
    assert run(timestamp=timestamp)[1] == NOW


@pytest.mark.parametrize("timestamp", [1, 1_700_000_000, 2**32 + 5])
def test_times_are_kept_in_64_bits(timestamp: int) -> None:
    assert run(timestamp=timestamp)[1] == timestamp


def test_the_request_is_not_written_to() -> None:
    inputs = {"device_type": np.array([[9]], np.int32), "timestamp": np.array([[-5]])}
    load(Path(), {}).run(inputs)
    assert (inputs["device_type"][0, 0], inputs["timestamp"][0, 0]) == (9, -5)
