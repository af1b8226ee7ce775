from __future__ import annotations

import numpy as np
import pytest

from recsys.models.calibration import reliability


def test_true_probabilities_have_no_error():
    rng = np.random.default_rng(0)
    chance = rng.random(50_000)
    found = reliability(chance, rng.random(50_000) < chance)
    assert found["ece"] < 0.01
    assert len(found["bins"]) == 20
    assert found["brier"] == pytest.approx(1 / 6, abs=0.01)


def test_overconfidence_shows_in_the_bins_and_in_the_error():
    rng = np.random.default_rng(1)
    chance = rng.random(50_000)
    stated = np.where(chance > 0.5, 1.0, 0.0)
    found = reliability(stated, rng.random(50_000) < chance)
    assert found["ece"] == pytest.approx(0.25, abs=0.01)
    assert found["log_loss"] > 2
    assert found["bins"][-1]["predicted"] == 1
    assert found["bins"][-1]["observed"] == pytest.approx(0.75, abs=0.02)


def test_bins_hold_every_row_once():
    found = reliability(np.linspace(0, 1, 7), np.zeros(7), bins=3)
    assert sum(one["rows"] for one in found["bins"]) == found["rows"] == 7
    assert reliability(np.array([0.5]), np.array([1]))["ece"] == 0.5
    assert reliability(np.zeros(0), np.zeros(0))["bins"] == []
