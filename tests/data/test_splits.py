from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.data.dataset import Dataset
from recsys.data.splits import (
    evaluation_sample,
    positives,
    split_by_time,
    train_days,
    valid_days,
    with_split,
    write_split,
)
from recsys.errors import BadData, BadUse


def _raw_validation(shop):
    return pd.concat([pd.read_parquet(shop / f"day_{d:02d}.parquet") for d in (9, 10, 11)], ignore_index=True)


def test_days_of_training_and_validation(shop):
    dataset = Dataset.open(shop)
    assert train_days(dataset) == list(range(9))
    assert valid_days(dataset) == [9, 10, 11]


def test_days_that_are_not_there_are_left_out_and_none_is_an_error(shop):
    for day in (9, 11):
        (shop / f"day_{day:02d}.parquet").unlink()
    assert valid_days(Dataset.open(shop)) == [10]
    (shop / "day_10.parquet").unlink()
    with pytest.raises(BadData, match=r"no validation day. Add one of day_09.parquet to day_11.parquet"):
        valid_days(Dataset.open(shop))


def test_the_sample_is_pandas_own_over_the_files_in_order(spoil):
    shop = spoil("day_09.parquet", lambda f: f.iloc[::-1])  # not sorted by time
    expected = _raw_validation(shop).sample(500, random_state=0)
    sample = evaluation_sample(Dataset.open(shop), rows=500)
    assert sample.index.tolist() == expected.index.tolist()
    for column in ("user_id", "item_id", "timestamp", "device_type"):
        assert sample[column].tolist() == expected[column].tolist()


def test_a_small_data_set_gives_all_its_rows(shop):
    sample = evaluation_sample(Dataset.open(shop))
    assert len(sample) == 600
    assert sorted(sample.index) == list(range(600))


def test_only_clicks_are_positives(spoil):
    for day in (9, 10, 11):
        shop = spoil(f"day_{day:02d}.parquet", lambda f: f.assign(click=np.arange(len(f)) % 2))
    raw = _raw_validation(shop)
    expected = raw[raw.click == 1].reset_index(drop=True).sample(100, random_state=0)
    sample = evaluation_sample(Dataset.open(shop), rows=100)
    assert sample["timestamp"].tolist() == expected["timestamp"].tolist()
    assert (sample["click"] == 1).all()


def test_no_click_at_all_is_an_error(spoil):
    for day in (9, 10, 11):
        shop = spoil(f"day_{day:02d}.parquet", lambda f: f.assign(click=0))
    with pytest.raises(BadData, match="no row of the validation days was clicked"):
        evaluation_sample(Dataset.open(shop))


def test_positives_without_a_click_column_are_all_rows():
    frame = pd.DataFrame({"item_id": [1, 2]}, index=[5, 6])
    assert positives(frame)["item_id"].tolist() == [1, 2]


def test_days_that_validate_come_after_all_that_train():
    assert split_by_time(range(14), [2, 0, 1]) == {"train": [0, 1, 2], "valid": [3, 4, 5]}
    assert split_by_time(range(14), range(13)) == {"train": list(range(13)), "valid": [13]}


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ([3], "no day comes after"),
        ([], "no day comes after"),
        ([0, 7], "day 7: the data set does not hold it"),
    ],
)
def test_a_split_that_cannot_be_is_refused(train, said):
    with pytest.raises(BadUse, match=said):
        split_by_time(range(4), train)


def test_everyone_who_opens_the_copy_takes_the_split_written_beside_it(shop):
    before = Dataset.open(shop)
    write_split(before, range(11))
    after = Dataset.open(shop)
    assert (train_days(after), valid_days(after)) == (list(range(11)), [11])
    assert after.fingerprint() == before.fingerprint()


def test_a_split_in_memory_leaves_the_files_alone(shop):
    dataset = with_split(Dataset.open(shop), [0, 1])
    assert (train_days(dataset), valid_days(dataset)) == ([0, 1], [2, 3, 4])
    assert valid_days(Dataset.open(shop)) == [9, 10, 11]
