"""Whether a score that calls itself a probability is one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

BINS: Final = 20


def reliability(probability: np.ndarray, label: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """Compares what was predicted with what happened.

    The bins hold equally many rows, so none is decided by a handful. Sources: expected calibration error,
    sum_b (n_b / n) |mean label - mean probability|: Naeini et al., "Obtaining well calibrated probabilities
    using Bayesian binning", 2015, with the equal-mass bins of Nixon et al., "Measuring calibration in deep
    learning", 2019. Brier score: Brier, 1950.

    Args:
        probability: float [rows], 0 to 1.
        label: 0 or 1 [rows].
        bins: Number of bins, at most one a row.

    Returns:
        {"ece", "brier", "log_loss", "rows", "bins": [{"predicted", "observed", "rows"}, …]}, bins in
        ascending order; NaN and no bins without rows.
    """
    rows = len(probability)
    if not rows:
        nothing = dict.fromkeys(("ece", "brier", "log_loss"), float("nan"))
        return {**nothing, "rows": 0, "bins": []}
    order = np.argsort(probability, kind="stable")
    given, happened = probability[order].astype(np.float64), label[order].astype(np.float64)
    parts = [part for part in np.array_split(np.arange(rows), min(bins, rows)) if len(part)]
    found = [
        {"predicted": float(given[part].mean()), "observed": float(happened[part].mean()), "rows": len(part)}
        for part in parts
    ]
    inside = np.clip(given, 1e-7, 1 - 1e-7)
    return {
        "ece": sum(abs(one["predicted"] - one["observed"]) * one["rows"] for one in found) / rows,
        "brier": float(np.mean((given - happened) ** 2)),
        "log_loss": float(-np.mean(happened * np.log(inside) + (1 - happened) * np.log(1 - inside))),
        "rows": rows,
        "bins": found,
    }
