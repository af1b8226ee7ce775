"""What a request may choose of its answer's order: a sample, difference, a cap, exploration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from factories.ordering import ask
from hypothesis import given
from hypothesis import strategies as st

from recsys.schema import NO_ITEM
from recsys.serving.caps import ItemCategories
from recsys.serving.diversity import ItemVectors, mmr
from recsys.serving.dpp import dpp
from recsys.serving.graph import model
from recsys.serving.relevance import logits, softmax
from recsys.serving.stages.softmax_sampling import SoftmaxSampling, load
from recsys.settings import ServingSettings


def test_a_request_may_choose_otherwise_and_changes_nobody_elses_answer(release: Path) -> None:
    rng = np.random.default_rng(0)
    items, clicks = np.argsort(rng.random((4, 60)), axis=1).tolist(), rng.random((4, 60)).tolist()
    stage = SoftmaxSampling(20, sampling_temperature=0.1, vectors=ItemVectors(release))
    plain, inputs = stage.run(ask(items, clicks)), ask(items, clicks)
    inputs["sampling"][1] = 1
    inputs["top_k"][1:] = 7
    inputs["diversity"][2] = 0.7
    out = stage.run(inputs)
    for name in ("ordered_items", "ordered_scores", "ordered_sources"):
        assert np.array_equal(out[name][0], plain[name][0])
        assert np.array_equal(out[name][3, :7], plain[name][3, :7])
    assert (out["ordered_items"][1:, 7:] == NO_ITEM).all()
    assert (out["ordered_scores"][1:, 7:] == 0).all()
    for row in (1, 2):
        assert set(out["ordered_items"][row, :7]) != set(plain["ordered_items"][row, :7])
        assert len(set(out["ordered_items"][row, :7].tolist())) == 7
        assert (np.diff(out["ordered_scores"][row]) <= 0).all()
    assert np.array_equal(out["ordered_sources"][2, :7], out["ordered_items"][2, :7] % 8)


def test_difference_is_weighed_against_chances_also_where_the_ranker_failed(release: Path) -> None:
    rng = np.random.default_rng(3)
    items, clicks = np.argsort(rng.random((2, 60)), axis=1), rng.random((2, 60))
    clicks[1, 5] = np.nan
    inputs = ask(items.tolist(), clicks.tolist())
    inputs["diversity"][:] = 0.5
    inputs["top_k"][:] = 6
    out = SoftmaxSampling(20, vectors=ItemVectors(release)).run(inputs)["ordered_items"][:, :6]
    logit = np.stack([logits(clicks[0].astype(np.float32)), inputs["retrieval_scores"][1]])
    chosen = mmr(softmax(logit), ItemVectors(release).of(items), 6, np.full(2, 0.5))
    for row in range(2):
        assert set(out[row].tolist()) == set(items[row, chosen[row]].tolist())


def test_an_answer_that_explores_is_in_the_order_drawn_with_the_chance_of_each_place(release: Path) -> None:
    stage = SoftmaxSampling(returned=3)
    asked = ask([[7, 8, 9, -1]] * 3_000, [[0.9, 0.7, 0.6, 0.0]] * 3_000)
    asked["explore"][:] = 0.2
    out = stage.run(asked)
    assert (np.diff(out["ordered_scores"], axis=1) <= 0).all()
    first, count = np.unique(out["ordered_items"][:, 0], return_counts=True)
    expected = np.exp(np.array([0.9, 0.7, 0.6]) / 0.2)
    expected /= expected.sum()
    assert first.tolist() == [7, 8, 9]
    np.testing.assert_allclose(count / 3_000, expected, atol=0.03)
    np.testing.assert_allclose(out["propensities"][:, 0], expected[out["ordered_items"][:, 0] - 7], rtol=1e-5)
    np.testing.assert_allclose(out["propensities"][:, 2], 1, rtol=1e-5)  # what is left
    left = 1 - expected[out["ordered_items"][:, 0] - 7]
    np.testing.assert_allclose(
        out["propensities"][:, 1], expected[out["ordered_items"][:, 1] - 7] / left, rtol=1e-5
    )


def test_chances_of_answers_that_do_not_explore() -> None:
    asked = ask([[7, 8, -1]] * 2, [[0.1, 0.9, 0.0]] * 2)
    asked["sampling"][1] = 1
    assert SoftmaxSampling(returned=4).run(asked)["propensities"].tolist() == [[1, 1, 0, 0], [0, 0, 0, 0]]


@given(
    wish=st.fixed_dictionaries(
        {
            "explore": st.sampled_from([-1, 0, 0.05]),
            "diversity_by": st.sampled_from([-1, 0, 1]),
            "max_per_category": st.sampled_from([-1, 0, 1, 2]),
            "diversity": st.sampled_from([-1, 0, 0.5]),
        }
    ),
    seed=st.integers(0, 1_000),
)
def test_whatever_is_chosen_users_are_answered_as_if_alone(
    release: Path, wish: dict[str, float], seed: int
) -> None:
    stage = load(release, _parameters())
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(40)[:12] for _ in range(3)])
    asked = ask(rows.tolist(), rng.random((3, 12)).tolist())
    for name, value in wish.items():
        asked[name][1] = value
    asked["top_k"][:] = 5
    together = stage.run(asked)
    for at in range(3):
        alone = stage.run({name: column[at : at + 1] for name, column in asked.items()})
        for name, column in alone.items():
            np.testing.assert_array_equal(column[0], together[name][at], err_msg=name)
        shown = together["ordered_items"][at]
        assert len(set(shown[:5].tolist())) == 5
        assert (shown[5:] == NO_ITEM).all()


def test_at_most_so_many_of_a_category(release: Path) -> None:
    stage = load(release, _parameters())
    category = ItemCategories(release).of(np.arange(60)[None])[0]
    asked = ask([list(range(60))] * 3, [np.linspace(0.9, 0.1, 60).tolist()] * 3)
    asked["top_k"][:] = 4
    asked["max_per_category"][1:] = 1
    asked["diversity"][2] = 0.3
    asked["diversity_by"][2] = 1
    shown = stage.run(asked)["ordered_items"][:, :4]
    assert shown[0].tolist() == [0, 1, 2, 3]
    kinds = min(4, len(np.unique(category[:60])))
    for row in shown[1:]:
        assert len(np.unique(category[row])) == kinds


def test_dpp_is_the_determinant_s_order(release: Path) -> None:
    stage = load(release, _parameters())
    asked = ask([list(range(30))], [np.linspace(0.9, 0.1, 30).tolist()])
    asked["top_k"][:], asked["diversity"][:], asked["diversity_by"][:] = 5, 0.4, 1
    likely = softmax(logits(asked["click_scores"].astype(np.float64)))
    chosen = dpp(likely, ItemVectors(release).of(asked["items"]), 5, np.array([0.4]))
    assert set(stage.run(asked)["ordered_items"][0, :5].tolist()) == set(chosen[0].tolist())


def _parameters() -> dict[str, str]:
    settings = ServingSettings(returned=20)
    return {name: str(getattr(settings, name)) for name in model("softmax_sampling").parameters}
