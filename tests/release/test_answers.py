from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories.release import KNOWN_USERS, make_release

from recsys.errors import RecsysError
from recsys.online.requests import Request
from recsys.release.answers import OwnAnswers, difference, sample
from recsys.settings import ServingSettings, Settings

SETTINGS = Settings(serving=ServingSettings(retrieved=60, ranked=40, returned=20))
REQUESTS = [Request(10, 0, 1_754_000_000), Request(-1, -1, 1_754_000_000)]


class Like:
    """A replica that runs a release, after something was done to its answers."""

    name = "b"

    def __init__(self, own: OwnAnswers, spoil=lambda answer: answer) -> None:
        self._own, self._spoil, self.asked = own, spoil, 0

    def ask(self, inputs):
        self.asked += 1
        user, device, at = (int(inputs[name][0, 0]) for name in ("user_id", "device_type", "timestamp"))
        answer = {name: array.copy() for name, array in self._own.answer(Request(user, device, at)).items()}
        return self._spoil(answer)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory):
    with OwnAnswers(make_release(tmp_path_factory.mktemp("release"), items=100), SETTINGS, None) as release:
        yield release


def test_a_replica_that_answers_the_same_is_asked_once_a_request(own: OwnAnswers) -> None:
    replica = Like(own)
    own.compare(replica, REQUESTS)
    assert replica.asked == len(REQUESTS)


def swapped(answer):
    answer["ordered_ids"][0, [0, 1]] = answer["ordered_ids"][0, [1, 0]]
    return answer


def raised(answer):
    answer["ordered_scores"][0, 3] += 1e-3
    return answer


def fewer(answer):
    answer["ordered_ids"][0, -1] = -1
    return answer


def fallen(answer):
    answer["degraded"] = answer["degraded"] | 16
    return answer


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (swapped, "other items"),
        (raised, "scores other by up to 0.001"),
        (fewer, "19 items rather than 20"),
        (fallen, "another fallback"),
    ],
)
def test_a_replica_that_answers_otherwise_is_refused(own: OwnAnswers, spoil, why: str) -> None:
    with pytest.raises(RecsysError, match=f"replica b: user 10: {why}"):
        own.compare(Like(own, spoil), REQUESTS)


def test_a_click_between_two_answers_is_forgiven(own: OwnAnswers) -> None:
    replica = Like(own, lambda answer: swapped(answer) if replica.asked == 1 else answer)
    own.compare(replica, REQUESTS)
    assert replica.asked == len(REQUESTS) + 1


def test_items_of_equal_score_may_change_places() -> None:
    one = {
        "ordered_ids": np.array([[5, 6, 7, -1]]),
        "ordered_scores": np.array([[0.9, 0.5, 0.5, 0.0]], np.float32),
        "degraded": np.array([[0]]),
    }
    other = one | {"ordered_ids": np.array([[5, 7, 6, -1]])}
    assert difference(one, other, 1e-5) is None
    assert difference(one, one | {"ordered_ids": np.array([[6, 5, 7, -1]])}, 1e-5) == "other items"


def test_a_sample_is_of_known_users_and_a_visitor(tmp_path: Path) -> None:
    found = sample(make_release(tmp_path / "release", items=20), now=1_754_000_000, count=4)
    assert len(found) == 4
    assert found[0].user_id == -1
    assert {each.user_id for each in found[1:]} <= set(KNOWN_USERS.tolist())
    assert len({each.timestamp for each in found}) == 4
