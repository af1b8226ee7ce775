from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsys.features.workflows import Workflows, fit
from recsys.models.examples import Catalogue, Examples
from recsys.settings import RankingSettings, RetrievalSettings, TrainingSettings

ITEMS = 40
USERS = 30
ROWS = 3_000
FIRST_ID = 1_000


@dataclass(frozen=True)
class Shop:
    items: pd.DataFrame
    rows: pd.DataFrame
    workflows: Workflows
    catalogue: Catalogue
    examples: Examples


def tiny_rows(items: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Users click in the category that their number says, nine times out of ten."""
    rng = np.random.default_rng(seed)
    user = rng.integers(USERS, size=ROWS)
    usual = rng.random(ROWS) < 0.9
    category = np.where(usual, user % 4, rng.integers(4, size=ROWS))
    row = category * (ITEMS // 4) + rng.integers(ITEMS // 4, size=ROWS)
    masked = rng.random(ROWS) < 0.05
    columns = {
        "user_id": np.where(masked, -1, user),
        "age": np.where(masked, 40, 20 + user).astype(np.float32),
        "gender": np.where(masked, -1, user % 2),
        "top_category": np.where(masked, -1, user % 4),
        "device_type": rng.integers(3, size=ROWS),
        "timestamp": 1_754_006_400 + np.sort(rng.integers(9 * 86_400, size=ROWS)),
        **{name: items[name].to_numpy()[row] for name in items},
        "click": np.ones(ROWS, dtype=np.int8),
    }
    return pd.DataFrame(columns)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    rng = np.random.default_rng(1)
    index = np.arange(ITEMS)
    items = pd.DataFrame(
        {
            "item_id": FIRST_ID + index,
            "price": rng.uniform(1, 100, ITEMS).astype(np.float32),
            "category_l1": index // (ITEMS // 4),
            "category_l2": index // 5,
            "item_gender": index % 3,
        }
    )
    rows = tiny_rows(items)
    workflows = fit(rows, items, tmp_path_factory.mktemp("workflows"))
    tables = rng.normal(size=(2, ITEMS, 64)).astype(np.float32)
    catalogue = Catalogue.build(items, workflows, *tables)
    return Shop(items, rows, workflows, catalogue, Examples.build(rows, catalogue, workflows))


@pytest.fixture(scope="session")
def training() -> TrainingSettings:
    """Enough steps to learn the tiny shop, in seconds."""
    return TrainingSettings(
        validation_share=0.3,
        validation_rows=100,
        retrieval=RetrievalSettings(
            query_tower="context", epochs=2, steps_per_epoch=20, least_steps=40, clicks=8, hidden=16
        ),
        ranking=RankingSettings(
            steps_per_epoch=20, least_steps=20, embedding_dim=8, bottom=(8,), top=(8,), validation_rows=50
        ),
    )


@pytest.fixture(scope="session")
def tower(shop: Shop, training: TrainingSettings):
    from recsys.models import two_tower

    return two_tower.train(shop.rows, shop.catalogue, shop.workflows, training)


@pytest.fixture(scope="session")
def towers_dir(tower, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from recsys.models import export

    folder = tmp_path_factory.mktemp("towers")
    export.export_towers(tower, folder)
    return folder


@pytest.fixture(scope="session")
def ranker(shop: Shop, training: TrainingSettings, towers_dir: Path):
    from recsys.models import dlrm

    return dlrm.train(shop.rows, shop.catalogue, shop.workflows, training, lambda *_: None, towers_dir)


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What tf2onnx makes of models, before tables are put into it."""
    import onnx

    from recsys.models import conversion

    found: list[Any] = []
    convert = conversion._converted

    def noting(*arguments: Any) -> Any:
        found.append(convert(*arguments))
        return onnx.ModelProto.FromString(found[-1].SerializeToString())

    monkeypatch.setattr(conversion, "_converted", noting)
    return found
