"""Users as Feast knows them; a fault of the store is a cold start with its bit, never an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import BadData, Unavailable
from recsys.features.online_store import UserFeatures
from recsys.schema import DEFAULTS_FILE, Degraded
from recsys.serving.breaker import Breaker
from recsys.serving.stages.feast_user_lookup import FeastUserLookup, load

MEAN_AGE = 41.5


class Reader:
    """User 1 is known, user 2 is new but has clicked, everybody else is unknown."""

    down = False

    def read(self, users: np.ndarray) -> UserFeatures:
        if self.down:
            raise Unavailable("store", "down", "wait")
        age = np.where(users == 1, 30, np.nan).astype(np.float32)
        top = np.where(users == 1, 5, np.where(users == 2, 9, -1))
        return UserFeatures(age, np.where(users == 1, 1, -1), top, users == 1)


def users(*ids: int) -> dict[str, np.ndarray]:
    return {"user_id": np.array(ids).reshape(-1, 1)}


def test_known_new_and_unknown_users() -> None:
    out = FeastUserLookup(MEAN_AGE, Reader()).run(users(1, 2, -(2**63)))  # type: ignore[arg-type]
    assert out["age"].tolist() == [[30], [MEAN_AGE], [MEAN_AGE]]
    assert out["age"].dtype == np.float32
    assert out["gender"].tolist() == [[1], [-1], [-1]]
    assert out["top_category"].tolist() == [[5], [9], [-1]]  # the new visitor's clicks count
    assert out["user_flags"].tolist() == [[0], [0], [0]]


def test_a_fault_is_a_cold_start_and_passes_by_itself() -> None:
    reader, clock = Reader(), [0.0]
    stage = FeastUserLookup(MEAN_AGE, reader, Breaker(1, 1.0, lambda: clock[0]))  # type: ignore[arg-type]
    reader.down = True
    out = stage.run(users(1, 2))
    assert out["user_flags"].tolist() == [[Degraded.USER_FEATURES]] * 2
    assert out["age"].tolist() == [[MEAN_AGE]] * 2
    assert out["top_category"].tolist() == [[-1]] * 2
    assert {array.shape for array in out.values()} == {(2, 1)}
    reader.down = False
    clock[0] = 1.0
    assert stage.run(users(1))["user_flags"].tolist() == [[0]]


def test_the_mean_age_is_the_releases(release: Path, tmp_path: Path) -> None:
    assert load(release, {}, None).run(users(1))["age"].tolist() == [[40.0]]
    with pytest.raises(BadData, match="has no mean_age"):
        load(tmp_path, {}, None)
    (tmp_path / DEFAULTS_FILE).write_text("{}")
    with pytest.raises(BadData, match="has no mean_age"):
        load(tmp_path, {}, None)
