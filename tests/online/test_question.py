"""The ensemble's inputs of one user or many: neutral where somebody leaves them out."""

from __future__ import annotations

import numpy as np

from recsys.online.question import Question, columns
from recsys.serving.tensors import EXCLUDED, TENSORS


def test_what_nobody_gives_is_not_sent() -> None:
    assert {name: array.tolist() for name, array in columns([Question(7), Question(-1)]).items()} == {
        "user_id": [[7], [-1]]
    }


def test_what_some_give_is_neutral_for_the_others() -> None:
    found = columns(
        [
            Question(1, device_type=2, exclude=(5, 6), diversity=0.5, top_k=3),
            Question(2, only_category_l1=(4,), sampling="weighted", seed=-9, diversity_by="dpp"),
            Question(3, timestamp=10, in_stock_only=True, diversity=0.0, max_per_category=2, explore=0.5),
        ]
    )
    assert found["device_type"].tolist() == [[2], [-1], [-1]]
    assert found["timestamp"].tolist() == [[0], [0], [10]]
    assert found["exclude"][:, :3].tolist() == [[5, 6, -1], [-1] * 3, [-1] * 3]
    assert found["only_category_l1"][:, :2].tolist() == [[-1, -1], [4, -1], [-1, -1]]
    assert found["in_stock_only"].tolist() == [[0], [0], [1]]
    assert found["diversity"].tolist() == [[0.5], [-1.0], [0.0]]
    assert found["sampling"].tolist() == [[-1], [1], [-1]]
    assert found["seed"].tolist() == [[0], [-9], [0]]
    assert found["top_k"].tolist() == [[3], [0], [0]]
    assert found["diversity_by"].tolist() == [[-1], [1], [-1]]
    assert found["max_per_category"].tolist() == [[-1], [-1], [2]]
    assert found["explore"].tolist() == [[-1.0], [-1.0], [0.5]]
    assert "only_category_l2" not in found
    for name, array in found.items():
        assert array.dtype == TENSORS[name].dtype
        assert array.shape == (3, *TENSORS[name].shape)


def test_what_does_not_fit_is_left_to_the_callers_check() -> None:
    question = Question(1, only_category_l2=tuple(range(9)), exclude=tuple(range(2_000)))
    found = columns([question])
    assert set(found) == {"user_id", "exclude"}
    assert np.array_equal(found["exclude"][0], np.arange(EXCLUDED))
