"""Percentiles of latencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

PERCENTILES: Final = {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0, "p99_9_ms": 99.9}


def summarise(latencies_ms: Sequence[float]) -> dict[str, float | None]:
    """The percentiles of a run.

    Args:
        latencies_ms: One for each answer, milliseconds.

    Returns:
        `PERCENTILES`, and the mean, in milliseconds, each a value that was met or lies between two that
        were (NumPy's linear rule). None where there was no answer.
    """
    if not latencies_ms:
        return dict.fromkeys((*PERCENTILES, "mean_ms"))
    values = np.asarray(latencies_ms)
    cuts = np.percentile(values, list(PERCENTILES.values()))
    found: dict[str, float | None] = {
        name: round(float(cut), 3) for name, cut in zip(PERCENTILES, cuts, strict=True)
    }
    return found | {"mean_ms": round(float(values.mean()), 3)}
