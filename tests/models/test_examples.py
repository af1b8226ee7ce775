from __future__ import annotations

import numpy as np
import pytest

from recsys import schema
from recsys.errors import BadData
from recsys.models.examples import Catalogue, Examples, hold_out, newest


def test_inputs_have_the_shapes_and_dtypes_of_the_schema(shop):
    for name, dtype in {**schema.USER_FEATURES, **schema.CONTEXT_FEATURES}.items():
        assert shop.examples.inputs[name].shape == (len(shop.rows), 1)
        assert shop.examples.inputs[name].dtype == dtype
    for name in schema.EMBEDDING_FEATURES:
        assert shop.catalogue.inputs[name].shape == (len(shop.items), 64)


def test_each_row_points_at_its_item(shop):
    assert (shop.catalogue.item_ids[shop.examples.item] == shop.rows["item_id"]).all()


def test_an_unknown_item_is_refused(shop):
    with pytest.raises(BadData, match="item 7"):
        shop.catalogue.rows_of(np.array([shop.items["item_id"].iloc[0], 7]))


def test_tables_of_another_catalogue_are_refused(shop):
    short = np.zeros((len(shop.items) - 1, 64), np.float32)
    with pytest.raises(BadData, match="image_embedding"):
        Catalogue.build(shop.items, shop.workflows, short, short)


def test_rows_held_out_are_of_the_last_day_and_not_trained_on(shop):
    kept, held = hold_out(shop.examples, 0.5, 100, seed=0)
    end = shop.examples.timestamp.max() - 86_400
    assert 0 < len(held) <= 100
    assert len(kept) + len(held) == len(shop.examples)
    assert held.timestamp.min() > end
    users = set(held.inputs["user_id"].ravel())
    assert min(users) > 2
    assert not users & set(kept.inputs["user_id"].ravel()[kept.timestamp > end])


def test_the_newest_rows_are_kept(shop):
    few = newest(shop.examples, 100)
    assert len(few) == 100
    assert few.timestamp.min() >= np.sort(shop.examples.timestamp)[-100]
    assert newest(shop.examples, 10**9) is shop.examples


def test_the_ranker_sets_aside_whom_retrieval_sets_aside(shop):
    """Though it sees fewer and other rows; else it would learn from what retrieval knows by heart."""
    rows = shop.rows.copy()
    rows.loc[rows.index[1::3], "click"] = 0
    everything = Examples.build(rows, shop.catalogue, shop.workflows)
    clicks = everything.take(everything.click == 1)
    trained, _ = hold_out(clicks, 0.4, 1_000, seed=7)
    _, asked = hold_out(newest(everything, len(everything) // 2), 0.4, 20, seed=7)
    seen = {
        (user, time) for user, time in zip(trained.inputs["user_id"][:, 0], trained.timestamp, strict=True)
    }
    assert len(asked) > 5
    assert not seen & set(zip(asked.inputs["user_id"][:, 0], asked.timestamp, strict=True))


def test_another_seed_sets_others_aside(shop):
    first, second = (hold_out(shop.examples, 0.4, 1_000, seed)[1] for seed in (1, 2))
    assert set(first.inputs["user_id"][:, 0]) != set(second.inputs["user_id"][:, 0])
