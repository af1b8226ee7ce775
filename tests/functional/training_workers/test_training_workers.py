"""Two processes that train together, as a TFJob starts them, learn what one learns alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.local.ports import free_port
from recsys.settings import RetrievalSettings, TrainingSettings

pytestmark = pytest.mark.functional

WORKER = Path(__file__).with_name("worker.py")
ITEMS, ROWS, USERS = 40, 600, 30


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny shop, the workflows fitted on it, and a recipe in which the models themselves draw nothing."""
    from recsys.features.workflows import fit

    folder = tmp_path_factory.mktemp("artefacts")
    rng = np.random.default_rng(3)
    index = np.arange(ITEMS)
    items = pd.DataFrame(
        {
            "item_id": 100 + index,
            "price": rng.uniform(1, 100, ITEMS).astype(np.float32),
            "category_l1": index // 10,
            "category_l2": index // 5,
            "item_gender": index % 3,
        }
    )
    user, clicked = rng.integers(USERS, size=ROWS), rng.integers(ITEMS, size=ROWS)
    raw = {
        "user_id": user,
        "age": (20 + user).astype(np.float32),
        "gender": user % 2,
        "top_category": user % 4,
        "device_type": rng.integers(3, size=ROWS),
        "timestamp": 1_754_006_400 + np.sort(rng.integers(9 * 86_400, size=ROWS)),
        **{name: items[name].to_numpy()[clicked] for name in items},
        "click": np.ones(ROWS, dtype=np.int8),
    }
    rows = pd.DataFrame(raw)
    rows.to_parquet(folder / "rows.parquet")
    items.to_parquet(folder / "items.parquet")
    np.save(folder / "tables.npy", rng.normal(size=(2, ITEMS, 64)).astype(np.float32))
    fit(rows, items, folder / "workflows")
    recipe = TrainingSettings(
        validation_share=0.3,
        validation_rows=50,
        retrieval=RetrievalSettings(
            epochs=2, steps_per_epoch=8, least_steps=8, clicks=4, hidden=8, session_width=8, dropout=0.0
        ),
    )
    (folder / "recipe.json").write_text(recipe.model_dump_json())
    return folder


def started(folder: Path, config: dict[str, object] | None) -> subprocess.Popen[str]:
    environment = {**os.environ, "TF_CONFIG": json.dumps(config or {}), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def learned(artefacts: Path) -> dict[str, dict[str, np.ndarray]]:
    """What each process has learned: alone, and the two of a pair."""
    addresses = [f"127.0.0.1:{port}" for port in (free_port(), free_port())]
    configs = [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}} for rank in (0, 1)
    ]
    processes = [started(artefacts, config) for config in (None, *configs)]
    try:
        for process in processes:
            said, _ = process.communicate(timeout=600)
            assert process.returncode == 0, said
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return {path.stem: dict(np.load(path)) for path in artefacts.glob("learned_*.npz")}


def test_two_learn_what_one_learns(learned: dict[str, dict[str, np.ndarray]]) -> None:
    alone = learned["learned_0_of_1"]
    assert np.abs(alone["items"]).mean() > 0.01
    for rank in (0, 1):
        one = learned[f"learned_{rank}_of_2"]
        for name in ("items", "users"):
            np.testing.assert_allclose(one[name], alone[name], atol=1e-2 * np.abs(alone[name]).max())


def test_the_two_are_one_model_and_stop_together(learned: dict[str, dict[str, np.ndarray]]) -> None:
    first, second = (learned[f"learned_{rank}_of_2"] for rank in (0, 1))
    np.testing.assert_allclose(first["items"], second["items"], rtol=1e-6, atol=1e-7)
    histories = [json.loads(str(one["history"])) for one in (first, second)]
    assert len(histories[0]) == len(histories[1])
    assert histories[0][-1]["hit@10"] == histories[1][-1]["hit@10"]
    assert histories[0][0]["loss"] != histories[1][0]["loss"]  # each has rows of its own
