"""Builds and asks one index, in a process of its own: case in on stdin, figures out on stdout, both JSON."""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recsys.bench.latency import summarise
from recsys.bench.machine import status_mb
from recsys.bench.vectors import mask_of
from recsys.index import Index, build
from recsys.index.blocks import exact_top
from recsys.index.effort import Effort, efforts, set_effort, tune
from recsys.index.scatter import merge

_WARM_UP = 5
_MASKED_ROWS = 1_000_000
_FIGURES = "figures.json"


def run(case: dict[str, Any]) -> dict[str, Any]:
    """Measure.

    Args:
        case: `items`, `users` and `truth`: .npy files of vectors and of the exact answer [q, k]; `kind`;
            `floor`: recall that an approximate index is tuned to; `memory_mb`: bound for `auto`, or null;
            `shares`: of the items that masks allow, and `masked_users`: how many ask with each; `kept`:
            folder where the index is left, and taken from if it is there, or null.

    Returns:
        Seconds to build, and of CPU; MB of the index as a file, of memory once it is loaded, and of the most
        that building took; recall; milliseconds a query (one user at a time, one thread), of which `cpu_ms`
        is the thread's own time, which other work on the machine does not stretch; what was chosen; recall
        and time at each effort (`frontier`) and with masks (`filtered`).
    """
    items = np.load(case["items"], mmap_mode="r")
    users, truth = np.load(case["users"]), np.load(case["truth"])
    # Tuned on one half of the users and measured on the other.
    half = len(users) // 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(case["kept"] or scratch)
        if not (folder / _FIGURES).is_file():
            figures = _build(case, folder, items, users, truth)
            (folder / _FIGURES).write_text(json.dumps(figures), encoding="utf-8")
        figures = json.loads((folder / _FIGURES).read_text(encoding="utf-8"))
        gc.collect()
        _trim()
        before_mb = status_mb("RssAnon")
        index = Index.load(folder)
        loaded_mb = status_mb("RssAnon") - before_mb
    return {
        "kind": case["kind"],
        "items": len(items),
        "loaded_mb": round(loaded_mb, 1),
        **figures,
        **_ask(index, users[half:], truth[half:]),
        "filtered": [
            _masked(index, items, users[half : half + case["masked_users"]], truth.shape[1], share)
            for share in case["shares"]
        ],
    }


def _build(
    case: dict[str, Any], folder: Path, items: np.ndarray, users: np.ndarray, truth: np.ndarray
) -> dict[str, Any]:
    """Builds and tunes the index and saves it; what that came to."""
    half = len(users) // 2
    begun, begun_cpu = time.perf_counter(), time.process_time()
    built = build(items, case["kind"], users[:half], case["memory_mb"])
    build_s, build_cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    effort, frontier = Effort(), []
    if case["kind"] != "auto":
        frontier = _frontier(built.faiss_index, users[half:], truth[half:])
        effort = tune(built.faiss_index, users[:half], truth[:half], case["floor"])[1]
    folder.mkdir(parents=True, exist_ok=True)
    built.save(folder)
    return {
        "chosen": built.meta.kind,
        "build_s": round(build_s, 1),
        "build_cpu_s": round(build_cpu_s, 2),
        "build_peak_mb": round(status_mb("VmHWM"), 1),
        "index_mb": round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 3),
        "parameters": built.meta.parameters | effort,
        "reason": built.meta.reason,
        "frontier": frontier,
    }


def _ask(index: Index, users: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Recall and milliseconds a query, one user at a time on one thread."""
    times, own, found = [], [], []
    for user in users:
        began, began_own = time.perf_counter(), time.thread_time()
        found.append(index.search(user[None], truth.shape[1])[1][0])
        times.append((time.perf_counter() - began) * 1e3)
        own.append((time.thread_time() - began_own) * 1e3)
    return {
        "recall": _recall(found, truth),
        **summarise(times[_WARM_UP:]),
        "least_ms": round(min(times), 3),
        "cpu_ms": round(float(np.median(own[_WARM_UP:])), 3),
    }


def _trim() -> None:
    """Give what was freed back to the system, so that what is loaded next counts whole (malloc_trim(3))."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # glibc alone has it
        trim(0)


def _frontier(index: Any, users: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Recall and CPU milliseconds a query at each effort that the index knows."""
    points = []
    for effort in efforts(index, truth.shape[1]):
        set_effort(index, effort)
        ms, found = _asked(lambda user: index.search(user, truth.shape[1])[1], users)
        points.append({"effort": effort, "recall": _recall(found, truth), "cpu_ms": ms})
    return points


def _masked(index: Index, items: np.ndarray, users: np.ndarray, top: int, share: float) -> dict[str, Any]:
    """Recall against the exact search of the allowed items alone, and CPU milliseconds a query.

    Half of what is allowed is drawn anywhere, as what is in stock; half lies together, as a category does.
    """
    allowed = mask_of(items, share)
    kept = np.flatnonzero(allowed)
    answers = []
    for at in range(0, len(kept), _MASKED_ROWS):
        some = kept[at : at + _MASKED_ROWS]
        found = some[exact_top(users, items[some], min(top, len(some)))]
        answers.append((np.einsum("bkw,bw->bk", items[found], users), found))
    truth = merge(answers, min(top, len(kept)))[1]
    ms, found = _asked(lambda user: index.search(user, truth.shape[1], allowed)[1], users)
    plain_ms, _ = _asked(lambda user: index.search(user, truth.shape[1])[1], users)
    recall = _recall(found, truth)
    return {
        "share": share,
        "allowed": len(kept),
        "recall": recall,
        "cpu_ms": ms,
        "unfiltered_cpu_ms": plain_ms,
    }


def _asked(search: Callable[[np.ndarray], np.ndarray], users: np.ndarray) -> tuple[float, list[np.ndarray]]:
    """Median CPU milliseconds a query of the asking thread, and what was found, one user at a time."""
    own, found = [], []
    for user in users:
        began = time.thread_time()
        found.append(search(user[None])[0])
        own.append((time.thread_time() - began) * 1e3)
    return round(float(np.median(own)), 3), found


def _recall(found: Sequence[np.ndarray], truth: np.ndarray) -> float:
    hits = [np.isin(best, row).sum() for row, best in zip(found, truth, strict=True)]
    return round(float(np.sum(hits)) / truth.size, 4)


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
