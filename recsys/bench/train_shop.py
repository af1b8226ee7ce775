"""Makes a synthetic shop in this process: plan in on stdin, figures out on stdout, both JSON."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from recsys.bench.machine import cpu_seconds, status_mb
from recsys.bench.random_shop import write_random_shop
from recsys.data.synthetic.generate import generate


def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Make it.

    Args:
        plan: `folder`, `users`, `items`, `rows` and `seed`, see `generate`; and `random`, whether nobody has
            a taste (`recsys.bench.random_shop`).

    Returns:
        Seconds, the process's CPU time, and its greatest memory in MB.
    """
    begun = time.perf_counter()
    shutil.rmtree(plan["folder"], ignore_errors=True)  # of a run that broke
    sizes = {name: plan[name] for name in ("users", "items", "rows", "seed")}
    if plan["random"]:
        write_random_shop(Path(plan["folder"]), **sizes)
    else:
        generate(Path(plan["folder"]), **sizes, images=False)
    return {
        "step": plan["step"],
        "seconds": round(time.perf_counter() - begun, 2),
        "cpu_s": cpu_seconds(),
        "arithmetic_s": None,
        "peak_mb": round(status_mb("VmHWM"), 1),
        "notes": {},
    }


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
