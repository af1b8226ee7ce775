from __future__ import annotations

import merlin.models.tf as mm
import numpy as np
import pytest

from recsys import schema
from recsys.models import metrics, two_tower
from recsys.models.retrieval import retrieval_ranks
from recsys.settings import RetrievalSettings


def test_it_is_merlin_s_model(tower):
    assert isinstance(tower.model, mm.RetrievalModelV2)
    assert tower.query.schema.column_names == [*schema.USER_FEATURES, *schema.CONTEXT_FEATURES]
    assert set(tower.candidate.schema.column_names) == {*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES}


def test_it_learns_what_users_click(shop, tower):
    rank = retrieval_ranks(tower.query, tower.candidate, shop.catalogue, shop.examples)
    # Ten items of forty are the user's own category: chance is 0.25.
    assert metrics.hit(rank, 10) > 0.6


def test_embeddings_are_64_wide(shop, tower):
    assert tower.embed_items(shop.catalogue).shape == (len(shop.items), schema.EMBEDDING_DIM)
    few = shop.examples.take(np.arange(3))
    assert tower.embed_users(few.inputs).shape == (3, schema.EMBEDDING_DIM)


def test_history_says_how_each_epoch_went(tower):
    assert [record["epoch"] for record in tower.history] == [1, 2]
    assert tower.history[1]["loss"] < tower.history[0]["loss"]
    assert 0 <= tower.history[-1]["hit@300"] <= 1


def test_the_same_seed_gives_the_same_model(shop, training, tower):
    again = two_tower.train(shop.rows, shop.catalogue, shop.workflows, training)
    np.testing.assert_allclose(
        again.embed_items(shop.catalogue), tower.embed_items(shop.catalogue), atol=1e-5
    )


def test_another_seed_gives_another_model(shop, training, tower):
    other = two_tower.train(
        shop.rows, shop.catalogue, shop.workflows, training.model_copy(update={"seed": 1})
    )
    assert not np.allclose(other.embed_items(shop.catalogue), tower.embed_items(shop.catalogue), atol=1e-2)


@pytest.mark.parametrize("clicks", [0, 8])
def test_a_static_tower_reads_the_user_alone(shop, training, clicks):
    recipe = RetrievalSettings(
        query_tower="static", epochs=1, steps_per_epoch=2, least_steps=1, clicks=clicks, hidden=8
    )
    static = two_tower.train(
        shop.rows, shop.catalogue, shop.workflows, training.model_copy(update={"retrieval": recipe})
    )
    assert static.query.schema.column_names == list(schema.USER_FEATURES)


def test_a_large_catalogue_is_sampled_and_still_learnt(shop, training):
    sampled = training.retrieval.model_copy(update={"whole_catalogue": 1, "uniform_negatives": 8})
    found = two_tower.train(
        shop.rows, shop.catalogue, shop.workflows, training.model_copy(update={"retrieval": sampled})
    )
    rank = retrieval_ranks(found.query, found.candidate, shop.catalogue, shop.examples)
    assert metrics.hit(rank, 10) > 0.5


def test_passed_over_rows_are_no_clicks(shop, training, tower):
    shown = shop.rows.assign(click=0).head(200)
    both = two_tower.train(
        shop.rows._append(shown, ignore_index=True), shop.catalogue, shop.workflows, training
    )
    np.testing.assert_allclose(both.embed_items(shop.catalogue), tower.embed_items(shop.catalogue), atol=1e-5)
