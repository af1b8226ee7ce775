from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from factories.shop import make_shop
from kfp.dsl import Dataset, Metrics

from components.validate import validate
from recsys.data.dataset import Dataset as ShopData


def test_clean_copy_and_counts(tmp_path: Path, artefact: Any) -> None:
    shop = make_shop(tmp_path / "shop", days=range(2))
    day = pd.read_parquet(shop / "day_01.parquet")
    day.loc[[3, 4], "user_id"] = -5
    day.to_parquet(shop / "day_01.parquet")
    source, data, report = artefact(Dataset, "s", shop), artefact(Dataset, "data"), artefact(Metrics, "m")
    validate.python_func(source=source, data=data, report=report)
    assert report.metadata["quarantined"] == 2
    assert report.metadata["day_01.parquet rows"] == 400
    assert len(ShopData.open(data.path).interactions([1])) == 398
