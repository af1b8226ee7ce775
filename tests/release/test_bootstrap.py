from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.models import metrics
from recsys.models.calibration import reliability
from recsys.release.bootstrap import Draws, auc_of, calibration_error_of, less, over, share_of

DRAWS = Draws(resamples=400)


def _pairs(seed: int, rows: int = 300, users: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, labels and scores; some tie."""
    rng = np.random.default_rng(seed)
    user = np.concatenate([np.arange(users), rng.integers(users, size=rows - users)])
    label = rng.integers(0, 2, rows)
    return user, label, np.round(rng.normal(size=rows) + label, 1)


@given(seed=st.integers(0, 10_000))
def test_statistics_of_whole_weights_are_those_of_repeated_rows(seed: int) -> None:
    user, label, score = _pairs(seed)
    times = np.random.default_rng(seed).integers(0, 3, 40)
    again = np.repeat(np.arange(len(user)), times[user])
    weights = times[None].astype(float)
    assert share_of(user, score)(weights)[0] == pytest.approx(score[again].mean())
    assert share_of(user, score, label)(weights)[0] == pytest.approx(score[again].sum() / label[again].sum())
    assert auc_of(user, label, score)(weights)[0] == pytest.approx(metrics.auc(score[again], label[again]))


def test_calibration_error_is_that_of_the_evaluation() -> None:
    user, label, score = _pairs(3)
    probability = 1 / (1 + np.exp(-score))
    found = calibration_error_of(user, label, probability)(np.ones((1, 40)))[0]
    assert found == pytest.approx(reliability(probability, label)["ece"])


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = []
    for seed in range(200):
        values = rng.normal(0.3, 1.0, 120)
        found = Draws(resamples=200, seed=seed).interval(share_of(np.arange(120), values), 120)
        held.append(found.low <= 0.3 <= found.high)
    assert 0.89 <= np.mean(held) <= 0.99


def test_rows_of_one_user_come_together() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=50), 20)  # twenty equal rows a user
    users = np.repeat(np.arange(50), 20)
    by_user = DRAWS.interval(share_of(users, values), 50)
    by_row = DRAWS.interval(share_of(np.arange(1_000), values), 1_000)
    assert by_user.high - by_user.low > 3 * (by_row.high - by_row.low)


def test_pairing_takes_out_what_is_hard_about_a_row() -> None:
    rng = np.random.default_rng(0)
    user = np.arange(500)
    hard = rng.random(500)
    one, other = share_of(user, hard * 0.98), share_of(user, hard)
    paired = DRAWS.interval(over(one, other), 500)
    assert paired.low == pytest.approx(0.98)
    assert paired.high == pytest.approx(0.98)
    apart = DRAWS.interval(less(one, share_of(user, hard[::-1])), 500)
    assert apart.low < 0 < apart.high


def test_draws_are_seeded() -> None:
    statistic = share_of(np.arange(50), np.arange(50.0))
    assert DRAWS.interval(statistic, 50) == DRAWS.interval(statistic, 50)
    assert DRAWS.interval(statistic, 50) != Draws(resamples=400, seed=1).interval(statistic, 50)


def test_many_users_are_drawn_in_parts() -> None:
    users = 200_000
    found = Draws(resamples=30).interval(share_of(np.arange(users), np.arange(users) % 2.0), users)
    assert found.value == 0.5
    assert 0.49 < found.low < 0.5 < found.high < 0.51


def test_no_rows_give_no_number() -> None:
    nobody = np.zeros(0, int)
    assert math.isnan(DRAWS.interval(share_of(nobody, np.zeros(0)), 0).value)
    assert math.isnan(DRAWS.of_ratios(np.zeros(0), np.zeros(0)).value)
    assert math.isnan(DRAWS.of_reach(nobody).value)
    one_label = auc_of(np.arange(5), np.ones(5), np.arange(5.0))
    assert math.isnan(DRAWS.interval(one_label, 5).value)


def test_ratio_of_ratios() -> None:
    rng = np.random.default_rng(0)
    below = rng.normal(1.0, 0.2, 60)
    found = DRAWS.of_ratios(below * rng.normal(1.2, 0.02, 60), below)
    assert found.value == pytest.approx(1.2, abs=0.01)
    assert 1.18 < found.low < found.high < 1.22
    assert DRAWS.of_ratios(below, below).high == 1.0


def test_reach_varies_as_another_sample_of_users_does() -> None:
    rng = np.random.default_rng(0)
    expected = rng.gamma(0.5, 2.0, 2_000)  # many items that are shown once or never
    shares = [(rng.poisson(expected) > 0).mean() for _ in range(300)]
    found = DRAWS.of_reach(rng.poisson(expected))
    assert found.value == pytest.approx(np.mean(shares), abs=0.03)
    assert 1 <= (found.high - found.low) / 3.92 / np.std(shares) < 2


def test_reach_against_another() -> None:
    counts = np.array([50] * 90 + [0] * 10)
    same = DRAWS.of_reaches(counts, counts)
    assert (same.value, same.low, same.high) == pytest.approx((1, 1, 1))
    assert DRAWS.of_reaches(counts[::2], np.full(7, 50)).value == pytest.approx(0.9)
    assert DRAWS.of_reaches(np.zeros(4), counts).value == 0
    assert math.isnan(DRAWS.of_reaches(counts, np.zeros(4)).value)
