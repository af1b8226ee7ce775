from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.models import metrics
from recsys.models.baselines.als import AlternatingLeastSquares
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
