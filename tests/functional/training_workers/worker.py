"""One of the processes that train together: folder of artefacts in, what was learned out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from recsys.models.parallel import here

if __name__ == "__main__":
    workers = here()  # before anything else of TensorFlow

    import pandas as pd

    from recsys.features.workflows import load
    from recsys.models import two_tower
    from recsys.models.examples import Catalogue, Examples
    from recsys.settings import TrainingSettings

    folder = Path(sys.argv[1])
    settings = TrainingSettings.model_validate_json((folder / "recipe.json").read_bytes())
    workflows = load(folder / "workflows")
    rows = pd.read_parquet(folder / "rows.parquet")
    tables = np.load(folder / "tables.npy")
    catalogue = Catalogue.build(pd.read_parquet(folder / "items.parquet"), workflows, *tables)
    trained = two_tower.train(rows, catalogue, workflows, settings, workers=workers)
    some = Examples.build(rows, catalogue, workflows).take(np.arange(50)).looking_back()
    np.savez(
        folder / f"learned_{workers.rank}_of_{workers.count}.npz",
        items=trained.embed_items(catalogue),
        users=trained.embed_users(some.inputs),
        history=np.array(json.dumps(trained.history)),
    )
