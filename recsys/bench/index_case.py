"""Builds and asks one index, in a process of its own: case in on stdin, figures out on stdout, both JSON."""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from recsys.bench.latency import summarise
from recsys.bench.machine import status_mb
from recsys.index import Index, build
from recsys.index.effort import tune

_WARM_UP = 5


def run(case: dict[str, Any]) -> dict[str, Any]:
    """Measure.

    Args:
        case: `items`, `users` and `truth`: .npy files of vectors and of the exact answer [q, k]; `kind`;
            `floor`: recall that an approximate index is tuned to; `memory_mb`: bound for `auto`, or null.

    Returns:
        Seconds to build, and of CPU; MB of the index, which is loaded whole, and of the most that building
        took; recall; milliseconds a query (one user at a time, one thread), of which `cpu_ms` is the thread's
        own time, which other work on the machine does not stretch; and what was chosen.
    """
    items = np.load(case["items"], mmap_mode="r")
    users, truth = np.load(case["users"]), np.load(case["truth"])
    begun, begun_cpu = time.perf_counter(), time.process_time()
    built = build(items, case["kind"], users[: len(users) // 2], case["memory_mb"])
    build_s, build_cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    # Tuned on one half of the users and measured on the other.
    half = len(users) // 2
    effort = {}
    if case["kind"] != "auto":
        effort = tune(built._index, users[:half], truth[:half], case["floor"])[1]
    meta = built.meta
    with tempfile.TemporaryDirectory() as folder:
        built.save(Path(folder))
        peak_mb = status_mb("VmHWM")
        del built
        gc.collect()
        size_mb = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
        index = Index.load(Path(folder))
    times, own, hits = [], [], 0
    for user, best in zip(users[half:], truth[half:], strict=True):
        began, began_own = time.perf_counter(), time.thread_time()
        found = index.search(user[None], truth.shape[1])[1]
        times.append((time.perf_counter() - began) * 1e3)
        own.append((time.thread_time() - began_own) * 1e3)
        hits += int(np.isin(found[0], best).sum())
    return {
        "kind": case["kind"],
        "chosen": meta.kind,
        "items": len(items),
        "recall": round(hits / truth[half:].size, 4),
        **summarise(times[_WARM_UP:]),
        "least_ms": round(min(times), 3),
        "cpu_ms": round(float(np.median(own[_WARM_UP:])), 3),
        "build_s": round(build_s, 1),
        "build_cpu_s": round(build_cpu_s, 2),
        "index_mb": round(size_mb, 3),
        "build_peak_mb": round(peak_mb, 1),
        "parameters": meta.parameters | effort,
        "reason": meta.reason,
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
