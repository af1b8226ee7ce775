"""What the gate found, as one JSON document from which its page is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from recsys.models import metrics
from recsys.models.calibration import reliability
from recsys.models.outcomes import Outcomes
from recsys.release.gate import checks, verdict
from recsys.release.gate_check import Evidence
from recsys.release.gate_rows import probability, ranks
from recsys.settings import GateSettings

_CUTOFFS: Final = (1, 2, 3, 5, 10, 20, 50, 100, 200, 300)
_BINS: Final = 10


def gate_report(
    own: Evidence, settings: GateSettings, parent: Evidence | None = None, parent_number: int | None = None
) -> dict[str, Any]:
    """Judges a release and says what it was judged by.

    Args:
        own: What is known about it.
        settings: The limits.
        parent: The same of the release that it would replace.
        parent_number: That release's number.

    Returns:
        {"passed": bool, "reason": one line, "parent": number or null, "confidence": share inside an interval,
        "rows": judged rows, "checks": [{"metric", "value", "low", "high", "limit", "side", "passed"}],
        "latency": {model: {"us", "parent_us"}}, "parity": {model: distance}, "hits": {name: [[k, share]]},
        "calibration": {name: [[predicted, observed]]},
        "segments": [{"segment", "rows", "ndcg@10", "parent"}]}.
    """
    found = checks(own, settings, parent)
    said = verdict(found)
    return {
        "passed": said.passed,
        "reason": said.reason,
        "parent": parent_number,
        "confidence": settings.confidence,
        "rows": 0 if own.outcomes is None else len(own.outcomes["row"]),
        "checks": [check.to_json() for check in found],
        "latency": _latency(own, parent),
        "parity": {model: _number(far) for model, far in (own.parity or {}).items()},
        **_curves(own, parent),
    }


def unmeasured(*, passed: bool, reason: str, parent: int | None = None, note: str = "") -> dict[str, Any]:
    """The report of a release that was not measured: it does not run, or its models are its parent's.

    Args:
        passed: Whether it may be served all the same.
        reason: Why not, in one line.
        parent: What it was made from.
        note: What stands instead of numbers.
    """
    nothing: dict[str, Any] = {"checks": [], "latency": {}, "parity": {}, "hits": {}, "calibration": {}}
    said = {"passed": passed, "reason": reason, "parent": parent, "note": note}
    return {**said, "rows": 0, "segments": [], **nothing}


def _latency(own: Evidence, parent: Evidence | None) -> dict[str, dict[str, float | None]]:
    before: Mapping[str, np.ndarray] = (parent.latency if parent is not None else None) or {}
    return {
        model: {
            "us": float(np.median(taken)),
            "parent_us": float(np.median(before[model])) if model in before else None,
        }
        for model, taken in (own.latency or {}).items()
    }


def _curves(own: Evidence, parent: Evidence | None) -> dict[str, Any]:
    if own.outcomes is None:
        return {"hits": {}, "calibration": {}, "segments": []}
    hits = {part: _hits(own.outcomes, part) for part in ("chain", "retrieval")}
    calibration = {"release": _calibration(own.outcomes)}
    before = parent.outcomes if parent is not None else None
    if before is not None:
        hits["parent's chain"] = _hits(before, "chain")
        calibration["parent"] = _calibration(before)
    return {"hits": hits, "calibration": calibration, "segments": _segments(own.outcomes, before)}


def _hits(outcomes: Outcomes, part: str) -> list[list[float]]:
    rank = ranks(outcomes, part)
    return [[k, metrics.hit(rank, k)] for k in _CUTOFFS] if len(rank) else []


def _calibration(outcomes: Outcomes) -> list[list[float]]:
    found = reliability(probability(outcomes), outcomes["pair_label"], _BINS)
    return [[one["predicted"], one["observed"]] for one in found["bins"]]


def _segments(own: Outcomes, parent: Outcomes | None) -> list[dict[str, Any]]:
    """NDCG@10 of the chain in each segment, beside the parent's on the same rows."""
    gain = metrics.gains(ranks(own, "chain"))["ndcg@10"]
    before = np.full(len(gain), math.nan)
    if parent is not None:
        _, rows, others = np.intersect1d(own["row"], parent["row"], return_indices=True)
        before[rows] = metrics.gains(ranks(parent, "chain"))["ndcg@10"][others]
    found = []
    for name, (codes, labels) in own.segments.items():
        for number, label in enumerate(labels):
            inside = codes == number
            both = inside & np.isfinite(before)
            if inside.any():
                was = float(before[both].mean()) if both.any() else None
                found.append(
                    {
                        "segment": f"{name}: {label}",
                        "rows": int(inside.sum()),
                        "ndcg@10": float(gain[inside].mean()),
                        "parent": was,
                    }
                )
    return found


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
