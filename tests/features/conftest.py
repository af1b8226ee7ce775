"""A small shop with awkward ids, and the workflows fitted on it, shared by the tests of this folder."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

INT64 = np.iinfo(np.int64)
USERS = [INT64.min, -7, 0, 3, 10**12, INT64.max]
SILENT_USER = 99  # known to the shop, without training events
CATEGORIES = [0, 4, INT64.max]


def make_items():
    return pd.DataFrame(
        {
            "item_id": np.array([INT64.min, -5, 0, 8, 9, 2**40, INT64.max]),
            "price": np.array([1e-6, 0.5, 10, 12.5, 300, 4e4, 1e9], "float32"),
            "category_l1": np.array([0, 0, 4, 4, 4, INT64.max, INT64.max]),
            "category_l2": np.array([70, 71, 72, 72, 73, 74, 75]),
            "item_gender": np.array([0, 1, 2, 0, 1, 2, 0]),
        }
    )


def make_rows(rows=200, seed=0):
    """Training rows in which a user is unknown, a device is unknown, and the last item is never clicked."""
    rng = np.random.default_rng(seed)
    items = make_items().iloc[rng.integers(0, 6, rows)].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "user_id": rng.choice(np.array(USERS), rows),
            "age": rng.integers(16, 80, rows).astype("float32"),
            "gender": rng.integers(0, 2, rows),
            "top_category": rng.choice(np.array([-1, *CATEGORIES]), rows),
            "device_type": rng.integers(-1, 3, rows),
            "timestamp": 1_754_006_400 + rng.integers(0, 14 * 86_400, rows),
        }
    )
    masked = rng.random(rows) < 0.1
    frame.loc[masked, ["user_id", "gender", "top_category"]] = -1
    frame.loc[masked, "age"] = 1000.0  # would show in the statistics
    return pd.concat([frame, items], axis=1).assign(click=np.int8(1))


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """The rows, items, fitted workflows, their folder, and the folder of their array form."""
    from recsys.features import workflows

    out_dir = tmp_path_factory.mktemp("workflows")
    arrays_dir = tmp_path_factory.mktemp("arrays")
    rows, items = make_rows(), make_items()
    fitted = workflows.fit(rows, items, out_dir)
    workflows.export_arrays(fitted, arrays_dir)
    return SimpleNamespace(rows=rows, items=items, workflows=fitted, out_dir=out_dir, arrays_dir=arrays_dir)
