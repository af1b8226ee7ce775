from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data import tables
from recsys.errors import BadData

ANY = tables.TableSchema({"a": np.dtype("int64")}, {"b": np.dtype("float32"), "c": np.dtype("O")})
SMALL = tables.TableSchema({"a": np.dtype("int8")}, {"stock": np.dtype("int64")})


def _read(tmp_path, columns, table=ANY):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(columns), path)
    return tables.read_converted(path, table)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_every_int64_comes_back_as_it_was(tmp_path_factory, values):
    read = _read(tmp_path_factory.mktemp("t"), {"a": pa.array(values, pa.int64())})["a"]
    assert read.values.tolist() == values
    assert not read.bad.any()


@given(st.lists(st.one_of(st.none(), st.floats(width=64)), min_size=1))
def test_floats_are_taken_for_integers_only_where_they_are_exact(tmp_path_factory, values):
    read = _read(tmp_path_factory.mktemp("t"), {"a": pa.array(values, pa.float64())})["a"]
    for value, got, bad in zip(values, read.values.tolist(), read.bad.tolist(), strict=True):
        fits = value is not None and abs(value) < 2**53 and value == int(value)
        assert bad != fits
        assert got == (value if fits else -1)


def test_unsigned_and_narrow_integers_are_checked_against_the_range(tmp_path):
    read = _read(tmp_path, {"a": pa.array([1, 2**63], pa.uint64())})["a"]
    assert read.bad.tolist() == [False, True]
    read = _read(tmp_path, {"a": pa.array([127, 128, -129], pa.int64())}, SMALL)["a"]
    assert read.bad.tolist() == [False, True, True]


def test_a_missing_text_is_empty_and_an_unknown_stock_is_minus_one(tmp_path):
    read = _read(tmp_path, {"a": [1, 2], "c": ["x", None]})
    assert read["c"].values.tolist() == ["x", ""]
    read = _read(tmp_path, {"a": [1, 2], "stock": [5, None]}, SMALL)["stock"]
    assert read.values.tolist() == [5, -1]
    assert not read.bad.any()


def test_a_price_beyond_float32_is_bad(tmp_path):
    read = _read(tmp_path, {"a": [1, 2, 3], "b": [1.5, 1e300, np.nan]})["b"]
    assert read.bad.tolist() == [False, True, True]


def test_a_column_of_nothing_but_missing_values_is_read(tmp_path):
    read = _read(tmp_path, {"a": pa.nulls(2), "c": pa.nulls(2)})
    assert read["a"].bad.tolist() == [True, True]
    assert read["c"].values.tolist() == ["", ""]


def test_dictionary_columns_are_read(tmp_path):
    read = _read(
        tmp_path, {"a": pa.array([3, 3]).dictionary_encode(), "c": pa.array(["x", "y"]).dictionary_encode()}
    )
    assert read["a"].values.tolist() == [3, 3]
    assert read["c"].values.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"b": [1.0]}, r"t.parquet column a: the column is missing. Needed are a."),
        ({"a": ["1"]}, r"t.parquet column a: holds string, not int64"),
        ({"a": pa.array([0], pa.timestamp("ms"))}, r"column a: holds timestamp\[ms\], not int64"),
        ({"a": [1], "c": [2]}, r"column c: holds int64, not text"),
        ({"a": [1], "b": [True]}, r"column b: holds bool, not float32"),
    ],
)
def test_columns_of_another_kind_are_refused(tmp_path, columns, message):
    with pytest.raises(BadData, match=message):
        _read(tmp_path, columns)


def test_a_truncated_file_and_one_that_is_none_are_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": np.arange(1000)}), path)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"not parquet at all"):
        path.write_bytes(broken)
        with pytest.raises(
            BadData, match=r"t.parquet: not a whole parquet file \(.*\)\. Copy or export it again"
        ):
            tables.read_table(path, ANY)
    with pytest.raises(BadData, match="does not exist"):
        tables.read_table(tmp_path / "none.parquet", ANY)


def test_damage_inside_a_file_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": np.random.default_rng(0).integers(0, 2**60, 5000)}), path)
    data = bytearray(path.read_bytes())
    data[4:200] = b"\xff" * 196
    path.write_bytes(bytes(data))
    with pytest.raises(BadData, match="not a whole parquet file"):
        tables.read_table(path, ANY)


def test_written_bytes_depend_on_the_content_alone(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "c": ["x", "y"]})
    tables.write_table(frame, tmp_path / "one.parquet")
    tables.write_table(frame.set_axis([5, 6]), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
