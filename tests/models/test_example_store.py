"""Examples read from a file a part at a time are those of the frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.features import row_file
from recsys.features.row_file import RowFile
from recsys.models.example_store import clicked_examples, newest_examples
from recsys.models.examples import hold_out


@pytest.fixture
def rows(shop):
    frame = shop.rows.sort_values("timestamp", kind="stable", ignore_index=True)
    return frame.assign(click=(np.arange(len(frame)) % 4 > 0).astype(np.int8), visitor=frame["user_id"])


@pytest.fixture
def file(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(row_file, "PART_ROWS", 70)
    return RowFile.write(tmp_path / "rows.parquet", (rows[at : at + 100] for at in range(0, len(rows), 100)))


def same(one, other):
    assert len(one) == len(other)
    assert one.inputs.keys() == other.inputs.keys()
    for left, right in zip(one.columns(), other.columns(), strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    for left, right in zip(one.look_back().values(), other.look_back().values(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_file_is_the_frame(file, rows):
    assert len(file) == len(rows)
    assert len(file.parts()) > 3
    pd.testing.assert_frame_equal(pd.concat(file.frames(), ignore_index=True), rows)
    pd.testing.assert_frame_equal(file.newest(130), rows.tail(130).reset_index(drop=True))
    assert file.count("click", 1) == (rows["click"] == 1).sum()


def test_clicked_examples_are_on_disk_and_equal(file, rows, shop):
    with (
        clicked_examples(rows, shop.catalogue, shop.workflows) as expected,
        clicked_examples(file, shop.catalogue, shop.workflows) as found,
    ):
        assert all(isinstance(column, np.memmap) for column in found.columns())
        same(found, expected)
        batch = np.array([5, 3, 90])
        same(found.take(batch), expected.take(batch))
        for one, other in zip(
            hold_out(found, 0.4, 1_000, seed=3), hold_out(expected, 0.4, 1_000, seed=3), strict=True
        ):
            assert len(one) > 0
            same(one, other)


def test_the_newest_look_back_on_all(file, rows, shop):
    found, expected = (newest_examples(one, 60, shop.catalogue, shop.workflows) for one in (file, rows))
    same(found, expected)
    assert (found.look_back()["recent_items"] >= 0).any()
