from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from recsys.models import metrics
from recsys.models.baselines.als import AlternatingLeastSquares
from recsys.models.baselines.bpr import BayesianPersonalisedRanking
from recsys.models.baselines.compare import ALL, names
from recsys.models.baselines.ease import Ease
from recsys.models.baselines.interactions import Interactions
from recsys.models.baselines.item_knn import ItemNeighbours
from recsys.models.baselines.popular_in_category import PopularInCategory
from recsys.models.baselines.popularity import Popularity


def test_popularity_is_the_number_of_clicks():
    scores = Popularity(np.array([1, 1, 2]), 4).scores(pd.DataFrame(index=range(2)))
    assert scores.tolist() == [[0, 2, 1, 0]] * 2


def test_the_users_category_comes_first_and_popularity_decides_within():
    baseline = PopularInCategory(np.array([0, 0, 0, 1, 3, 3]), np.array([5, 6, 6, 5]))
    scores = baseline.scores(pd.DataFrame({"top_category": [6, -1]}))
    assert np.argsort(-scores[0]).tolist() == [1, 2, 0, 3]
    assert np.argsort(-scores[1]).tolist() == [0, 3, 1, 2]


def test_als_finds_what_users_alike_click(shop):
    user, item = shop.rows["user_id"].to_numpy(), shop.examples.item
    known = user >= 0
    als = AlternatingLeastSquares(user[known], item[known], len(shop.items), seed=0)
    rank = metrics.ranks(als.scores(shop.rows[known]), item[known])
    assert metrics.hit(rank, 10) > 0.6


def test_als_gives_a_stranger_what_is_popular(shop):
    als = AlternatingLeastSquares(np.array([1, 2]), np.array([3, 3]), 5, seed=0)
    assert als.scores(pd.DataFrame({"user_id": [-1]})).argmax() == 3


@pytest.mark.parametrize("make", [ItemNeighbours, Ease, partial(BayesianPersonalisedRanking, seed=0)])
def test_users_alike_are_found_and_strangers_get_what_is_popular(make, shop):
    user, item = shop.rows["user_id"].to_numpy(), shop.examples.item
    known = user >= 0
    baseline = make(user[known], item[known], len(shop.items))
    rank = metrics.ranks(baseline.scores(shop.rows[known]), item[known])
    assert metrics.hit(rank, 10) > 0.6
    stranger = baseline.scores(pd.DataFrame({"user_id": [-1]}))
    assert stranger[0].tolist() == np.bincount(item[known], minlength=len(shop.items)).tolist()
    again = make(user[known], item[known], len(shop.items))
    np.testing.assert_array_equal(baseline.scores(shop.rows[:9]), again.scores(shop.rows[:9]))


def test_ease_minimises_what_it_says():
    rng = np.random.default_rng(0)
    user, item, penalty = rng.integers(12, size=90), rng.integers(6, size=90), 3.0
    x = Interactions.of(user, item, 6).counts.toarray()
    solved = Ease(user, item, 6, penalty).weights

    def loss(weights):
        return np.sum((x - x @ weights) ** 2) + penalty * np.sum(weights**2)

    assert np.diag(solved).tolist() == [0] * 6
    for _ in range(50):
        other = rng.normal(scale=0.01, size=(6, 6))
        np.fill_diagonal(other, 0)
        assert loss(solved + other) > loss(solved)


def test_neighbours_are_the_shrunk_cosine():
    user, item = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 0, 1, 1, 2])
    scores = ItemNeighbours(user, item, 4).scores(pd.DataFrame({"user_id": [2, 0]}))
    assert scores[0].tolist() == [0, 0, 0, 0]
    together, norms = 1 * 1 + 1 * 2, np.sqrt(2) * np.sqrt(1 + 4)
    assert scores[1][0] == pytest.approx(together / (norms + 50))


def test_square_matrices_are_left_out_where_the_catalogue_is_too_large():
    chosen, omitted = names("all", 1_000_000)
    assert set(ALL) - set(chosen) == omitted.keys() == {"item_knn", "ease"}
    assert names("bpr, als", 10) == (("als", "bpr"), {})
