from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from recsys import schema
from recsys.errors import BadData, BadUse
from recsys.features.arrays import OUT_OF_VOCABULARY, ArrayWorkflow, _Lookup, _Table

WORKFLOWS = {
    "user": schema.USER_WORKFLOW,
    "item": schema.ITEM_WORKFLOW,
    "context": schema.CONTEXT_WORKFLOW,
}
any_int64 = st.integers(-(2**63), 2**63 - 1)


def ids(*known):
    """Known values, the unknown, values near them, and anything that an int64 holds."""
    return st.one_of(st.sampled_from([-1, *known]), st.integers(-10, 10), any_int64)


def floats(low, high, *special):
    low, high = np.float32(low).item(), np.float32(high).item()
    return st.one_of(st.sampled_from([low, high, np.nan, *special]), st.floats(low, high, width=32))


EXTREMES = (-(2**63), 2**63 - 1)
COLUMNS = {
    "user_id": ids(*EXTREMES, 3, 10**12, 99),
    "age": floats(0, 150, 17, 18, 25, 35, 50, 65, np.nextafter(np.float32(18), np.float32(0)).item()),
    "gender": ids(0, 1),
    "top_category": ids(0, 4, *EXTREMES),
    "device_type": ids(0, 1, 2),
    "timestamp": st.one_of(
        any_int64, st.integers(-(10**10), 10**12), st.sampled_from([0, -1, 1_754_006_400])
    ),
    "item_id": ids(*EXTREMES, 0, 8, 9, 2**40),
    "price": floats(1e-6, 1e9, 0, 12.5),
    "category_l1": ids(0, 4, *EXTREMES),
    "category_l2": ids(70, 71, 75),
    "item_gender": ids(0, 1, 2),
}


def frames(columns):
    return st.lists(st.tuples(*(COLUMNS[name] for name in columns)), min_size=1, max_size=40).map(
        lambda rows: pd.DataFrame(
            {
                name: np.array(values, np.float32 if name in ("age", "price") else np.int64)
                for name, values in zip(columns, zip(*rows, strict=True), strict=True)
            }
        )
    )


def assert_equal_to_nvtabular(shop, part, frame):
    arrays = ArrayWorkflow.load(shop.arrays_dir, WORKFLOWS[part])
    expected = getattr(shop.workflows, part).transform(frame)
    answer = arrays.transform({name: frame[name].to_numpy() for name in arrays.inputs})
    assert set(answer) == set(expected)
    for name, values in answer.items():
        assert values.dtype == expected[name].dtype, name
        if values.dtype == np.int64:
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
        else:
            np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


many = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(frame=frames(schema.USER_RAW))
@many
def test_user_workflow_equals_nvtabular(shop, frame):
    assert_equal_to_nvtabular(shop, "user", frame)


@given(frame=frames(schema.ITEM_RAW))
@many
def test_item_workflow_equals_nvtabular(shop, frame):
    assert_equal_to_nvtabular(shop, "item", frame)


@given(frame=frames(schema.CONTEXT_RAW))
@many
def test_context_workflow_equals_nvtabular(shop, frame):
    assert_equal_to_nvtabular(shop, "context", frame)


def test_many_rows_equal_nvtabular(shop):
    rng = np.random.default_rng(5)
    frame = shop.rows.sample(50_000, replace=True, random_state=5).reset_index(drop=True)
    frame["user_id"] += rng.integers(0, 2, len(frame))
    frame["item_id"] += rng.integers(0, 2, len(frame))
    frame["age"] = rng.uniform(0, 150, len(frame)).astype("float32")
    frame["price"] = np.exp(rng.uniform(np.log(1e-6), np.log(1e9), len(frame))).astype("float32")
    frame["timestamp"] = rng.integers(-(2**40), 2**40, len(frame))
    for part in WORKFLOWS:
        assert_equal_to_nvtabular(shop, part, frame)


@given(
    shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), seed=st.integers(0, 2**32 - 1)
)
@example(shape=(), seed=0)
@example(shape=(64, 1), seed=0)
@many
def test_any_shape_equals_the_flat_answer(shop, shape, seed):
    rows = shop.rows.iloc[np.random.default_rng(seed).integers(0, len(shop.rows), int(np.prod(shape)))]
    for name in WORKFLOWS.values():
        arrays = ArrayWorkflow.load(shop.arrays_dir, name)
        flat = arrays.transform({column: rows[column].to_numpy() for column in arrays.inputs})
        shaped = arrays.transform(
            {column: rows[column].to_numpy().reshape(shape) for column in arrays.inputs}
        )
        for output, values in shaped.items():
            assert (values.shape, values.dtype) == (shape, arrays.outputs[output])
            np.testing.assert_array_equal(values.ravel(), flat[output])


INT64 = st.integers(-(2**63), 2**63 - 1)


@given(
    known=st.sets(st.integers(-3, 40), min_size=1).map(sorted),
    offset=st.sampled_from([-(2**63) + 3, -5, 0, 2**63 - 41]),
    asked=st.lists(st.one_of(INT64, st.integers(-60, 60)), min_size=1),
)
@many
def test_a_table_says_what_a_search_says(known, offset, asked):
    values = np.array(known, np.int64) + np.int64(offset)
    codes = np.arange(3, 3 + len(known))
    table, search = _Lookup.of(values, codes), _Lookup(values, np.append(codes, OUT_OF_VOCABULARY))
    near = np.array([each for each in asked if abs(each) <= 60], np.int64)
    with np.errstate(over="ignore"):
        x = np.concatenate([np.array(asked, np.int64), near + np.int64(offset), values])
    assert isinstance(table, _Table)
    np.testing.assert_array_equal(table(x), search(x))


def test_a_vocabulary_of_few_values_far_apart_is_searched():
    assert isinstance(_Lookup.of(np.array([1, 2**40]), np.array([3, 4])), _Lookup)


def test_inputs_are_not_changed_and_others_ignored(shop):
    arrays = ArrayWorkflow.load(shop.arrays_dir, schema.ITEM_WORKFLOW)
    columns = {name: shop.rows[name].to_numpy().copy() for name in shop.rows}
    arrays.transform(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(values, shop.rows[name])


def test_narrower_numbers_are_widened(shop):
    arrays = ArrayWorkflow.load(shop.arrays_dir, schema.USER_WORKFLOW)
    wide = {
        "user_id": np.array([3]),
        "gender": np.array([1]),
        "top_category": np.array([4]),
        "age": np.float32([30]),
    }
    narrow = {name: values.astype("int16") for name, values in wide.items()}
    assert arrays.transform(narrow) == arrays.transform(wide)


def test_nulls_are_refused_by_nvtabular_and_here(shop):
    frame = shop.rows.head(2).astype({"gender": "Int64"})
    frame.loc[frame.index[0], "gender"] = pd.NA
    with pytest.raises(RuntimeError, match="encode column gender"):
        shop.workflows.user.transform(frame)
    arrays = ArrayWorkflow.load(shop.arrays_dir, schema.USER_WORKFLOW)
    columns = {name: shop.rows[name].head(2).to_numpy() for name in schema.USER_RAW}
    for nullable in (
        np.array([np.nan, 1.0]),
        np.array([None, 1]),
        np.ma.masked_array([0, 1], mask=[True, False]),
        np.array([0, 1], dtype="uint64"),
        np.array(["0", "1"]),
    ):
        with pytest.raises(BadUse, match="column gender"):
            arrays.transform({**columns, "gender": nullable})
    with pytest.raises(BadUse, match="column age: holds <U2"):
        arrays.transform({**columns, "age": np.array(["30", "40"])})


def test_missing_column_is_named(shop):
    with pytest.raises(BadUse, match=r"column timestamp: missing among \['device_type'\]"):
        ArrayWorkflow.load(shop.arrays_dir, schema.CONTEXT_WORKFLOW).transform({"device_type": np.array([1])})


def damaged(shop, tmp_path, suffix, change):
    for path in shop.arrays_dir.glob("user_workflow.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / f"user_workflow{suffix}"
    change(path)
    return tmp_path


def edit(**changes):
    return lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def pickled(path):
    np.savez(path, **{"user_id.values": np.array([object()]), "user_id.codes": np.array([3])})


@pytest.mark.parametrize(
    ("suffix", "change", "cause"),
    [
        (".json", lambda path: path.unlink(), "FileNotFoundError"),
        (".npz", lambda path: path.unlink(), "FileNotFoundError"),
        (".json", lambda path: path.write_text("{"), "JSONDecodeError"),
        (".npz", lambda path: path.write_bytes(path.read_bytes()[:300]), "BadZipFile"),
        (".npz", lambda path: path.write_bytes(b""), "ValueError"),
        (".npz", pickled, "allow_pickle=False"),
        (".npz", np.savez, "KeyError"),
        (".json", edit(format=2), "format 2, not 1"),
        (".json", edit(outputs=3), "AttributeError"),
        (
            ".json",
            edit(outputs={"a": {"input": "age", "dtype": "int64", "steps": [{"op": "hash"}]}}),
            "unknown step {'op': 'hash'}",
        ),
    ],
)
def test_damaged_files_are_refused_in_one_line(shop, tmp_path, suffix, change, cause):
    with pytest.raises(BadData, match=cause) as caught:
        ArrayWorkflow.load(damaged(shop, tmp_path, suffix, change), schema.USER_WORKFLOW)
    assert "user_workflow.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_serving_needs_numpy_alone(shop):
    code = """
import sys
blocked = {"tensorflow", "nvtabular", "merlin", "dask", "pandas", "cudf", "numba"}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocker())
import numpy as np
import recsys.features
import recsys.features.behavior
from recsys.features.arrays import OUT_OF_VOCABULARY, ArrayWorkflow, _Lookup, _Table
columns = {"device_type": np.array([[1]]), "timestamp": np.array([[0]])}
print(ArrayWorkflow.load(sys.argv[1], "context_workflow").transform(columns)["hour_cos"].tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, shop.arrays_dir], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("[[1.0]]\n", "", 0)
