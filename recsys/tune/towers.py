"""The three query towers on the same rows: what context and clicks bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from recsys.settings import Settings
from recsys.tune.apart import apart
from recsys.tune.overrides import changed
from recsys.tune.progress import Progress, named, silent
from recsys.tune.runs import Bench, open_dataset

TOWERS: Final = ("static", "context", "session")
_MEASURED: Final = "measured.json"


def compare_towers(
    bench: Bench,
    settings: Settings,
    progress: Progress = silent,
) -> dict[str, dict[str, Any]]:
    """Trains each query tower and measures how it answers to clicks.

    Args:
        bench: Where runs are made and kept; only towers are, so it needs a folder of its own.
        settings: The recipe but for its query tower.
        progress: Told what is being done, and which share of it is.

    Returns:
        {"static" | "context" | "session": as `recsys.models.reaction.measure`, with "seconds" of training}.
    """
    found = {}
    for number, name in enumerate(TOWERS):
        own = changed(settings, {"training.retrieval.query_tower": name})
        told = named(progress, f"{name} tower", number / len(TOWERS))
        seconds = bench.train_towers(own, told)["seconds"]
        folder = bench.folder_of(own)
        if not (folder / _MEASURED).is_file():
            told("clicks")
            measured = apart(_measure, bench, own, folder)
            (folder / _MEASURED).write_text(json.dumps(measured))
        found[name] = json.loads((folder / _MEASURED).read_text(encoding="utf-8")) | {"seconds": seconds}
    return found


def _measure(bench: Bench, settings: Settings, folder: Path) -> dict[str, Any]:
    from recsys.models.reaction import Rows, Tower, measure
    from recsys.tune.runs import vectors_of

    dataset = open_dataset(bench.data, bench.train)
    tower = Tower.load(folder / "towers", folder / "serving", vectors_of(dataset, folder))
    return measure(tower, Rows.of(dataset, settings))
