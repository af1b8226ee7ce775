"""The ranker scores each user's candidates; when it fails it says so instead of raising."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.release import make_degenerate_model

from recsys import schema
from recsys.errors import BadData
from recsys.serving.stages.dlrm_ranking import load

NAMES = schema.USER_FEATURES | schema.CONTEXT_FEATURES | schema.ITEM_FEATURES


def inputs(users: int = 3, items: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 8, (users, items)).astype(dtype) for name, dtype in NAMES.items()}
    for name in schema.EMBEDDING_FEATURES:
        columns[name] = rng.normal(size=(users, items, 64)).astype(np.float32)
    columns["user_embedding"] = rng.normal(size=(users, 64)).astype(np.float32)
    return columns


def test_each_candidate_is_scored_by_its_own_row(release: Path) -> None:
    stage, columns = load(release, {}), inputs()
    scores = stage.run(columns)["score"]
    assert (scores.shape, scores.dtype) == ((3, 5), np.float32)
    for user, item in np.ndindex(3, 5):
        one = {name: column[user : user + 1, item : item + 1] for name, column in columns.items()}
        one["user_embedding"] = columns["user_embedding"][user : user + 1]
        np.testing.assert_allclose(stage.run(one)["score"][0, 0], scores[user, item], atol=1e-6)


def test_a_users_features_meet_each_candidate(release: Path) -> None:
    stage, columns = load(release, {}), inputs(users=2)
    once = columns | {"user_id": np.array([[3], [4]])}
    repeated = columns | {"user_id": np.array([[3] * 5, [4] * 5])}
    assert np.array_equal(stage.run(once)["score"], stage.run(repeated)["score"])


def test_without_a_user_embedding_the_ranker_decides_alone(release: Path) -> None:
    stage, columns = load(release, {}), inputs()
    lost = columns | {"user_embedding": np.full((3, 64), np.nan, np.float32)}
    none = columns | {"user_embedding": np.zeros((3, 64), np.float32)}
    assert np.array_equal(stage.run(lost)["score"], stage.run(none)["score"])
    assert not np.array_equal(stage.run(none)["score"], stage.run(columns)["score"])


def test_a_failing_model_gives_nan(tmp_path: Path) -> None:
    ports = {name: (dtype, 1) for name, dtype in NAMES.items()}
    make_degenerate_model(tmp_path / schema.DLRM_ONNX, ports, "score")
    scores = load(tmp_path, {}).run(inputs())["score"]
    assert scores.shape == (3, 5)
    assert np.isnan(scores).all()


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"dlrm\.onnx"):
        load(tmp_path, {})


def test_users_side_by_side_are_scored_as_one_after_the_other(release: Path) -> None:
    columns = inputs(users=5, items=300)
    alone, together = load(release, {}), load(release, {"ranker_threads": "2"})
    assert np.array_equal(alone.run(columns)["score"], together.run(columns)["score"])
    together.close()
