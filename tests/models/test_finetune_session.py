"""A session tower learns new days: its encoder goes on, and histories know until when they reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys import schema
from recsys.models import export, finetune_retrieval, two_tower
from recsys.models.click_state import ClickState
from recsys.models.examples import FIRST_KNOWN_CODE, Examples
from recsys.models.finetune_parent import Parent
from recsys.models.finetune_session import with_known_clicks
from recsys.models.retrieval import embed
from recsys.models.session_query import SessionQuery
from recsys.settings import FinetuneSettings, FitSettings

_STILL = FinetuneSettings(retrieval=FitSettings(most_epochs=1, least_steps=1, learning_rate=1e-9))


@pytest.fixture(scope="module")
def recipe(training):
    retrieval = training.retrieval.model_copy(update={"query_tower": "session", "session_width": 8})
    return training.model_copy(update={"retrieval": retrieval, "validation_share": 0.0})


@pytest.fixture(scope="module")
def tower(shop, recipe):
    return two_tower.train(shop.rows, shop.catalogue, shop.workflows, recipe)


@pytest.fixture(scope="module")
def parent(shop, recipe, tower, tmp_path_factory: pytest.TempPathFactory) -> Parent:
    folder: Path = tmp_path_factory.mktemp("parent")
    export.export_towers(tower, folder)
    shop.workflows.save(folder / schema.FITTED_WORKFLOWS_DIR)
    (folder / schema.RECIPE_FILE).write_text(recipe.model_dump_json())
    np.savez(folder / schema.ITEM_FEATURES_FILE, **{name: shop.items[name].to_numpy() for name in shop.items})
    np.save(folder / schema.IMAGE_EMBEDDINGS_FILE, shop.catalogue.inputs["image_embedding"])
    np.save(folder / schema.TEXT_EMBEDDINGS_FILE, shop.catalogue.inputs["text_embedding"])
    return Parent.load(folder)


@pytest.fixture(scope="module")
def new_rows(shop) -> pd.DataFrame:
    rows = shop.rows[shop.rows["user_id"] >= 0].tail(200).reset_index(drop=True)
    later = rows["timestamp"].max() + 86_400 + np.arange(len(rows)) * 100
    return rows.assign(timestamp=later, replayed=False)


def asked(parent: Parent, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    few = Examples.build(rows, parent.catalogue, parent.workflows)
    return with_known_clicks(parent, few).looking_back().inputs


def test_without_new_clicks_and_steps_nothing_changes(parent, shop, tower):
    still = finetune_retrieval.tune(parent, shop.rows.head(500).assign(replayed=True), _STILL)
    inputs = asked(parent, shop.rows.tail(200))
    assert isinstance(still.query, SessionQuery)
    np.testing.assert_allclose(embed(still.query, inputs), embed(tower.query, inputs), atol=1e-4)


def test_histories_reach_to_the_newest_click(parent, new_rows):
    tuned = finetune_retrieval.tune(parent, new_rows, _STILL)
    old, new = ClickState.load(parent.path), tuned.state
    code = parent.workflows.transform(new_rows, part="user")["user_id"].to_numpy()
    for user in np.unique(code)[:5]:
        assert new.moments[user].max() == new_rows["timestamp"][code == user].max()
        assert (np.diff(new.moments[user]) <= 0).all()
    others = np.setdiff1d(np.arange(FIRST_KNOWN_CODE, len(old.clicks)), code)
    np.testing.assert_array_equal(new.moments[others], old.moments[others])
    until = tuned.query.histories.numpy()[:, 1]
    np.testing.assert_array_equal(until, new.moments.max(axis=1))


def test_what_was_served_by_the_sum_is_served_by_the_embedding(parent, new_rows, tower):
    """The same clicks: fresh ones to the parent, part of the history to the child.

    They are not equal: a history counts repeated clicks and drops the oldest for new ones.
    """
    tuned = finetune_retrieval.tune(parent, new_rows, _STILL)
    later = new_rows.tail(60).assign(timestamp=int(new_rows["timestamp"].max()) + 86_400)
    few = Examples.build(pd.concat([new_rows, later]), parent.catalogue, parent.workflows)
    rows = with_known_clicks(parent, few).take(np.arange(len(new_rows), len(few))).looking_back()
    served, stale = (
        embed(tower.query, rows.inputs),
        embed(tower.query, rows.inputs | {"recent_items": np.full_like(rows.inputs["recent_items"], -1)}),
    )
    child = embed(tuned.query, rows.inputs)
    assert np.linalg.norm(child - served) < 0.75 * np.linalg.norm(child - stale)


def test_rows_look_back_on_what_the_parent_knew(parent, shop, new_rows):
    one = new_rows.head(1)
    alone = Examples.build(one, parent.catalogue, parent.workflows)
    known = with_known_clicks(parent, alone)
    assert (alone.look_back()["recent_items"] < 0).all()
    mine = shop.rows[shop.rows["user_id"] == one["user_id"].item()].sort_values("timestamp")
    newest = shop.catalogue.rows_of(mine["item_id"].to_numpy()[-1:])[0]
    assert known.look_back()["recent_items"][0, 0] == newest


def test_the_tuned_tower_goes_out_and_is_a_parent_again(parent, new_rows, tmp_path):
    tuned = finetune_retrieval.tune(parent, new_rows, _STILL)
    finetune_retrieval.export_tuned(tuned, parent, tmp_path)
    for name in (schema.ITEM_FEATURES_FILE, schema.IMAGE_EMBEDDINGS_FILE, schema.TEXT_EMBEDDINGS_FILE):
        (tmp_path / name).write_bytes((parent.path / name).read_bytes())
    (tmp_path / schema.RECIPE_FILE).write_bytes((parent.path / schema.RECIPE_FILE).read_bytes())
    parent.workflows.save(tmp_path / schema.FITTED_WORKFLOWS_DIR)
    again = finetune_retrieval.tune(Parent.load(tmp_path), new_rows.assign(replayed=True), _STILL)
    inputs = asked(parent, new_rows.tail(50))
    np.testing.assert_allclose(embed(again.query, inputs), embed(tuned.query, inputs), atol=1e-4)
