"""Whether the better release is found, and only if it is better."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import BadUse
from recsys.online.exposures import Exposure
from recsys.release.compare import compare


def experiment(rates: dict[int, float], users: int = 1_500, seed: int = 0):
    """Users with a taste of their own, five answers each, clicking at their release's rate."""
    rng = np.random.default_rng(seed)
    shown, clicks = [], {}
    for user in range(users):
        arm = list(rates)[user % len(rates)]
        keen = rng.beta(2, 2) * 2  # mean 1: answers of one user are alike
        for answer in range(5):
            at = 10_000_000 * answer
            shown.append(Exposure(user, arm, at, (1, 2, 3)))
            if rng.random() < rates[arm] * keen:
                clicks.setdefault(user, []).append((at + 60_000, int(rng.integers(1, 4))))
    return shown, clicks


def test_the_better_release_is_found_from_either_side() -> None:
    shown, clicks = experiment({1: 0.1, 2: 0.2})
    found = compare(shown, clicks, 1, 2)
    assert found.better == 2
    assert 0 < found.low < found.difference < found.high
    assert found.difference == pytest.approx(0.1, abs=0.03)
    turned = compare(shown, clicks, 2, 1)
    assert turned.better == 2
    assert turned.difference == -found.difference


def test_equal_releases_are_told_apart_as_seldom_as_the_level_says() -> None:
    wrong = sum(
        compare(*experiment({1: 0.1, 2: 0.1}, users=300, seed=seed), 1, 2, resamples=300).better is not None
        for seed in range(60)
    )
    assert wrong <= 9  # 5 % of 60 are three; nine or more happen once in a thousand times


def test_the_interval_knows_that_answers_of_one_user_are_alike() -> None:
    """One user who clicks all day is no evidence: over answers the interval would be tiny."""
    shown = [Exposure(user, 1 + user % 2, at * 10_000_000, (1,)) for user in range(20) for at in range(200)]
    clicks = {user: [(at * 10_000_000 + 1, 1) for at in range(200)] for user in (1, 3, 5, 2, 4)}
    found = compare(shown, clicks, 1, 2)
    assert found.better is None
    assert found.high - found.low > 0.5


@pytest.mark.parametrize(
    ("at_ms", "item", "counts"),
    [(0, 1, 1), (1_800_000, 1, 1), (1_800_001, 1, 0), (-1, 1, 0), (10, 9, 0)],
)
def test_a_click_counts_on_a_shown_item_within_the_window(at_ms: int, item: int, counts: int) -> None:
    shown = [Exposure(user, 1 + user % 2, 0, (1, 2)) for user in range(4)]
    assert compare(shown, {0: [(at_ms, item)]}, 1, 2).first.clicked == counts


def test_counts_and_rates() -> None:
    shown = [Exposure(user, 1 + user % 2, at, (1,)) for user in range(4) for at in (0, 10**9)]
    found = compare(shown, {0: [(5, 1)], 2: [(5, 1), (10**9 + 5, 1)], 1: []}, 1, 2)
    assert (found.first.users, found.first.exposures, found.first.clicked, found.first.rate) == (
        2,
        4,
        3,
        0.75,
    )
    assert (found.second.clicked, found.second.rate) == (0, 0.0)


def test_too_few_users_are_no_comparison() -> None:
    with pytest.raises(BadUse, match="release 2: 0 users were shown its answers"):
        compare([Exposure(1, 1, 0, (1,)), Exposure(2, 1, 0, (1,))], {}, 1, 2)
