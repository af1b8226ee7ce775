"""The session tower: what it is trained on, and that it is served as it was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from recsys import schema
from recsys.features.recents import ClickLog
from recsys.models import blocks, two_tower
from recsys.models.examples import FIRST_KNOWN_CODE, Examples
from recsys.models.history import newest_clicks, newest_moments
from recsys.models.retrieval import RetrievalTrainer
from recsys.models.session_query import SessionHistory, SessionQuery
from recsys.models.visit_prior import VisitPrior

LENGTH = 80  # longer than any history of the tiny shop's training days


@pytest.fixture(scope="module")
def recipe(training):
    retrieval = training.retrieval.model_copy(
        update={"query_tower": "session", "clicks": LENGTH, "session_width": 8}
    )
    return training.model_copy(update={"retrieval": retrieval})


@pytest.fixture(scope="module")
def rows(shop) -> pd.DataFrame:
    """Masked rows are the clicks of five visitors who have no others."""
    user = shop.rows["user_id"].to_numpy()
    visitor = np.where(user < 0, 1_000 + np.arange(len(user)) % 5, user)
    return shop.rows.assign(**{schema.VISITOR: visitor}).iloc[:1_500]


@pytest.fixture(scope="module")
def examples(shop, rows) -> Examples:
    return Examples.build(rows, shop.catalogue, shop.workflows)


@pytest.fixture(scope="module")
def parts(shop, recipe, examples):
    """A built model whose session encoder says something, and its history."""
    model = two_tower.build(shop.workflows, recipe.retrieval, seed=0)
    history = two_tower._click_history(shop.workflows, shop.catalogue, examples, recipe)
    RetrievalTrainer(model, history, shop.catalogue, examples, recipe)
    history.embed(model.query_encoder, tensors(examples.take(np.arange(2)).looking_back()), own(examples, 2))
    out = history.session._out
    out.set_weights([np.random.default_rng(0).normal(size=weight.shape) for weight in out.get_weights()])
    return model.query_encoder, history


def tensors(rows: Examples) -> dict[str, tf.Tensor]:
    return {name: tf.constant(column) for name, column in rows.inputs.items()}


def own(rows: Examples, count: int) -> tf.Tensor:
    return tf.constant(rows.item[:count])


def trained(query, history, rows: Examples) -> np.ndarray:
    return history.embed(query, tensors(rows), tf.constant(rows.item)).numpy()


def served(query, history, rows: Examples) -> np.ndarray:
    table = blocks.embedding_tables(query)["user_id"]
    free = table.numpy()
    table.assign_add(history.sums())
    try:
        return history.tower(query)(tensors(rows)).numpy()
    finally:
        table.assign(free)


def later(shop, examples: Examples, log: ClickLog, count: int = 60) -> Examples:
    """Rows a week after the last click of training."""
    few = examples.take(np.arange(count))
    moments = np.full(count, examples.timestamp.max() + 7 * 86_400)
    return Examples(few.inputs, few.item, few.click, moments, few.visitor, log).looking_back()


def extended(shop, examples: Examples, fresh: Examples, recipe) -> SessionHistory:
    """The history as if the fresh clicks had been there in training."""
    both = [np.concatenate(pair) for pair in zip(*map(_columns, (examples, fresh)), strict=True)]
    all_of_them = Examples({"user_id": both[0]}, both[1], both[2], both[3])
    users = int(all_of_them.inputs["user_id"].max()) + 1
    nothing = len(shop.catalogue)
    return newest_clicks(all_of_them, users, LENGTH, nothing), newest_moments(all_of_them, users, LENGTH)


def _columns(rows: Examples) -> tuple[np.ndarray, ...]:
    return rows.inputs["user_id"], rows.item, rows.click, rows.timestamp


def test_served_as_trained_where_no_click_came_since(shop, examples, parts) -> None:
    query, history = parts
    rows = later(shop, examples, examples.log)
    known = rows.inputs["user_id"][:, 0] >= FIRST_KNOWN_CODE
    np.testing.assert_allclose(
        served(query, history, rows)[known], trained(query, history, rows)[known], atol=1e-4
    )


def test_clicks_since_training_continue_the_sum(shop, rows, examples, parts, recipe) -> None:
    """Served with new clicks is as if training had seen them, but for the free part's share."""
    query, history = parts
    new = rows.iloc[:40].assign(timestamp=int(rows["timestamp"].max()) + 86_400 + 60 * np.arange(40))
    new = new.drop_duplicates(["user_id", "item_id"])
    log = ClickLog.build(
        pd.concat([rows, new]).assign(user_id=lambda f: f[schema.VISITOR]), shop.catalogue.item_ids
    )
    asked = later(shop, examples, log)
    fresh = Examples.build(new, shop.catalogue, shop.workflows, log)
    clicks, moments = extended(shop, examples, fresh, recipe)
    whole = SessionHistory(
        history.encoder,
        shop.catalogue,
        clicks,
        moments=moments,
        tokens=history.tokens,
        session=history.session,
        forget=0.0,
    )
    table = blocks.embedding_tables(query)["user_id"]
    free = table.numpy()
    table.assign(tf.zeros_like(table))
    try:
        known = asked.inputs["user_id"][:, 0] >= FIRST_KNOWN_CODE
        found, wanted = served(query, history, asked)[known], trained(query, whole, asked)[known]
        stale = trained(query, history, asked)[known]
    finally:
        table.assign(free)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert not np.allclose(wanted, stale, atol=1e-2)


def test_a_new_visitor_is_served_as_masked_rows_are_trained(examples, parts) -> None:
    query, history = parts
    masked = examples.take(examples.inputs["user_id"][:, 0] < FIRST_KNOWN_CODE).looking_back()
    assert (masked.inputs["recent_items"] >= 0).any()
    np.testing.assert_allclose(served(query, history, masked), trained(query, history, masked), atol=1e-4)


def test_neither_the_row_nor_what_follows_it_is_seen(shop, rows, examples, parts) -> None:
    """Another item clicked by the row, or in the three hours after it, changes nothing."""
    query, history = parts
    row = 700
    at, visitor = int(examples.timestamp[row]), int(examples.visitor[row])
    near = (rows[schema.VISITOR] == visitor) & rows["timestamp"].between(at, at + 3 * 3600 - 1)
    others = shop.items.iloc[(shop.catalogue.rows_of(rows["item_id"].to_numpy()) + 7) % len(shop.items)]
    changed = rows.copy()
    for name in schema.ITEM_RAW:
        changed.loc[near, name] = others[name].to_numpy()[near.to_numpy()]
    again = Examples.build(changed, shop.catalogue, shop.workflows)
    moved = two_tower._click_history(shop.workflows, shop.catalogue, again, _session(history.clicks.shape[1]))
    other = SessionHistory(
        history.encoder,
        shop.catalogue,
        moved.clicks,
        moments=moved.moments,
        tokens=history.tokens,
        session=history.session,
        forget=0.0,
    )
    assert near.sum() >= 1
    assert again.item[row] != examples.item[row]
    one, same = (rows_.take(np.array([row])).looking_back() for rows_ in (examples, again))
    same = Examples(
        one.inputs | same.look_back(), same.item, same.click, same.timestamp, same.visitor, same.log
    )
    np.testing.assert_allclose(trained(query, other, same), trained(query, history, one), atol=1e-5)


def _session(length: int):
    from recsys.settings import RetrievalSettings, TrainingSettings

    return TrainingSettings(
        retrieval=RetrievalSettings(query_tower="session", clicks=length, session_width=8)
    )


def test_masked_rows_keep_few_clicks_and_known_ones_nearly_all(examples, parts) -> None:
    history = parts[1]
    found = history.inputs(examples, np.random.default_rng(0))
    before = examples.looking_back().inputs["recent_items"] >= 0
    kept = found["recent_items"] >= 0
    masked = examples.inputs["user_id"][:, 0] < FIRST_KNOWN_CODE
    assert kept[masked].any()
    assert kept[masked].sum() < 0.3 * before[masked].sum()
    assert 0.8 < kept[~masked].sum() / before[~masked].sum() < 0.97
    assert not found["recent_ages"][~kept].any()
    assert (np.diff(kept.astype(int), axis=1) <= 0).all()  # the newest ones are kept


def test_items_that_the_release_does_not_know_are_no_clicks(shop, examples, parts) -> None:
    query, history = parts
    rows = later(shop, examples, examples.log, count=20)
    beyond = np.where(rows.inputs["recent_items"] < 0, len(shop.catalogue) + 5, rows.inputs["recent_items"])
    strange = Examples(rows.inputs | {"recent_items": beyond}, rows.item, rows.click, rows.timestamp)
    np.testing.assert_allclose(served(query, history, strange), served(query, history, rows), atol=1e-6)


def test_a_trained_session_tower_reacts_and_goes_into_one_file(
    shop, rows, recipe, tmp_path, converted
) -> None:
    """A visitor whom nobody knows clicks three items of a category and is shown more of it."""
    import onnx
    import onnxruntime

    from recsys.models import export

    trained_towers = two_tower.train(rows, shop.catalogue, shop.workflows, recipe)
    assert isinstance(trained_towers.query, SessionQuery)
    export.export_query(trained_towers.query, tmp_path)
    users = trained_towers.query.histories.shape[0]
    models = [*converted, onnx.load(str(tmp_path / schema.QUERY_TOWER_ONNX))]
    tables = [sum(list(place.dims)[:1] == [users] for place in model.graph.initializer) for model in models]
    assert tables == [0, 2]  # the user embedding, and how many clicks it holds: put in, not converted
    session = onnxruntime.InferenceSession(str(tmp_path / schema.QUERY_TOWER_ONNX))
    assert {port.name for port in session.get_inputs()} == {
        *schema.USER_FEATURES,
        *schema.CONTEXT_FEATURES,
        *schema.RECENT_FEATURES,
        "timestamp",
    }
    masked = np.flatnonzero(rows["user_id"] == -1)[:1]
    inputs = Examples.build(rows, shop.catalogue, shop.workflows).take(masked).looking_back().inputs
    items = trained_towers.embed_items(shop.catalogue)
    category = shop.items["category_l1"].to_numpy()
    rises = []
    for wanted in range(4):
        recent = np.full((1, schema.RECENT_CLICKS), -1)
        nothing = session.run(None, inputs | {"recent_items": recent})[0]
        recent[0, :3] = np.flatnonzero(category == wanted)[:3]
        clicked = session.run(None, inputs | {"recent_items": recent})[0]
        before, after = (
            (category[np.argsort(-(embedding @ items.T)[0])[:10]] == wanted).mean()
            for embedding in (nothing, clicked)
        )
        rises.append(after - before)
    assert np.mean(rises) > 0.1
    assert min(rises) >= 0


@pytest.mark.parametrize(("costs", "gain"), [(0.0, 30.0), (1e-4, 30.0), (1e-3, 4.0), (1.0, 0.0)])
def test_a_visit_counts_for_as_much_as_costs_nothing(examples, parts, costs, gain) -> None:
    query, history = parts
    alone = replace(examples, log=ClickLog.empty())
    history.settle(query, alone, lambda tower: 1.0 - costs * float(tower.gain))
    assert history.tower(query).gain.numpy() == gain
    history.gain = 0.0


@pytest.mark.parametrize(("kept", "taken"), [(1.0, True), (0.996, True), (0.99, False)])
def test_the_prior_is_taken_where_it_costs_nothing(shop, examples, parts, kept, taken) -> None:
    query, history = parts
    alone = replace(examples, log=ClickLog.empty())
    vectors = np.random.default_rng(0).normal(size=(len(shop.catalogue), 64)).astype(np.float32)
    made = VisitPrior.of(vectors, shop.catalogue.inputs["category_l1"][:, 0], np.ones(64, np.float32))

    def quality(tower: SessionQuery) -> float:
        return kept if tower.shift.tables[-1].numpy().any() else 1.0

    history.settle(query, alone, quality, lambda _: made)
    assert (history.prior is made) == taken
    history.gain, history.prior = 0.0, None


def test_where_visits_are_common_the_encoder_decides(shop, rows, examples, parts) -> None:
    query, history = parts
    minute = rows["timestamp"] - rows["timestamp"] % 86_400 + np.arange(len(rows)) % 600
    visits = Examples.build(rows.assign(timestamp=minute), shop.catalogue, shop.workflows)
    history.settle(query, visits, lambda tower: 1.0, lambda _: VisitPrior.none(len(shop.catalogue)))
    assert history.gain == 0.0
    assert history.prior is None


def test_clicks_of_a_visit_weigh_more_for_those_who_have_a_past(examples, parts) -> None:
    query, history = parts
    rows = later(None, examples, examples.log)
    one = np.full_like(rows.inputs["recent_items"], -1)
    one[:, 0] = 5
    three = one.copy()
    three[:, :3] = [5, 6, 7]
    ages = np.zeros_like(rows.inputs["recent_ages"])
    known = rows.inputs["user_id"][:, 0] >= FIRST_KNOWN_CODE

    def moved(recent: np.ndarray) -> np.ndarray:
        inputs = rows.inputs | {"recent_items": recent, "recent_ages": ages}
        asked = Examples(inputs, rows.item, rows.click, rows.timestamp)
        found = []
        for history.gain in (0.0, 15.0):
            found.append(served(query, history, asked))
        history.gain = 0.0
        return np.abs(found[1] - found[0]).max(axis=1)

    assert (moved(one) < 1e-5).all()
    assert (moved(three)[known] > 1e-3).all()
    assert (moved(three)[~known] < 1e-5).all()
