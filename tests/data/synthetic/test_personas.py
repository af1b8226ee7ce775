from __future__ import annotations

import numpy as np
import pytest

from recsys.data.synthetic.assortment import DEPARTMENTS
from recsys.data.synthetic.personas import _choose, make_shoppers

NAMES = [department.name for department in DEPARTMENTS]


@pytest.fixture(scope="module")
def shoppers():
    return make_shoppers(8000, 1)


def _likes(shoppers, department: str) -> np.ndarray:
    return (shoppers.departments[shoppers.persona] == NAMES.index(department)).any(axis=1)


def test_who_they_are(shoppers):
    age = shoppers.frame["age"]
    assert (age.min(), age.max() <= 84) == (18, True)
    assert age.mean() == pytest.approx(37, abs=1.5)
    assert shoppers.frame["gender"].mean() == pytest.approx(0.5, abs=0.03)
    assert (shoppers.style != shoppers.second_style).all()
    assert shoppers.activity.sum() == pytest.approx(1)


def test_age_and_gender_lean_towards_personas(shoppers):
    woman = (shoppers.frame["gender"] == 0).to_numpy()
    age = shoppers.frame["age"].to_numpy()
    assert _likes(shoppers, "beauty")[woman].mean() > 1.5 * _likes(shoppers, "beauty")[~woman].mean()
    assert _likes(shoppers, "tools")[~woman].mean() > 1.5 * _likes(shoppers, "tools")[woman].mean()
    assert age[_likes(shoppers, "floral")].mean() > age[_likes(shoppers, "instruments")].mean() + 4


def test_older_shoppers_hold_a_phone_less_and_spend_more(shoppers):
    old = shoppers.frame["age"].to_numpy() > 50
    assert (shoppers.device[old] == 0).mean() < (shoppers.device[~old] == 0).mean() - 0.1
    assert shoppers.purse[old].mean() > shoppers.purse[~old].mean() + 0.1


def test_choices_follow_the_softmax_of_their_row():
    fit = np.log(np.array([[[0.7], [0.2], [0.1]], [[0.1], [0.1], [0.8]]]))
    gender = np.repeat([0, 1], 20_000)
    chosen = _choose(fit, np.zeros(40_000, int), gender, np.random.default_rng(0))
    for row, expected in ((0, [0.7, 0.2, 0.1]), (1, [0.1, 0.1, 0.8])):
        share = np.bincount(chosen[gender == row], minlength=3) / 20_000
        np.testing.assert_allclose(share, expected, atol=0.015)
