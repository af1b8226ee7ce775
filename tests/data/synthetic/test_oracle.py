from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from recsys.data.synthetic.oracle import _auc, oracle_metrics, rank_metrics, score_day


def test_metrics_by_hand():
    found = rank_metrics(np.array([1, 3, 11, 400]))
    assert found["hit@10"] == 0.5
    assert found["hit@100"] == found["hit@300"] == 0.75
    assert found["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 11 + 1 / 400) / 4)
    assert found["ndcg@10"] == pytest.approx((1 + 0.5) / 4)


def test_ranks_are_those_of_the_whole_catalogue(world):
    scores = score_day(world.utility, world.day, seed=0)
    whole = world.utility.catalogue(world.day.situation)
    own = whole[np.arange(len(whole)), world.day.clicked]
    everyone = 1 + (whole > own[:, None]).sum(axis=1)
    assert sorted(scores.ranks.tolist()) == sorted(everyone.tolist())  # the day is smaller than the sample
    assert len(scores.shown) == len(world.day.shown)


def test_knowing_more_scores_more(world):
    full = oracle_metrics(score_day(world.utility, world.day, 0))
    blind = oracle_metrics(score_day(world.utility, world.day, 0, intent=False))
    assert full["hit@10"] > blind["hit@10"] + 0.05
    assert full["auc"] > blind["auc"] > 0.7


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=30), st.lists(st.integers(0, 5), min_size=1, max_size=30)
)
def test_auc_is_scikit_learns(positive, negative):
    expected = roc_auc_score([1] * len(positive) + [0] * len(negative), positive + negative)
    assert _auc(np.array(positive), np.array(negative)) == pytest.approx(expected)


def test_auc_without_anything_passed_over():
    assert _auc(np.array([1.0]), np.array([])) == 0.5
