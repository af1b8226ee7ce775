"""NVTabular's own runner in a stage gives what the array form gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.bench.reference import transform
from recsys.errors import BadData
from recsys.serving.stages import nvt_context_transform, nvt_item_transform, nvt_user_transform

ROWS = 60
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with workflows, and in `arrays` their array form."""
    from recsys.features import workflows

    folder = tmp_path_factory.mktemp("workflows")
    items = pd.DataFrame(
        {
            "item_id": np.arange(100, 110),
            "price": RNG.uniform(1, 99, 10).astype(np.float32),
            "category_l1": np.arange(10) % 3,
            "category_l2": np.arange(10) % 5,
            "item_gender": np.arange(10) % 2,
        }
    )
    users = pd.DataFrame(
        {
            "user_id": RNG.integers(-1, 9, ROWS),
            "age": RNG.integers(18, 70, ROWS).astype(np.float32),
            "gender": RNG.integers(-1, 2, ROWS),
            "top_category": RNG.integers(-1, 3, ROWS),
            "device_type": RNG.integers(-1, 3, ROWS),
            "timestamp": 1_754_006_400 + RNG.integers(0, 10**6, ROWS),
        }
    )
    drawn = items.iloc[RNG.integers(0, 10, ROWS)].reset_index(drop=True)
    made = workflows.fit(pd.concat([users, drawn], axis=1).assign(click=np.int8(1)), items, folder)
    workflows.export_arrays(made, folder / "arrays")
    return folder


def inputs(part: str) -> dict[str, np.ndarray]:
    if part == "item":
        return {
            "item_id": RNG.integers(98, 112, (2, 7)),
            "price": RNG.uniform(0, 99, (2, 7)).astype(np.float32),
            **{name: RNG.integers(-1, 6, (2, 7)) for name in ("category_l1", "category_l2", "item_gender")},
        }
    if part == "context":
        return {"device_type": RNG.integers(-1, 3, (4, 1)), "timestamp": RNG.integers(1, 10**9, (4, 1))}
    ids = {name: RNG.integers(-1, 12, (4, 1)) for name in ("user_id", "gender", "top_category")}
    return ids | {"age": RNG.uniform(16, 80, (4, 1)).astype(np.float32)}


@pytest.mark.parametrize(
    ("part", "module"),
    [("user", nvt_user_transform), ("context", nvt_context_transform), ("item", nvt_item_transform)],
)
def test_it_equals_the_array_form(fitted: Path, part: str, module: object) -> None:
    reference = transform.load(f"nvt_{part}_transform", fitted)
    served = module.load(fitted / "arrays", {})
    given = inputs(part)
    found, expected = reference.run(given), served.run(given)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert (found[name].shape, found[name].dtype) == (array.shape, array.dtype)
        np.testing.assert_allclose(found[name], array, atol=1e-6, err_msg=name)


def test_workflows_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="holds no fitted workflow"):
        transform.load("nvt_user_transform", tmp_path)
