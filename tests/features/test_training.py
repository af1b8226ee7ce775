from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys import schema
from recsys.data.dataset import Dataset
from recsys.errors import BadData, BadUse
from recsys.features.training import default_age, feature_rows, training_blocks, training_rows
from recsys.settings import TrainingSettings

DAY = 24 * 3600
RAW = [*schema.USER_RAW, schema.VISITOR, *schema.CONTEXT_RAW, *schema.ITEM_RAW, "click", schema.EVENT]
ALL_MASKED = TrainingSettings(mask_user_share=1.0, mask_device_share=0.0)


def write_dataset(path, days):
    """Items 10..13 of categories 0, 0, 1, 2; users 7 and 8; `days` are lists of rows with named columns."""
    items = pd.DataFrame(
        {
            "item_id": [10, 11, 12, 13],
            "price": np.array([1.5, 2.5, 3.5, 4.5], "float32"),
            "category_l1": [0, 0, 1, 2],
            "category_l2": [5, 6, 7, 8],
            "item_gender": [0, 1, 2, 0],
        }
    )
    items.to_parquet(path / schema.ITEMS_FILE)
    pd.DataFrame({"item_id": items.item_id, "product_description": "x"}).to_parquet(
        path / schema.DESCRIPTIONS_FILE
    )
    pd.DataFrame({"user_id": [8, 7], "age": [20, 31], "gender": [0, 1]}).to_parquet(path / schema.USERS_FILE)
    for day, rows in enumerate(days):
        pd.DataFrame(rows).to_parquet(path / schema.DAY_FILE.format(day=day))
    return Dataset.open(path)


def event(user_id, item_id, timestamp, **more):
    return {"user_id": user_id, "item_id": item_id, "timestamp": timestamp, "device_type": 1, **more}


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(
        tmp_path,
        [
            [event(7, 10, 100), event(8, 12, 200), event(7, 11, 300)],
            [event(7, 13, DAY + 400), event(7, 13, DAY + 400), event(8, 13, DAY + 500)],
        ],
    )


def test_columns_and_dtypes(dataset):
    for rows in (training_rows(dataset, [0, 1]), training_rows(dataset, [0, 1], masked=False)):
        assert list(rows.columns) == RAW
        dtypes = {name: rows[name].dtype for name in RAW}
        assert {name for name in RAW if dtypes[name] != np.int64} == {"age", "price", "click", "event"}
        assert (dtypes["age"], dtypes["price"], dtypes["click"]) == ("float32", "float32", "int8")


def test_joins_users_and_items(dataset):
    rows = training_rows(dataset, [0], masked=False)
    assert rows[["user_id", "age", "gender"]].values.tolist() == [[7, 31, 1], [8, 20, 0], [7, 31, 1]]
    assert rows[["item_id", "price", "category_l1", "category_l2", "item_gender"]].values.tolist() == [
        [10, 1.5, 0, 5, 0],
        [12, 3.5, 1, 7, 2],
        [11, 2.5, 0, 6, 1],
    ]
    assert rows["click"].tolist() == [1, 1, 1]


def test_history_reaches_back_over_days_but_never_forward(dataset):
    assert training_rows(dataset, [0], masked=False)["top_category"].tolist() == [-1, -1, 0]
    # Day 1 alone is asked for; day 0 is still remembered, and clicks of one moment do not see each other.
    assert training_rows(dataset, [1], masked=False)["top_category"].tolist() == [0, 0, 1]
    without = training_rows(dataset, [1], masked=False, history_days=[])
    assert without["top_category"].tolist() == [-1, -1, -1]


def test_exposures_without_click_are_rows_but_not_history(tmp_path):
    dataset = write_dataset(
        tmp_path,
        [
            [
                event(7, 12, 1, click=0),
                event(7, 13, 2, click=1),
                event(7, 12, 3, click=0),
                event(7, 10, 4, click=0),
            ]
        ],
    )
    rows = training_rows(dataset, [0], masked=False)
    assert rows["click"].tolist() == [0, 1, 0, 0]
    assert rows["top_category"].tolist() == [-1, -1, 2, 2]


def test_masking_follows_the_settings_and_keeps_the_features_of_others(dataset):
    rows = training_rows(dataset, [0, 1], settings=ALL_MASKED)
    assert (rows[["user_id", "gender", "top_category"]] == -1).all(axis=None)
    assert (rows["age"] == np.float32(default_age(dataset))).all()
    assert default_age(dataset) == 25.5
    assert (training_rows(dataset, [0], mean_age=40, settings=ALL_MASKED)["age"] == 40).all()


def test_blocks_are_the_rows_a_day_at_a_time(dataset):
    for more in ({"settings": ALL_MASKED}, {"masked": False}, {"masked": False, "history_days": [1]}):
        blocks = list(training_blocks(dataset, [0, 1], **more))
        assert [len(block) for block in blocks] == [3, 3]
        whole = training_rows(dataset, [0, 1], **more)
        pd.testing.assert_frame_equal(pd.concat(blocks, ignore_index=True), whole)
    (_, second) = training_blocks(dataset, [0, 1], masked=False)
    assert second["top_category"].tolist() == [0, 0, 1]  # of the day before


def test_feature_rows_equal_training_rows_and_keep_the_index(dataset):
    history = dataset.interactions([0, 1])
    sample = history.sample(frac=1.0, random_state=3)
    expected = training_rows(dataset, [0, 1], masked=False).loc[sample.index]
    pd.testing.assert_frame_equal(feature_rows(dataset, sample, history), expected)


def test_feature_rows_are_the_callers_to_change(dataset):
    history = dataset.interactions([0, 1])
    before = history.copy()
    rows = feature_rows(dataset, history, history)
    for name in rows:
        rows[name].to_numpy()[:] = 0
    pd.testing.assert_frame_equal(history, before)
    assert dataset.items["price"].tolist() == [1.5, 2.5, 3.5, 4.5]


def test_unknown_ids_and_days_are_refused_by_name(tmp_path):
    dataset = write_dataset(tmp_path, [[event(7, 99, 1)], [event(70, 10, 1)]])
    with pytest.raises(BadData, match=r"column item_id: 1 rows name one that items.parquet .* 99 first"):
        training_rows(dataset, [0])
    with pytest.raises(BadData, match=r"column user_id: 1 rows name one that users.parquet .* 70 first"):
        training_rows(dataset, [1], history_days=[])
    with pytest.raises(BadUse, match="day 2"):
        training_rows(dataset, [2])
