from __future__ import annotations

import json

import numpy as np
import nvtabular as nvt
import pandas as pd
import pytest
from merlin.io import Dataset
from nvtabular import ops

from recsys import schema
from recsys.errors import BadUse
from recsys.features.arrays import ArrayWorkflow, hour_sin
from recsys.features.export import export, export_arrays
from recsys.features.workflows import load

NAMES = (schema.USER_WORKFLOW, schema.ITEM_WORKFLOW, schema.CONTEXT_WORKFLOW)
FILES = {f"{name}{suffix}" for name in NAMES for suffix in (".json", ".npz")}


def fitted(node, **columns):
    return nvt.Workflow(node).fit(Dataset(pd.DataFrame(columns), cpu=True))


def test_six_files_without_pickle_or_path(shop):
    assert {path.name for path in shop.arrays_dir.iterdir()} == FILES
    for name in NAMES:
        with np.load(shop.arrays_dir / f"{name}.npz", allow_pickle=False) as archive:
            assert all(archive[key].dtype == np.int64 for key in archive.files)
    for path in shop.arrays_dir.iterdir():
        assert str(shop.out_dir).encode() not in path.read_bytes()


def test_same_workflow_same_bytes(shop, tmp_path):
    """Also after a save and load: the release's checksums speak of what was fitted, not of where."""
    export_arrays(load(shop.out_dir), tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (shop.arrays_dir / name).read_bytes(), name


def test_names_and_dtypes_are_the_schemas(shop):
    for name, raw, features in [
        (schema.USER_WORKFLOW, schema.USER_RAW, schema.USER_FEATURES),
        (schema.ITEM_WORKFLOW, schema.ITEM_RAW, schema.ITEM_FEATURES),
        (schema.CONTEXT_WORKFLOW, schema.CONTEXT_RAW, schema.CONTEXT_FEATURES),
    ]:
        arrays = ArrayWorkflow.load(shop.arrays_dir, name)
        assert set(arrays.inputs) == set(raw)
        assert arrays.outputs == features


def test_vocabularies_are_sorted(shop):
    with np.load(shop.arrays_dir / "item_workflow.npz") as archive:
        assert archive["item_id.values"].tolist() == sorted(shop.items["item_id"])
        assert sorted(archive["item_id.codes"]) == list(range(3, 10))


def test_full_workflow_exports_too(shop, tmp_path):
    export(shop.workflows.full, tmp_path, "full")
    columns = {name: shop.rows[name].to_numpy() for name in shop.rows}
    answer = ArrayWorkflow.load(tmp_path, "full").transform(columns)
    expected = shop.workflows.transform(shop.rows)
    assert list(answer) == list(expected)
    for name, values in answer.items():
        np.testing.assert_array_equal(values, expected[name])


def test_unused_inputs_are_not_asked_for(tmp_path):
    workflow = fitted(["a"] >> ops.LogOp(), a=np.ones(3, "float32"), b=[1, 2, 3])
    export(workflow, tmp_path, "w")
    assert json.loads((tmp_path / "w.json").read_text())["inputs"] == {"a": "float32"}


@pytest.mark.parametrize("constant", [[5.0], [5.0, 5.0, 5.0]])
def test_constant_column_is_centred_only(tmp_path, constant):
    """One value's deviation is NaN and several equal ones' is 0: NVTabular divides by neither."""
    workflow = fitted(["a"] >> ops.Normalize(out_dtype=np.float32), a=np.array(constant, "float32"))
    export(workflow, tmp_path, "w")
    asked = np.array([5, 7], "float32")
    answer = ArrayWorkflow.load(tmp_path, "w").transform({"a": asked})["a"].tolist()
    assert answer == workflow.transform(pd.DataFrame({"a": asked}))["a"].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("node", "named"),
    [
        (["a"] >> ops.HashBucket(10), "HashBucket on column a"),
        (["a"] >> ops.FillMissing(0) >> ops.LogOp(), "FillMissing on column a"),
        (["a"] >> ops.LambdaOp(lambda a: a + 1, dtype=np.int64), "on column a"),
        (["a"] >> ops.Clip(0, 1) >> ops.Rename(name="b"), "Clip on column a"),
    ],
)
def test_operator_without_array_form_is_refused(tmp_path, node, named):
    with pytest.raises(BadUse, match=rf"{named}: it has no array form"):
        export(fitted(node, a=[1, 2, 3]), tmp_path, "w")
    assert list(tmp_path.iterdir()) == []


def test_a_function_of_the_same_name_is_not_mistaken(tmp_path):
    def impostor(timestamp):
        return timestamp * 2

    impostor.__name__ = hour_sin.__name__
    with pytest.raises(BadUse, match="no array form"):
        export(fitted(["t"] >> ops.LambdaOp(impostor, dtype=np.int64), t=[1, 2]), tmp_path, "w")


def test_categorify_options_without_array_form_are_refused(tmp_path):
    op = ops.Categorify(out_path=str(tmp_path / "fit"), num_buckets=4, max_size=10)
    with pytest.raises(BadUse, match=r"Categorify with \['num_buckets'\]"):
        export(fitted(["a"] >> op, a=[1, 2, 3]), tmp_path / "out", "w")
