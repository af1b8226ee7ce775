from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.models.offpolicy import Log, doubly_robust, ips, snips

CONTEXTS, ACTIONS, ROWS = 20, 5, 20_000


class World:
    """Known chances of a reward, a policy that logs and one that is asked about."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.reward = rng.random((CONTEXTS, ACTIONS))
        self.logging = rng.dirichlet(np.full(ACTIONS, 2.0), CONTEXTS) * 0.9 + 0.1 / ACTIONS
        self.target = rng.dirichlet(np.full(ACTIONS, 1.0), CONTEXTS)
        self.truth = float((self.target * self.reward).sum(axis=1).mean())
        context = rng.integers(CONTEXTS, size=ROWS)
        action = (rng.random(ROWS)[:, None] > self.logging[context].cumsum(axis=1)).sum(axis=1)
        self.context, self.action = context, np.minimum(action, ACTIONS - 1)
        earned = rng.random(ROWS) < self.reward[context, self.action]
        self.log = Log(
            earned.astype(float), self.logging[context, self.action], self.target[context, self.action]
        )

    def model(self, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        expected = (self.target * rewards).sum(axis=1)[self.context]
        return rewards[self.context, self.action], expected


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_every_estimator_finds_the_truth(seed):
    world = World(seed)
    wrong = world.model(np.full((CONTEXTS, ACTIONS), 0.3))
    for found in (ips(world.log), snips(world.log), doubly_robust(world.log, *wrong)):
        assert abs(found.value - world.truth) < 5 * found.error + 0.02


def test_a_good_model_makes_it_surer_and_bad_propensities_do_not_hurt_it():
    world = World(1)
    robust = doubly_robust(world.log, *world.model(world.reward))
    assert robust.error < ips(world.log).error
    forged = Log(world.log.reward, np.full(ROWS, 0.9), world.log.target)
    assert abs(doubly_robust(forged, *world.model(world.reward)).value - world.truth) < 0.02
    assert abs(ips(forged).value - world.truth) > 0.1


def test_the_average_of_the_log_is_what_the_naive_reader_takes_for_it():
    world = World(2)
    logged = float((world.logging * world.reward).sum(axis=1).mean())
    assert abs(world.log.reward.mean() - logged) < 0.02
    same = Log(world.log.reward, world.log.propensity, world.log.propensity)
    assert ips(same).value == pytest.approx(world.log.reward.mean())
    assert ips(same).effective_rows == pytest.approx(ROWS)


def test_self_normalised_stays_among_the_rewards():
    log = Log(np.array([1.0, 1.0]), np.array([0.01, 0.5]), np.array([1.0, 0.5]))
    assert ips(log).value > 1
    assert snips(log).value == 1
    assert ips(log, most=10).value == pytest.approx(5.5)


def test_intervals_are_about_as_wide_as_the_estimates_scatter():
    worlds = [World(0).truth]
    errors, values = [], []
    for seed in range(40):
        world = World(0)
        pick = np.random.default_rng(seed).integers(ROWS, size=2_000)
        part = Log(world.log.reward[pick], world.log.propensity[pick], world.log.target[pick])
        found = snips(part)
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.4)
    assert abs(np.mean(values) - worlds[0]) < 0.03


def test_a_log_without_propensities_is_refused():
    with pytest.raises(ValueError, match="propensity"):
        Log(np.ones(1), np.zeros(1), np.ones(1))
    with pytest.raises(ValueError, match="length"):
        Log(np.ones(1), np.ones(2), np.ones(1))
    assert np.isnan(snips(Log(np.ones(2), np.ones(2), np.zeros(2))).value)
