"""Users as Feast knows them; a fault of the store is a cold start with its bit, never an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import BadData, Unavailable
from recsys.features.online_store import UserFeatures
from recsys.online.recents import NEVER, RecentItems
from recsys.online.user_state import UserState
from recsys.schema import DEFAULTS_FILE, RECENT_CLICKS, Degraded
from recsys.serving.breaker import Breaker
from recsys.serving.catalogue import Catalogue
from recsys.serving.stages.feast_user_lookup import FeastUserLookup, load

MEAN_AGE = 41.5
NOW_S = 1_754_000_000
CATALOGUE = Catalogue(np.array([70, 50, 60]))


class Reader:
    """User 1 is known, user 2 is new but has clicked, everybody else is unknown.

    User 2 clicked items 60, one that the release does not know, and 70: an hour ago, two, three.
    """

    down = False

    def read(self, users: np.ndarray, now_ms: np.ndarray) -> UserState:
        if self.down:
            raise Unavailable("store", "down", "wait")
        self.asked_ms = now_ms
        age = np.where(users == 1, 30, np.nan).astype(np.float32)
        top = np.where(users == 1, 5, np.where(users == 2, 9, -1))
        features = UserFeatures(age, np.where(users == 1, 1, -1), top, users == 1)
        ids = np.full((len(users), RECENT_CLICKS), -1)
        at_ms = np.full((len(users), RECENT_CLICKS), NEVER)
        ids[users == 2, :3] = [60, 99, 70]
        at_ms[users == 2, :3] = NOW_S * 1000 - np.array([1, 2, 3]) * 3_600_000
        return UserState(features, RecentItems(ids, at_ms))


def users(*ids: int, at: int = 0) -> dict[str, np.ndarray]:
    return {"user_id": np.array(ids).reshape(-1, 1), "timestamp": np.full((len(ids), 1), at)}


def made(reader: Reader | None, breaker: Breaker | None = None) -> FeastUserLookup:
    return FeastUserLookup(MEAN_AGE, CATALOGUE, reader, breaker, lambda: NOW_S * 1000)  # type: ignore[arg-type]


def test_known_new_and_unknown_users() -> None:
    out = made(Reader()).run(users(1, 2, -(2**63)))
    assert out["age"].tolist() == [[30], [MEAN_AGE], [MEAN_AGE]]
    assert out["age"].dtype == np.float32
    assert out["gender"].tolist() == [[1], [-1], [-1]]
    assert out["top_category"].tolist() == [[5], [9], [-1]]  # the new visitor's clicks count
    assert out["user_flags"].tolist() == [[0], [0], [0]]


def test_newest_clicks_as_item_indexes_and_ages() -> None:
    out = made(Reader()).run(users(1, 2))
    assert (out["recent_items"].dtype, out["recent_ages"].dtype) == (np.int64, np.float32)
    assert out["recent_items"].shape == out["recent_ages"].shape == (2, RECENT_CLICKS)
    assert out["recent_items"][1, :3].tolist() == [2, 0, -1]  # what the release does not know leaves no gap
    assert out["recent_ages"][1, :3].tolist() == [1, 3, 0]
    assert (out["recent_items"][0] == -1).all()


def test_ages_are_counted_from_the_requests_time() -> None:
    reader = Reader()
    out = made(reader).run(users(2, at=NOW_S + 3_600))
    assert out["recent_ages"][0, :2].tolist() == [2, 4]
    assert reader.asked_ms.tolist() == [(NOW_S + 3_600) * 1000]
    earlier = made(reader).run(users(2, at=NOW_S - 2 * 3_600))
    assert earlier["recent_ages"][0, :2].tolist() == [0, 1]  # a click to come has just happened
    for impossible in (-5, 10**15):
        assert made(reader).run(users(2, at=impossible))["recent_ages"][0, 0] == 1


def test_a_fault_is_a_cold_start_and_passes_by_itself() -> None:
    reader, clock = Reader(), [0.0]
    stage = made(reader, Breaker(1, 1.0, lambda: clock[0]))
    reader.down = True
    out = stage.run(users(1, 2))
    assert out["user_flags"].tolist() == [[Degraded.USER_FEATURES]] * 2
    assert out["age"].tolist() == [[MEAN_AGE]] * 2
    assert out["top_category"].tolist() == [[-1]] * 2
    widths = {name: array.shape for name, array in out.items()}
    recents = {"recent_items": (2, RECENT_CLICKS), "recent_ages": (2, RECENT_CLICKS)}
    assert widths == dict.fromkeys(widths, (2, 1)) | recents
    assert (out["recent_items"] == -1).all()
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
