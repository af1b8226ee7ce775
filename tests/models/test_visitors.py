from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from factories.evaluated_shop import ITEM_IDS, SETTINGS, write_shop
from factories.release import make_release

from recsys import schema
from recsys.features.behavior import TopCategory
from recsys.features.recents import ClickLog
from recsys.models import visitors
from recsys.models.evaluated_rows import EvaluatedRows


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    dataset = write_shop(folder, exposures=False)
    release = make_release(tmp_path_factory.mktemp("release"), items=len(ITEM_IDS), item_ids=ITEM_IDS)
    return release, dataset, EvaluatedRows.of(release, dataset, SETTINGS)


def test_a_visitor_has_the_newest_clicks_of_the_row_s_user_and_nothing_else(shop):
    _, dataset, test = shop
    log = ClickLog.build(test.history, test.item_ids, SETTINGS.recents.kept_s)
    found = dict(visitors.visits(test, dataset, log))
    assert list(found) == ["no click", "1 click", "2 clicks", "3 clicks", "clicks of 24 hours"]
    category = dataset.items.set_index("item_id")["category_l1"].reindex(test.item_ids).to_numpy()
    for kind, asked in found.items():
        assert (asked.rows[["user_id", "gender"]] == schema.UNKNOWN).all(axis=None)
        assert asked.rows["age"].nunique() == 1
        everything = log.recent(asked.user, asked.rows["timestamp"])
        for row, (items, ages) in enumerate(zip(asked.recents.items, asked.recents.ages, strict=True)):
            length = int((items != schema.NO_ITEM).sum())
            if kind[0].isdigit():
                assert length == int(kind[0])
            assert items[:length].tolist() == everything.items[row, :length].tolist()
            assert ages[:length].tolist() == everything.ages[row, :length].tolist()
            assert not ages[length:].any()
            if kind == "no click":
                assert length == 0
            if kind == "clicks of 24 hours":
                recent = (everything.items[row] != schema.NO_ITEM) & (everything.ages[row] < 24)
                assert length == recent.sum() > 0
            now, kept = int(asked.rows["timestamp"].iloc[row]), TopCategory()
            for at in reversed(range(length)):
                kept.push(now - round(float(ages[at]) * 3600), int(category[items[at]]))
            assert asked.rows["top_category"].iloc[row] == kept.value(now)


def test_clicks_are_given_to_the_chain(shop, monkeypatch):
    release, dataset, test = shop
    given = []

    def serve(*arguments, recents, **others):
        given.append((recents.items != schema.NO_ITEM).sum())
        return real(*arguments, recents=recents, **others)

    real = visitors.serve
    monkeypatch.setattr(visitors, "serve", serve)
    found = visitors.measure(release, dataset, test)
    assert given[0] == 0
    assert given[1:4] == [found[kind]["rows"] * n for n, kind in enumerate(list(found)[1:4], 1)]
    for one in found.values():
        low, high = one["interval"]["hit@10"]
        assert low <= one["chain"]["hit@10"] <= high
        if one["popularity"]["hit@10"]:
            assert one["over_popularity"] == one["chain"]["hit@10"] / one["popularity"]["hit@10"]


def test_the_bound_is_what_the_best_list_of_each_hour_and_device_finds(shop, tmp_path):
    _, dataset, _ = shop
    found = visitors.bound(dataset)
    clicks = dataset.interactions([9])
    best = [
        own["item_id"].value_counts().iloc[:10].sum()
        for _, own in clicks.groupby(["device_type", clicks["timestamp"] // 3600])
    ]
    assert found["hit@10"] == pytest.approx(sum(best) / len(clicks))
    assert found["apart"] < found["hit@10"]
    assert (found["cells"], found["rows"]) == (3, 150)


def test_no_order_of_device_and_hour_exceeds_the_bound(shop):
    _, dataset, _ = shop
    clicks = dataset.interactions([9])
    item = pd.Index(dataset.items["item_id"]).get_indexer(clicks["item_id"])
    rng = np.random.default_rng(1)
    lists = {device: rng.permutation(len(dataset.items))[:10] for device in range(3)}
    hit = np.mean([one in lists[device] for one, device in zip(item, clicks["device_type"], strict=True)])
    assert hit <= visitors.bound(dataset)["hit@10"]
