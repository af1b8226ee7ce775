"""The ranker alone, on one thread: as exported, and as a release rewrites it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.bench import machine
from recsys.bench.latency import summarise
from recsys.schema import (
    CONTEXT_FEATURES,
    DLRM_BROADCAST_ONNX,
    DLRM_ONNX,
    EMBEDDING_DIM,
    EMBEDDING_FEATURES,
    ITEM_FEATURES,
    USER_FEATURES,
)
from recsys.serving.onnx_model import OnnxModel
from recsys.serving.stage import Arrays
from recsys.serving.stages.dlrm_ranking import DlrmRanking

_CODES: Final = 3
"""Codes below this are in every table; which rows are looked up does not change the work."""
_WARM_UP: Final = 20


def measure(release_dir: Path, candidates: int, repeats: int = 300) -> list[dict[str, Any]]:
    """Score one user's candidates again and again, the two forms in turn.

    Args:
        release_dir: The release.
        candidates: K.
        repeats: Runs of each form.

    Returns:
        For each form that the release holds: its percentiles and least milliseconds, and the greatest
        difference of its scores from the export's.

    Raises:
        BadData: A file is damaged.
    """
    forms = {"export": DLRM_ONNX, "broadcast": DLRM_BROADCAST_ONNX}
    known = (*USER_FEATURES, *CONTEXT_FEATURES, *ITEM_FEATURES, *EMBEDDING_FEATURES)
    stages = {
        name: DlrmRanking(OnnxModel(release_dir / file, "score", known), broadcasts=name == "broadcast")
        for name, file in forms.items()
        if (release_dir / file).is_file()
    }
    inputs = _inputs(candidates)
    expected = stages["export"].run(inputs)["score"]
    times: dict[str, list[float]] = {name: [] for name in stages}
    cpu = machine.CpuTimes.read()
    for _ in range(_WARM_UP + repeats):
        for name, stage in stages.items():
            begun = time.perf_counter()
            stage.run(inputs)
            times[name].append((time.perf_counter() - begun) * 1e3)
    steal = machine.CpuTimes.read().steal_percent(cpu)
    return [
        {
            "form": name,
            "candidates": candidates,
            **summarise(times[name][_WARM_UP:]),
            "least_ms": round(min(times[name]), 3),
            "difference": float(np.abs(stage.run(inputs)["score"] - expected).max()),
            "steal_percent": steal,
            "load_average": machine.load_average(),
        }
        for name, stage in stages.items()
    ]


def _inputs(candidates: int) -> Arrays:
    rng = np.random.default_rng(0)
    inputs = {}
    for features, width in ((USER_FEATURES | CONTEXT_FEATURES, 1), (ITEM_FEATURES, candidates)):
        for name, dtype in features.items():
            whole = dtype.kind == "i"
            drawn = rng.integers(0, _CODES, (1, width)) if whole else rng.normal(size=(1, width))
            inputs[name] = drawn.astype(dtype)
    for name in EMBEDDING_FEATURES:
        inputs[name] = rng.normal(size=(1, candidates, EMBEDDING_DIM)).astype(np.float32)
    return inputs
