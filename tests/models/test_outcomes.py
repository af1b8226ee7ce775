from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import BadData
from recsys.models.metrics import MISSED
from recsys.models.outcomes import OUTCOMES_FILE, Outcomes, item_counts, row_keys

_ROWS = {
    "row": np.arange(3),
    "user": np.array([5, 5, 7]),
    "chain_rank": np.array([1, MISSED, 3]),
    "retrieval_rank": np.array([2, 0, 1]),
}


def test_a_missed_click_has_rank_zero() -> None:
    assert Outcomes.of(**_ROWS)["chain_rank"].tolist() == [1, 0, 3]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    segments = {"device": (np.array([0, 1, 0]), ("mobile", "desktop"))}
    pairs = {f"pair_{name}": np.ones(2) for name in ("row", "user", "label", "score", "probability")}
    saved = Outcomes.of(segments, **_ROWS, **pairs)
    assert saved.save(tmp_path).name == OUTCOMES_FILE
    loaded = Outcomes.load(tmp_path)
    assert set(loaded.arrays) == set(saved.arrays)
    for name, values in saved.arrays.items():
        assert loaded[name].dtype == values.dtype
        np.testing.assert_array_equal(loaded[name], values)
    codes, names = loaded.segments["device"]
    assert (codes.tolist(), names) == ([0, 1, 0], ("mobile", "desktop"))
    assert len(loaded["item_id"]) == 0


def test_parts_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="arrays of rows differ in length"):
        Outcomes.of(row=np.arange(3))
    with pytest.raises(ValueError, match="arrays of rows"):
        Outcomes.of({"device": (np.zeros(2), ("mobile",))}, **_ROWS)
    with pytest.raises(ValueError, match="no such arrays: rank"):
        Outcomes.of(rank=np.arange(3))


@pytest.mark.parametrize("content", [None, b"no archive", b"PK\x03\x04 cut"])
def test_a_file_that_is_not_one_is_bad_data(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / OUTCOMES_FILE).write_bytes(content)
    with pytest.raises(BadData, match="Evaluate the release again"):
        Outcomes.load(tmp_path)


_IDS = st.integers(-(2**62), 2**62)


@given(
    rows=st.lists(st.tuples(_IDS, _IDS, _IDS), min_size=1, max_size=30, unique=True), seed=st.integers(0, 99)
)
def test_keys_follow_the_row_and_differ_between_rows(rows: list[tuple[int, int, int]], seed: int) -> None:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"], dtype=np.int64)
    keys = row_keys(frame)
    assert len(set(keys.tolist())) == len(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    np.testing.assert_array_equal(row_keys(frame.iloc[order]), keys[order])


def test_lists_are_counted_by_item_and_pads_are_none() -> None:
    assert item_counts(np.array([[0, 2], [2, -1]]), 4).tolist() == [1, 0, 2, 0]
