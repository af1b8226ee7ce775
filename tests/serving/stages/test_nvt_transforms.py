"""The three transforms give every feature its tensor, dtype and shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys import schema
from recsys.errors import BadData
from recsys.serving.stages import nvt_context_transform, nvt_item_transform, nvt_user_transform

CODES = (0, 1, 2)  # padding, null, out of vocabulary


def test_users(release: Path) -> None:
    raw = {
        "user_id": np.array([[3], [-1], [2**62]]),
        "gender": np.array([[1], [-1], [0]]),
        "top_category": np.array([[4], [-1], [99]]),
        "age": np.array([[52], [40], [17]], np.float32),
    }
    out = nvt_user_transform.load(release, {}).run(raw)
    assert out["user_id_feature"].tolist() == [[4], [2], [8]]
    assert out["top_category_feature"].tolist() == [[7], [2], [2]]
    assert out["age_bucket_feature"].tolist() == [[4], [3], [0]]
    assert out["age_feature"].tolist() == [[1.0], [0.0], pytest.approx([-23 / 12])]
    assert {name: out[f"{name}_feature"].dtype for name in schema.USER_FEATURES} == schema.USER_FEATURES


def test_contexts(release: Path) -> None:
    noon = 1_700_049_600  # a Wednesday, 12:00 UTC
    raw = {"device_type": np.array([[0], [-1]]), "timestamp": np.array([[noon], [noon + 2**32]])}
    out = nvt_context_transform.load(release, {}).run(raw)
    assert out["device_type_feature"].tolist() == [[3], [2]]
    assert out["hour_cos_feature"][0, 0] == pytest.approx(-1)
    assert out["weekday_sin_feature"][0, 0] == pytest.approx(np.sin(2 * 2 * np.pi / 7))
    assert {name: out[f"{name}_feature"].dtype for name in schema.CONTEXT_FEATURES} == schema.CONTEXT_FEATURES


def test_items_and_pads(release: Path) -> None:
    ids = np.load(release / schema.ITEM_IDS_FILE)
    raw = {name: np.array([[0, -1]]) for name in schema.ITEM_RAW}
    raw |= {"item_id": np.array([[ids.min(), -1]]), "price": np.array([[0, 0]], np.float32)}
    out = nvt_item_transform.load(release, {}).run(raw)
    assert out["item_id_feature"].tolist() == [[3, 2]]  # a pad is an unknown item, not the first one
    assert out["category_l2_feature"].tolist() == [[3, 2]]
    assert np.isfinite(out["price_feature"]).all()
    assert {name: out[f"{name}_feature"].dtype for name in schema.ITEM_FEATURES} == schema.ITEM_FEATURES


@pytest.mark.parametrize("module", [nvt_context_transform, nvt_item_transform, nvt_user_transform])
def test_a_release_without_the_workflow_is_refused(module: object, tmp_path: Path) -> None:
    with pytest.raises(BadData):
        module.load(tmp_path, {})  # type: ignore[attr-defined]
