from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from recsys.models import metrics

SCORES = arrays(np.float64, (5, 7), elements=st.integers(-3, 3).map(float))


def test_rank_is_one_more_than_the_number_scored_higher():
    scores = np.array([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.1, 0.9, 0.5]])
    assert metrics.ranks(scores, np.array([1, 2, 0])).tolist() == [1, 2, 3]


def test_an_item_that_was_not_retrieved_is_a_miss():
    scores = np.array([[0.3, -np.inf], [0.3, 0.1]])
    rank = metrics.ranks(scores, np.array([1, -1]))
    assert rank.tolist() == [metrics.MISSED, metrics.MISSED]
    assert metrics.summary(rank) == dict.fromkeys(("hit@10", "hit@100", "hit@300", "ndcg@10", "mrr"), 0.0)


def test_scores_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        metrics.ranks(np.array([[np.nan, 1.0]]), np.array([0]))


def test_scores_that_say_nothing_are_seen_as_ties():
    same = np.ones((2, 5))
    assert metrics.ranks(same, np.array([0, 3])).tolist() == [1, 1]
    assert metrics.tied(same, np.array([0, 3])).tolist() == [4, 4]


@given(SCORES, arrays(np.int64, 5, elements=st.integers(0, 6)))
def test_ranks_and_ties_bracket_the_place_in_any_sorted_list(scores, positive):
    order = np.argsort(-scores, axis=1, kind="stable")
    place = metrics.positions(order, positive)
    best = metrics.ranks(scores, positive)
    assert (best <= place).all()
    assert (place <= best + metrics.tied(scores, positive)).all()


def test_position_in_a_list_with_pads():
    lists = np.array([[7, 3, -1], [4, -1, -1]])
    assert metrics.positions(lists, np.array([3, 9])).tolist() == [2, metrics.MISSED]


def test_ndcg_and_mrr_of_known_ranks():
    rank = np.array([1, 3, 11, metrics.MISSED])
    assert metrics.ndcg(rank, 10) == pytest.approx((1 + 0.5) / 4)
    assert metrics.mrr(rank) == pytest.approx((1 + 1 / 3 + 1 / 11) / 4)
    assert metrics.hit(rank, 10) == 0.5


def test_coverage_counts_items_once_and_pads_never():
    assert metrics.coverage(np.array([[0, 1], [1, -1]]), 4) == 0.5


@given(
    arrays(np.float64, 20, elements=st.integers(0, 4).map(float)),
    arrays(np.int64, 20, elements=st.integers(0, 1)),
)
def test_auc_is_that_of_scikit_learn(scores, labels):
    if labels.min() == labels.max():
        assert np.isnan(metrics.auc(scores, labels))
    else:
        assert metrics.auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
