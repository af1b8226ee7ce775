"""Ordering: sorted, summing to the right sum, pads last, sampling seeded and fair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.ordering import FLAGS, ask
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import BadUse
from recsys.schema import NO_ITEM, Degraded
from recsys.serving.stages.softmax_sampling import SoftmaxSampling, _Wishes, load


def test_the_best_by_score_with_their_share_of_all() -> None:
    out = SoftmaxSampling(returned=2, temperature=0.5).run(ask([[7, 8, 9]], [[0.1, 0.9, 0.5]]))
    weights = np.exp(np.array([0.1, 0.9, 0.5]) / 0.5)
    assert out["ordered_items"].tolist() == [[8, 9]]
    np.testing.assert_allclose(out["ordered_scores"][0], (weights / weights.sum())[[1, 2]], rtol=1e-6)
    assert out["degraded"].tolist() == [[0]]


def test_pads_are_last_and_worth_nothing() -> None:
    out = SoftmaxSampling(returned=4).run(ask([[7, -1, 9]], [[0.1, 0.99, np.nan]]))
    assert out["ordered_items"].tolist() == [[7, 9, -1, -1]]  # NaN at item 9: retrieval's order
    assert out["degraded"].tolist() == [[Degraded.RANKING]]
    out = SoftmaxSampling(returned=4).run(ask([[7, -1, 9]], [[0.1, np.nan, 0.2]]))
    assert out["ordered_items"].tolist() == [[9, 7, -1, -1]]
    assert out["ordered_scores"][0, 2:].tolist() == [0, 0]
    assert out["ordered_scores"].sum() == pytest.approx(1)
    assert out["degraded"].tolist() == [[0]]


def test_a_row_of_pads_is_an_empty_answer() -> None:
    out = SoftmaxSampling(returned=2).run(ask([[-1, -1, -1]], [[0.3, 0.2, 0.1]]))
    assert out["ordered_items"].tolist() == [[-1, -1]]
    assert out["ordered_scores"].tolist() == [[0, 0]]


def test_without_click_scores_the_order_is_retrievals_for_that_user_alone() -> None:
    inputs = ask([[7, 8, 9], [7, 8, 9]], [[np.nan] * 3, [0.1, 0.9, 0.5]])
    out = SoftmaxSampling(returned=3).run(inputs)
    assert out["ordered_items"].tolist() == [[7, 8, 9], [8, 9, 7]]
    assert out["degraded"].tolist() == [[Degraded.RANKING], [0]]


def test_flags_of_all_stages_are_folded() -> None:
    inputs = ask([[7, 8, 9]] * 2, [[0.1, 0.9, 0.5]] * 2)
    inputs |= {name: np.array([[1 << place], [0]], np.int32) for place, name in enumerate(FLAGS)}
    out = SoftmaxSampling(returned=3).run(inputs)
    assert out["degraded"].tolist() == [[15], [0]]
    assert out["degraded"].dtype == np.int32


def test_great_scores_do_not_overflow() -> None:
    out = SoftmaxSampling(returned=3, temperature=0.01).run(ask([[7, 8, 9]], [[1e30, -1e30, 1e29]]))
    assert out["ordered_scores"].tolist() == [[1, 0, 0]]


@given(
    scores=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=40),
    returned=st.integers(1, 50),
    weighted=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_sorted_unique_and_normalised(scores: list[float], returned: int, weighted: bool, seed: int) -> None:
    items = [[item if item % 5 else NO_ITEM for item in range(len(scores))]]
    stage = SoftmaxSampling(returned, temperature=1.0, weighted=weighted, sampling_temperature=1.0, seed=seed)
    out = stage.run(ask(items, [scores]))
    answer = out["ordered_items"][0]
    there = answer[answer != NO_ITEM]
    valid = [item for item in items[0] if item != NO_ITEM]
    assert len(there) == min(returned, len(valid))
    assert len(set(there.tolist())) == len(there)
    assert set(there.tolist()) <= set(valid)
    assert (answer[: len(there)] != NO_ITEM).all()
    assert (np.diff(out["ordered_scores"][0]) <= 0).all()
    assert out["ordered_scores"].sum() <= 1 + 1e-5
    if returned >= len(valid) > 0:
        assert out["ordered_scores"].sum() == pytest.approx(1, abs=1e-5)


@given(
    st.lists(
        st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9, np.nan]), min_size=4, max_size=4),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 5),
    st.booleans(),
)
def test_the_short_way_to_the_best_is_the_long_one(clicks: list[list[float]], top_k: int, pads: bool) -> None:
    rows = len(clicks)
    inputs = ask([[7, 3, 9, NO_ITEM if pads else 1]] * rows, clicks)
    inputs["top_k"] = np.full((rows, 1), top_k, np.int32)
    stage = SoftmaxSampling(3)
    short = stage.run(inputs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Wishes, "is_plain", False)
        long = stage.run(inputs)
    for name, expected in long.items():
        np.testing.assert_array_equal(short[name], expected)
        assert short[name].dtype == expected.dtype


def test_a_sample_depends_on_seed_user_and_time_and_not_on_the_batch() -> None:
    items, clicks = [list(range(40))], [[0.5] * 40]
    stage = SoftmaxSampling(10, weighted=True, seed=3)
    first = stage.run(ask(items, clicks))["ordered_items"][0].tolist()
    batch = stage.run(ask(items * 8, clicks * 8))["ordered_items"].tolist()
    assert batch[0] == first
    assert len({tuple(row) for row in batch}) == 8
    other = SoftmaxSampling(10, weighted=True, seed=4).run(ask(items, clicks))["ordered_items"][0].tolist()
    assert other != first
    later = ask(items, clicks)
    later["context_time"] += 1
    assert stage.run(later)["ordered_items"][0].tolist() != first


def test_samples_follow_the_weights() -> None:
    """First draws of 20,000 users against the softmax: a chi-square of two degrees of freedom."""
    users, temperature = 20_000, 0.5
    scores = np.array([0.1, 0.4, 0.9])
    expected = np.exp(scores / temperature)
    expected = expected / expected.sum() * users
    out = SoftmaxSampling(1, weighted=True, sampling_temperature=temperature, seed=7).run(
        ask([[0, 1, 2]] * users, [scores.tolist()] * users)
    )
    drawn = np.bincount(out["ordered_items"][:, 0], minlength=3)
    assert ((drawn - expected) ** 2 / expected).sum() < 13.8  # p = 0.001


def test_a_sample_of_scores_as_the_ranker_gives_them_keeps_most_of_the_best() -> None:
    """Logits from 6 down, as a softsign near 1: what is drawn by default is neither the best nor anything."""
    logit = np.linspace(6, -4, 300)
    scores = 0.5 + 0.5 * logit / (1 + np.abs(logit))
    items = np.tile(np.arange(300), (2_000, 1))
    out = SoftmaxSampling(10, weighted=True).run(ask(items.tolist(), [scores.tolist()] * len(items)))
    best = (out["ordered_items"] < 10).mean()
    assert 0.2 < best < 0.95
    assert (out["ordered_items"] < 100).mean() > 0.99


def test_a_seed_of_its_own_repeats_a_sample_at_any_time() -> None:
    items, clicks = [list(range(40))], [[0.5] * 40]
    stage = SoftmaxSampling(10)

    def sample(seed: int, at: int) -> list[int]:
        inputs = ask(items, clicks) | {"seed": np.array([[seed]]), "sampling": np.array([[1]], np.int32)}
        return stage.run(inputs | {"context_time": np.array([[at]])})["ordered_items"][0].tolist()

    assert sample(-5, 10) == sample(-5, 99)
    assert sample(-5, 10) != sample(6, 10)
    assert sample(0, 10) != sample(0, 99)


def test_parameters_are_read_and_checked() -> None:
    parameters = {
        "returned": "5",
        "sampling": "weighted",
        "temperature": "0.2",
        "sampling_temperature": "0.01",
        "sampling_seed": "9",
        "diversity": "0",
        "diversity_by": "mmr",
        "max_per_category": "0",
        "explore": "0",
    }
    assert load(Path(), parameters) == SoftmaxSampling(
        5, 0.2, weighted=True, sampling_temperature=0.01, seed=9
    )
    with pytest.raises(BadUse, match="no such way"):
        load(Path(), parameters | {"sampling": "best"})
    with pytest.raises(BadUse, match="not positive"):
        load(Path(), parameters | {"temperature": "0"})
    with pytest.raises(BadUse, match=r"sampling_temperature 0: is not positive"):
        load(Path(), parameters | {"sampling_temperature": "0"})
    with pytest.raises(BadUse, match="not a share"):
        load(Path(), parameters | {"diversity": "1.5"})
    with pytest.raises(BadUse, match="diversity_by"):
        load(Path(), parameters | {"diversity_by": "wit"})
