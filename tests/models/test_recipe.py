from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import BadData
from recsys.models.recipe import learning_rate, plan
from recsys.settings import FitSettings, RetrievalSettings


@given(st.integers(1, 20_000_000))
def test_there_are_enough_steps_or_the_most_epochs(rows):
    settings = FitSettings()
    found = plan(rows, settings)
    assert found.batch_size <= min(rows, settings.largest_batch)
    assert found.batch_size * found.steps_per_epoch <= rows
    assert found.steps >= settings.least_steps or found.epochs == settings.most_epochs


def test_a_large_shop_gets_a_large_batch_and_a_small_one_does_not():
    settings = RetrievalSettings()
    assert plan(13_000_000, settings).batch_size == settings.largest_batch
    small = plan(225_000, settings)
    assert small.steps >= 500  # a batch of 16,384 would leave 13 steps an epoch


def test_beyond_the_most_steps_training_takes_no_longer():
    settings = RetrievalSettings()
    published, ten_times, hundred_times = (
        plan(rows, settings) for rows in (4_200_000, 42_000_000, 420_000_000)
    )
    assert published.steps == ten_times.steps == hundred_times.steps == settings.most_steps
    assert str(published) == "2,000 steps of 8,192 rows: each row 3.91 times"
    assert [published.in_epoch(epoch) for epoch in range(published.epochs)] == [512, 512, 512, 464]
    assert (hundred_times.epochs, hundred_times.in_epoch(0)) == (1, settings.most_steps)


@given(st.integers(1, 4_000_000))
def test_a_shop_of_less_than_four_million_clicks_has_whole_epochs(rows):
    found = plan(rows, RetrievalSettings())
    assert found.steps == found.epochs * found.steps_per_epoch


def test_no_rows_are_refused():
    with pytest.raises(BadData, match="training rows"):
        plan(0, FitSettings())


def test_rate_rises_to_its_peak_and_decays():
    rates = [learning_rate(step, 1_000, 0.01) for step in range(1_000)]
    peak = rates.index(max(rates))
    assert 0 < peak <= 20
    assert max(rates) == pytest.approx(0.01)
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0.0002, rel=0.01)
