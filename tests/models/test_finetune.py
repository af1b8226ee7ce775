from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from recsys import schema
from recsys.errors import BadData
from recsys.models import dlrm, export, finetune_ranking, finetune_retrieval, metrics, two_tower
from recsys.models.click_state import ClickState
from recsys.models.examples import Examples
from recsys.models.finetune_parent import Parent, restore
from recsys.models.ranking import tensors, tile
from recsys.models.retrieval import embed
from recsys.models.towers import Towers
from recsys.release.digest import tree_sha256
from recsys.settings import FinetuneSettings, FitSettings

_STILL = FinetuneSettings(
    retrieval=FitSettings(most_epochs=1, least_steps=1, learning_rate=1e-9),
    ranking=FitSettings(most_epochs=1, least_steps=1, learning_rate=1e-9),
)
"""Steps so small that nothing but the click histories changes."""


@pytest.fixture(scope="module")
def parent(shop, training, towers_dir: Path, ranker, tmp_path_factory: pytest.TempPathFactory) -> Parent:
    """A release with all that a fine-tuning starts from."""
    folder = tmp_path_factory.mktemp("parent")
    for source in (p for p in towers_dir.rglob("*") if p.is_file()):
        target = folder / source.relative_to(towers_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    export.export_ranker(ranker, folder)
    shop.workflows.save(folder / schema.FITTED_WORKFLOWS_DIR)
    (folder / schema.RECIPE_FILE).write_text(training.model_dump_json())
    np.savez(folder / schema.ITEM_FEATURES_FILE, **{name: shop.items[name].to_numpy() for name in shop.items})
    np.save(folder / schema.IMAGE_EMBEDDINGS_FILE, shop.catalogue.inputs["image_embedding"])
    np.save(folder / schema.TEXT_EMBEDDINGS_FILE, shop.catalogue.inputs["text_embedding"])
    return Parent.load(folder)


@pytest.fixture(scope="module")
def new_rows(shop) -> pd.DataFrame:
    """A tenth day on which everyone likes the next category."""
    rows = shop.rows[shop.rows["user_id"] >= 0].tail(800).reset_index(drop=True)
    per_category = len(shop.items) // 4
    category = (rows["user_id"].to_numpy() + 1) % 4
    place = category * per_category + np.random.default_rng(5).integers(per_category, size=len(rows))
    moved = {name: shop.items[name].to_numpy()[place] for name in shop.items}
    later = rows["timestamp"].max() + 1 + np.arange(len(rows)) * 100
    return rows.assign(**moved, timestamp=later, replayed=False)


def _ranks(query, items: np.ndarray, rows: pd.DataFrame, parent: Parent) -> np.ndarray:
    examples = Examples.build(rows, parent.catalogue, parent.workflows)
    return metrics.ranks(embed(query, examples.inputs) @ items.T, examples.item)


def test_the_parent_is_what_was_exported(parent, shop, tower):
    np.testing.assert_array_equal(parent.catalogue.item_ids, shop.catalogue.item_ids)
    np.testing.assert_allclose(parent.item_embeddings(), tower.embed_items(shop.catalogue), atol=1e-5)
    for weight, variable in zip(parent.weights("query_tower"), tower.query.variables, strict=True):
        np.testing.assert_array_equal(weight.value, variable.numpy())


def test_an_older_release_says_that_it_keeps_nothing(tmp_path):
    with pytest.raises(BadData, match="keeps nothing to start from"):
        Parent.load(tmp_path)


def test_a_model_that_is_built_another_way_is_refused(parent, training, shop):
    wider = training.retrieval.model_copy(update={"hidden": 17})
    query = two_tower.build(shop.workflows, wider, 0).query_encoder
    embed(query, shop.examples.take(np.arange(1)).inputs)
    with pytest.raises(BadData, match="built another way"):
        restore(query.variables, parent.weights("query_tower"), "query tower")
    with pytest.raises(BadData, match="no SavedModel"):
        parent.weights("nothing")


def test_without_new_clicks_and_steps_nothing_changes(parent, shop, tower):
    replayed = shop.rows.head(500).assign(replayed=True)
    still = finetune_retrieval.tune(parent, replayed, _STILL)
    few = shop.examples.take(np.arange(200)).inputs
    np.testing.assert_allclose(embed(still.query, few), embed(tower.query, few), atol=1e-4)
    assert still.state is not None
    np.testing.assert_array_equal(still.state.clicks, ClickState.load(parent.path).clicks)


def test_new_clicks_count_before_any_step(parent, new_rows, tower):
    still = finetune_retrieval.tune(parent, new_rows, _STILL)
    items = parent.item_embeddings()
    before = metrics.hit(_ranks(tower.query, items, new_rows, parent), 10)
    assert metrics.hit(_ranks(still.query, items, new_rows, parent), 10) > before + 0.1
    newest = new_rows.iloc[-1]
    code = parent.workflows.transform(new_rows.tail(1), part="user")["user_id"].item()
    clicked = parent.catalogue.item_ids[still.state.clicks[code, 0]]
    assert clicked == newest["item_id"]


def test_steps_learn_what_has_changed(parent, new_rows):
    quick = FinetuneSettings(retrieval=FitSettings(epochs=3, steps_per_epoch=10, learning_rate=0.01))
    learned = finetune_retrieval.tune(parent, new_rows, quick)
    still = finetune_retrieval.tune(parent, new_rows, _STILL)
    items = parent.item_embeddings()
    hit = {
        name: metrics.hit(_ranks(one.query, items, new_rows, parent), 10)
        for name, one in (("learned", learned), ("still", still))
    }
    assert hit["learned"] > hit["still"]


def test_a_click_that_watches_is_in_no_history_until_the_end(parent, new_rows, monkeypatch):
    seen = []
    original = finetune_retrieval.RetrievalTrainer.run

    def run(trainer, held, progress):
        seen.append((trainer._history.clicks.numpy(), held))
        return original(trainer, held, progress)

    monkeypatch.setattr(finetune_retrieval.RetrievalTrainer, "run", run)
    tuned = finetune_retrieval.tune(parent, new_rows, _STILL)
    ((clicks, held),) = seen
    assert len(held) > 0
    users = np.unique(held.inputs["user_id"][:, 0])
    assert (clicks[users] != tuned.state.clicks[users]).any(axis=1).all()
    others = np.setdiff1d(np.arange(len(clicks)), users)
    np.testing.assert_array_equal(clicks[others], tuned.state.clicks[others])


def test_what_is_judged_by_rows_held_out_sees_a_tower_that_does_not_know_them(parent, new_rows, monkeypatch):
    held = []
    original = finetune_retrieval.RetrievalTrainer.run

    def run(trainer, rows, progress):
        held.append(rows)
        return original(trainer, rows, progress)

    monkeypatch.setattr(finetune_retrieval.RetrievalTrainer, "run", run)
    tuned = finetune_retrieval.tune(parent, new_rows, _STILL)
    (rows,) = held
    others = Examples.build(new_rows, parent.catalogue, parent.workflows)
    others = others.take(~np.isin(others.inputs["user_id"], np.unique(rows.inputs["user_id"]))[:, 0])
    items, completed = parent.item_embeddings(), embed(tuned.query, rows.inputs)
    elsewhere = embed(tuned.query, others.inputs)
    with tuned.before_held() as tower:
        assert set(tower.inputs) == set(tuned.query.schema.column_names)
        before = tower.call({name: tf.constant(rows.inputs[name]) for name in tower.inputs}).numpy()
        untouched = tower.call({name: tf.constant(others.inputs[name]) for name in tower.inputs}).numpy()
    np.testing.assert_allclose(untouched, elsewhere, atol=1e-5)
    ranks = [metrics.ranks(users @ items.T, rows.item) for users in (before, completed)]
    assert metrics.hit(ranks[0], 10) < metrics.hit(ranks[1], 10) - 0.1
    np.testing.assert_array_equal(embed(tuned.query, rows.inputs), completed)


def test_the_candidate_tower_is_copied_byte_for_byte(parent, new_rows, tmp_path):
    tuned = finetune_retrieval.tune(parent, new_rows, _STILL)
    finetune_retrieval.export_tuned(tuned, parent, tmp_path)
    for name in (schema.CANDIDATE_TOWER_ONNX, "savedmodels/candidate_tower"):
        assert tree_sha256(tmp_path / name) == tree_sha256(parent.path / name)
    again = ClickState.load(tmp_path)
    np.testing.assert_array_equal(again.clicks, tuned.state.clicks)


def test_the_ranker_goes_on_from_the_parent_s_weights(parent, new_rows, ranker, towers_dir):
    rows = new_rows.head(300)
    tuned = finetune_ranking.tune(parent, rows, Towers.load(towers_dir, parent.catalogue), _STILL)
    some = Examples.build(rows.head(40), parent.catalogue, parent.workflows)
    items = {name: tf.constant(column) for name, column in parent.catalogue.inputs.items()}
    inputs = tile(tensors(some), items, tf.constant(some.item[:, None]))
    kept = tuned.history[-1].get("correction", 1.0)
    np.testing.assert_allclose(tuned.model(inputs), kept * ranker.model(inputs), atol=1e-4)
    assert isinstance(tuned, dlrm.Ranker)


def test_items_added_since_training_are_read_like_those_most_alike(parent, new_rows, tmp_path):
    """A twin of the last item, with an id that training has not seen, stands at the end of the catalogue."""
    shutil.copytree(parent.path, tmp_path / "longer")
    longer = tmp_path / "longer"
    with np.load(parent.path / schema.ITEM_FEATURES_FILE) as raw:
        twin = {name: np.append(raw[name], raw[name][-1]) for name in schema.ITEM_RAW}
    twin["item_id"][-1] = 5_000_000
    np.savez(longer / schema.ITEM_FEATURES_FILE, **twin)
    for name in (schema.IMAGE_EMBEDDINGS_FILE, schema.TEXT_EMBEDDINGS_FILE):
        table = np.load(parent.path / name)
        np.save(longer / name, np.concatenate([table, table[-1:]]))
    grown = Parent.load(longer)
    state, before = grown.click_state(), parent.click_state()
    assert len(state.vectors) == len(before.vectors) + 1
    np.testing.assert_array_equal(state.vectors[:-1], before.vectors)
    assert (state.vectors[-1] == before.vectors).all(axis=1).any()
    gap = before.clicks == len(before.vectors)
    np.testing.assert_array_equal(state.clicks == len(state.vectors), gap)
    np.testing.assert_array_equal(state.clicks[~gap], before.clicks[~gap])

    rows = new_rows.assign(item_id=np.where(new_rows.index % 5 == 0, 5_000_000, new_rows["item_id"]))
    tuned = finetune_retrieval.tune(grown, rows, _STILL)
    assert (tuned.state.clicks == len(before.vectors)).any(), "the new item is in histories now"
