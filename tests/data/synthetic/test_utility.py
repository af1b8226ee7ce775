from __future__ import annotations

import numpy as np
import pytest

from recsys.data.synthetic.kinds import KINDS
from recsys.data.synthetic.utility import Situation, draw_choices

KIND_NAMES = [kind.name for kind in KINDS]


def _situation(world, rows: int = 40, day: int = 0, **given: object) -> Situation:
    draw = np.random.default_rng(0)
    fields = {
        "user": draw.integers(0, len(world.shoppers), rows),
        "hour": draw.integers(0, 24, rows),
        "device": draw.integers(0, 3, rows),
        "focus": np.full(rows, -1),
        "last": np.full(rows, -1),
    }
    return Situation(day, False, **{**fields, **given})


def test_probabilities_sum_to_one(world):
    situation = _situation(world)
    assert np.exp(world.utility.kinds(situation)).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.exp(world.utility.catalogue(situation)).sum(axis=1) == pytest.approx(1, abs=1e-4)
    kind = np.arange(40) % len(KINDS)
    assert np.exp(world.utility.products(situation, kind)).sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_products_utility_is_its_kinds_and_its_own(world):
    s = world.day.situation.take(np.arange(60))
    place = world.day.clicked[:60]
    kind = world.catalogue.kind[place].astype(int)
    whole = world.utility.catalogue(s)[np.arange(60), place]
    parts = world.utility.kinds(s)[np.arange(60), kind]
    parts = parts + world.utility.products(s, kind)[np.arange(60), world.catalogue.slot[place]]
    np.testing.assert_allclose(whole, parts, rtol=1e-5)


def test_rows_do_not_depend_on_their_company(world):
    s = world.day.situation.take(np.arange(50))
    one = s.take(np.array([17]))
    np.testing.assert_array_equal(world.utility.catalogue(s)[17], world.utility.catalogue(one)[0])


def test_focus_and_comparison(world):
    mug = KIND_NAMES.index("mug")
    plain, focused = _situation(world), _situation(world, focus=np.full(40, mug))
    gain = world.utility.kinds(focused)[:, mug] - world.utility.kinds(plain)[:, mug]
    assert (gain > 0).all()
    first = int(world.catalogue.members[mug, 0])
    after = _situation(world, last=np.full(40, first))
    mugs = np.full(40, mug)
    before_, after_ = world.utility.products(plain, mugs), world.utility.products(after, mugs)
    assert (after_[:, 0] < before_[:, 0]).all()  # not the same one again at once


def test_drift(world):
    def share(department: str, day: int) -> float:
        kinds = [i for i, kind in enumerate(KINDS) if department in (kind.department, kind.name)]
        return float(np.exp(world.utility.kinds(_situation(world, 200, day)))[:, kinds].sum(axis=1).mean())

    assert share("outdoors", 0) < share("outdoors", 6) < share("outdoors", 10)
    assert share("groceries", 11) > 1.8 * share("groceries", 10)
    assert share("kite", 0) > 1.5 * share("kite", 3) > 1.5 * share("kite", 9)


def test_choices_follow_their_probabilities():
    p = np.array([0.5, 0.0, 0.3, 0.2])
    rows = 40_000
    with np.errstate(divide="ignore"):
        log = np.broadcast_to(np.log(p), (rows, 4)).astype(np.float32)
    share = np.bincount(draw_choices(log, np.random.default_rng(0)), minlength=4) / rows
    assert share[1] == 0
    np.testing.assert_allclose(share, p, atol=4 * np.sqrt(0.25 / rows))


def test_clicks_follow_the_utility(world):
    """The mean log-probability of what was clicked is what the probabilities themselves expect."""
    s = world.day.situation
    scores = world.utility.catalogue(s)
    own = scores[np.arange(len(s)), world.day.clicked]
    p = np.exp(scores)
    expected = (p * scores).sum(axis=1)
    spread = np.sqrt(((p * scores**2).sum(axis=1) - expected**2).sum()) / len(s)
    assert own.mean() == pytest.approx(expected.mean(), abs=4 * spread)
