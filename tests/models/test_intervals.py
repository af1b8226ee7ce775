from __future__ import annotations

import numpy as np
import pytest

from recsys.models import intervals, metrics
from recsys.release.bootstrap import Draws, share_of


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        taste = rng.beta(2, 2, 60)
        user = np.repeat(np.arange(60), 5)
        values = (rng.random(300) < taste[user]).astype(float)[:, None]
        low, high = intervals.of_means(values, user, draws=Draws(resamples=200, seed=seed))
        held += low[0] <= 0.5 <= high[0]
    assert 0.88 <= held / 200 <= 0.99


def test_rows_of_one_user_are_not_as_many_witnesses():
    values = np.repeat(np.random.default_rng(1).integers(0, 2, 50), 20).astype(float)[:, None]
    apart = intervals.of_means(values, np.arange(1_000))
    together = intervals.of_means(values, np.repeat(np.arange(50), 20))
    assert together[1][0] - together[0][0] > 3 * (apart[1][0] - apart[0][0])


def test_columns_are_those_of_the_release_s_own_statistics():
    rng = np.random.default_rng(2)
    user, values = rng.integers(30, size=400), rng.random((400, 2))
    counted = rng.random((400, 2)) < 0.7
    low, high = intervals.of_means(values, user, counted)
    for at in range(2):
        rows = counted[:, at]
        whole = share_of(user, np.where(rows, values[:, at], 0), rows.astype(float))
        one = Draws().interval(whole, 30)
        assert (low[at], high[at]) == pytest.approx((one.low, one.high))


def test_a_column_without_rows_has_no_interval():
    low, high = intervals.of_means(np.ones((3, 1)), np.arange(3), np.zeros((3, 1), dtype=bool))
    assert np.isnan([low[0], high[0]]).all()
    assert np.isnan(intervals.of_means(np.ones((0, 2)), np.arange(0))[0]).all()


def test_a_paired_difference_is_surer_than_two_intervals():
    rng = np.random.default_rng(3)
    hard = rng.integers(1, 400, 500)
    ranks = {"chain": hard, "als": hard + (rng.random(500) < 0.3)}
    found, differences = intervals.of_ranks(ranks, np.arange(500), against="chain")
    mine = differences["chain - als"]["mrr"]
    summaries = {name: metrics.summary(rank)["mrr"] for name, rank in ranks.items()}
    assert mine["mean"] == pytest.approx(summaries["chain"] - summaries["als"])
    assert mine["interval"][0] > 0
    assert found["chain"]["mrr"][0] < found["als"]["mrr"][1]
    assert differences.keys() == {"chain - als"}
    assert intervals.of_ranks({}, np.arange(0)) == ({}, {})
