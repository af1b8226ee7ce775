"""The ranker alone, on one thread: as exported, and as a release rewrites it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.bench import machine
from recsys.bench.latency import summarise
from recsys.schema import (
    CONTEXT_FEATURES,
    DLRM_ITEMS_ONNX,
    DLRM_ONNX,
    DLRM_PAIRS_ONNX,
    EMBEDDING_DIM,
    EMBEDDING_FEATURES,
    ITEM_FEATURES,
    ITEM_IDS_FILE,
    ITEM_POPULARITY,
    RECENT_CLICKS,
    RECENT_FEATURES,
    USER_FEATURES,
)
from recsys.serving.item_parts import ItemParts
from recsys.serving.onnx_model import OnnxModel
from recsys.serving.stage import Arrays
from recsys.serving.stages.dlrm_ranking import DlrmRanking, load

_CODES: Final = 3
"""Codes below this are in every table; which rows are looked up does not change the work."""
_FIRST_ITEM: Final = 3
"""Code of the first item of the catalogue."""
_WARM_UP: Final = 20


def measure(release_dir: Path, candidates: int, repeats: int = 300) -> list[dict[str, Any]]:
    """Score one user's candidates again and again, the forms in turn.

    Args:
        release_dir: The release.
        candidates: K.
        repeats: Runs of each form.

    Returns:
        For each form that the release holds: its percentiles and least milliseconds, and the greatest
        difference of its scores from the export's. The rewritten form is measured twice: with items that it
        has met before, as is the rule, and with items that are all new to it.

    Raises:
        BadData: A file is damaged.
    """
    inputs = _inputs(candidates, len(np.load(release_dir / ITEM_IDS_FILE)))
    forms = _forms(release_dir)
    expected = forms["export"]().run(inputs)["score"]
    times: dict[str, list[float]] = {name: [] for name in forms}
    cpu = machine.CpuTimes.read()
    for _ in range(_WARM_UP + repeats):
        for name, form in forms.items():
            stage = form()
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
            "difference": float(np.abs(form().run(inputs)["score"] - expected).max()),
            "steal_percent": steal,
            "load_average": machine.load_average(),
        }
        for name, form in forms.items()
    ]


def _forms(release_dir: Path) -> dict[str, Callable[[], DlrmRanking]]:
    known = (*_inputs(1, 1),)
    export = DlrmRanking(OnnxModel(release_dir / DLRM_ONNX, "score", known))
    forms = {"export": lambda: export}
    if (release_dir / DLRM_PAIRS_ONNX).is_file():
        rewritten = load(release_dir, {})
        items = OnnxModel(release_dir / DLRM_ITEMS_ONNX, "item_part", known)
        forms["rewritten"] = lambda: rewritten
        forms["rewritten, new items"] = lambda: DlrmRanking(rewritten.model, ItemParts(items))
    return forms


def _inputs(candidates: int, items: int) -> Arrays:
    rng = np.random.default_rng(0)
    inputs = {}
    for features, width in ((USER_FEATURES | CONTEXT_FEATURES, 1), (ITEM_FEATURES, candidates)):
        for name, dtype in features.items():
            whole = dtype.kind == "i"
            drawn = rng.integers(0, _CODES, (1, width)) if whole else rng.normal(size=(1, width))
            inputs[name] = drawn.astype(dtype)
    inputs["item_id"] = _FIRST_ITEM + np.arange(candidates)[None] % items
    inputs["user_embedding"] = rng.normal(size=(1, EMBEDDING_DIM)).astype(np.float32)
    inputs[ITEM_POPULARITY] = rng.normal(size=(1, candidates)).astype(np.float32)
    for name, dtype in RECENT_FEATURES.items():
        inputs[name] = np.zeros((1, RECENT_CLICKS), dtype)
    for name in EMBEDDING_FEATURES:
        inputs[name] = rng.normal(size=(1, candidates, EMBEDDING_DIM)).astype(np.float32)
    return inputs
