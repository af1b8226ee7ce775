"""The speed floor: the same stages in this bare process, one thread, no server and no client in between.

Like `recsys.bench.load` a program: plan in on stdin, outcome out on stdout.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle
from pathlib import Path

import numpy as np

from recsys.bench.cell import Outcome, Plan
from recsys.bench.window import Window
from recsys.serving.chain import Chain
from recsys.settings import Settings
from recsys.valkey import connect


def answer(plan: Plan) -> Outcome:
    """Carry out a plan in this process.

    Args:
        plan: Its release and settings say what to load; its target and model are passed over.

    Returns:
        What came of it, with the memory of this process.
    """
    settings = Settings(**plan.settings)
    chain = Chain(Path(plan.release_dir), settings, connect(settings.valkey))
    users = np.random.default_rng(plan.seed).permutation(np.asarray(plan.users, np.int64))
    batches = cycle(np.resize(users, (min(512, len(users)), plan.cell.rows, 1)))
    chain.run({"user_id": next(batches)})  # what is lazy is not part of the measured time
    window = Window(plan)
    try:
        while not window.is_over():
            began = time.perf_counter()
            found = chain.run({"user_id": next(batches)})
            window.answered(began, bool(found["degraded"].any()))
        return window.close(pss=True)
    finally:
        chain.close()


if __name__ == "__main__":
    json.dump(answer(Plan.from_json(json.load(sys.stdin))).to_json(), sys.stdout)
