"""The two-tower model's own step at the size of a large shop, alone.

    python -m recsys.bench.train_step USERS BATCH ROWS

CPU seconds of gathering a batch and of the step, after the first, which traces the graph; rows are random.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.bench.machine import load_average, status_mb
from recsys.bench.random_shop import write_random_shop
from recsys.data.dataset import Dataset
from recsys.features.training import training_rows
from recsys.features.workflows import fit
from recsys.models.examples import Catalogue, Examples
from recsys.models.retrieval import RetrievalTrainer
from recsys.models.two_tower import _click_history, build
from recsys.settings import TrainingSettings

_ITEMS: Final = 2_465
_STEPS: Final = 4


def measure_step(users: int, batch: int, rows: int, settings: TrainingSettings) -> dict[str, Any]:
    """Takes a few steps.

    Args:
        users: Of the shop.
        batch: Rows a step.
        rows: Of the shop's one day; half of them are clicks.
        settings: The recipe.
    """
    with tempfile.TemporaryDirectory(prefix="recsys-bench-") as scratch:
        write_random_shop(Path(scratch, "shop"), users=users, items=_ITEMS, rows=rows, days=1)
        dataset = Dataset.open(Path(scratch, "shop"))
        frame = training_rows(dataset, [0], settings=settings)
        workflows = fit(frame, dataset.items, Path(scratch, "workflows"))
        none = np.zeros((2, _ITEMS, 64), dtype=np.float32)
        catalogue = Catalogue.build(dataset.items, workflows, *none)
        began = time.process_time()
        examples = Examples.build(frame[frame["click"] == 1], catalogue, workflows)
        transforming = time.process_time() - began
        model = build(workflows, settings.retrieval, settings.seed)
        history = _click_history(workflows, catalogue, examples, settings)
        spent = _steps(RetrievalTrainer(model, history, catalogue, examples, settings), len(examples), batch)
    gathering, stepping = np.median(spent[1:], axis=0)
    return {
        "users": users,
        "batch": batch,
        "transform_us_a_row": round(1e6 * transforming / len(examples), 2),
        "gather_cpu_s": round(float(gathering), 4),
        "step_cpu_s": round(float(stepping), 3),
        "cpu_us_a_row": round(1e6 * float(gathering + stepping) / batch, 1),
        "peak_mb": round(status_mb("VmHWM")),
        "load_average": load_average(),
    }


def _steps(trainer: RetrievalTrainer, rows: int, batch: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(0)
    spent = []
    for _ in range(_STEPS):
        began = time.process_time()
        gathered = trainer._gather(rng.integers(rows, size=batch))
        between = time.process_time()
        float(trainer._one(gathered, 0.001))
        spent.append((between - began, time.process_time() - between))
    return spent


if __name__ == "__main__":
    asked = [int(float(word)) for word in sys.argv[1:4]]
    json.dump(measure_step(asked[0], asked[1], asked[2], TrainingSettings()), sys.stdout)
