"""Trials: who is answered by whom, what is copied, what is written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import BadData, BadUse, Unavailable
from recsys.online import exposures, keys, requests, shadow, trial
from recsys.online.canary import arm, place
from recsys.online.exposures import Exposure
from recsys.online.forget import Forgetter
from recsys.online.question import Question
from recsys.online.requests import Request
from recsys.online.trial import Trial
from recsys.online.trial_service import TrialService
from recsys.serving.client import Recommendation
from recsys.settings import SeenSettings, TrialSettings


class Release:
    """Answers at once, fails or never answers."""

    def __init__(self, number: int, ids: list[int], fails: bool = False, hangs: bool = False) -> None:
        self.number, self.ids, self.fails, self.hangs = number, ids, fails, hangs
        self.asked: list[int] = []

    async def recommend(self, question: Question, deadline: float, headers=None) -> Recommendation:
        self.asked.append(question.user_id)
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise Unavailable("Triton", "away", "See `recsys status`")
        scores = [1.0 - rank / 100 + self.number / 10 for rank in range(len(self.ids))]
        return Recommendation(self.ids, scores, 0, self.number)

    async def is_ready(self, timeout_s: float) -> bool:
        return True

    async def close(self) -> None:
        pass


@pytest.fixture
def client() -> fakeredis.FakeRedis:
    return fakeredis.FakeRedis()


def run(service: TrialService, *users: int, wait: Callable[[], bool] = lambda: True) -> list[int]:
    """Ask for users, wait until something holds, close; the releases that answered."""

    async def ask() -> list[int]:
        found = [await service.recommend(Question(user), time.monotonic() + 5) for user in users]
        deadline = time.monotonic() + 5
        while not wait() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await service.close()
        return [each.release for each in found]

    return asyncio.run(ask())


def service(client, old: Release, new: Release, tried: Trial | None, **settings) -> TrialService:
    made = TrialService(old, new, client, TrialSettings(**settings))
    made.trial = tried
    return made


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 1_000))
def test_a_place_is_stable_and_a_share(user: int, release: int) -> None:
    assert 0 <= place(user, release) < 1
    assert place(user, release) == place(user, release)


def test_arms_have_their_shares_and_each_trial_draws_anew() -> None:
    users = range(20_000)
    arms = [arm(user, Trial(7, canary=0.05)) for user in users]
    for name in ("challenger", "control"):
        assert arms.count(name) == pytest.approx(1_000, abs=130)  # more than four standard deviations
    again = [arm(user, Trial(8, canary=0.05)) for user in users]
    both = sum(one == other == "challenger" for one, other in zip(arms, again, strict=True))
    assert both == pytest.approx(50, abs=30)


def test_visitors_are_in_no_arm() -> None:
    assert arm(-1, Trial(7, canary=0.5)) is None
    assert {arm(user, Trial(7)) for user in range(100)} == {None}


@pytest.mark.parametrize("wrong", [{"shadow": 1.1}, {"shadow": -0.1}, {"canary": 0.6}])
def test_shares_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadUse, match=r"shadow|canary"):
        Trial(2, **wrong)


def test_gateways_read_what_was_started_and_see_the_end(client) -> None:
    assert trial.read(client) is None
    trial.start(client, Trial(2, 0.1, 0.05))
    assert trial.read(client) == Trial(2, 0.1, 0.05)
    trial.stop(client)
    assert trial.read(client) is None
    client.set(keys.TRIAL, b"nonsense")
    with pytest.raises(BadData, match="trial: holds"):
        trial.read(client)


def test_a_new_trial_forgets_what_the_last_one_measured(client) -> None:
    trial.start(client, Trial(2, 0.1))
    shadow.add(client, shadow.Sums(copies=3))
    trial.start(client, Trial(2, 0.2))
    assert shadow.read(client).copies == 3
    trial.start(client, Trial(3, 0.2))
    assert shadow.read(client).copies == 0


def test_the_challenger_answers_its_users_only(client) -> None:
    old, new, tried = Release(1, [1, 2]), Release(2, [3, 4]), Trial(2, canary=0.3)
    users = list(range(200))
    answered = run(service(client, old, new, tried), *users)
    assert answered == [2 if arm(user, tried) == "challenger" else 1 for user in users]
    assert 30 < answered.count(2) < 90


def test_without_a_trial_nothing_is_asked_of_a_challenger(client) -> None:
    old, new = Release(1, [1, 2]), Release(2, [3, 4])
    assert set(run(service(client, old, new, None), *range(50))) == {1}
    assert new.asked == []


def test_a_challenger_that_fails_is_passed_over(client) -> None:
    old, new = Release(1, [1, 2]), Release(2, [], fails=True)
    assert set(run(service(client, old, new, Trial(2, canary=0.5)), *range(50))) == {1}
    assert new.asked


def test_copies_are_compared_and_thrown_away(client) -> None:
    old, new = Release(1, [1, 2, 3, 4]), Release(2, [4, 3, 9, 8])
    made = service(client, old, new, Trial(2, shadow=1.0))
    assert run(made, 5, wait=lambda: made._sums.copies == 1) == [1]
    found = shadow.read(client).means()
    assert (found["copies"], found["failed"], found["overlap@10"]) == (1, 0, 0.5)
    assert found["score_shift"] == pytest.approx(0.1)


def test_a_challenger_that_hangs_delays_nobody_and_its_queue_is_bounded(client) -> None:
    made = service(client, Release(1, [1]), Release(2, [1], hangs=True), Trial(2, shadow=1.0))
    assert run(made, *range(20)) == [1] * 20
    assert shadow.read(client).dropped == 16


def test_what_the_arms_were_shown_is_written_down(client) -> None:
    tried = Trial(2, canary=0.25)
    made = service(client, Release(1, [1]), Release(2, [2]), tried, shown=3)
    for user in range(40):
        made.expose(user, 1, [user, 7, 8, 9])
    made.expose(-1, 1, [1])
    made.expose(next(user for user in range(40) if arm(user, tried) == "control"), 2, [1])  # promoted by now
    run(made)
    noted = list(exposures.read(client))
    arms = {user: arm(user, tried) for user in range(40)}
    assert {each.user_id for each in noted} == {user for user, name in arms.items() if name}
    for each in noted:
        # The challenger's users count for it even where the old release had to step in.
        assert each.arm == (2 if arms[each.user_id] == "challenger" else 1)
        assert each.items == (each.user_id, 7, 8)


def test_an_answer_that_explored_is_written_down_without_a_trial(client) -> None:
    made = service(client, Release(1, [1]), Release(2, [2]), None, shown=2)
    made.expose(5, 1, [7, 8, 9], [0.25, 1e-9, 1.0], 2)
    made.expose(5, 1, [7, 8, 9])
    made.expose(5, None, [7], [0.5])
    run(made)
    (noted,) = exposures.read(client)
    assert (noted.user_id, noted.arm, noted.items) == (5, 1, (7, 8))
    assert (noted.propensities, noted.device_type) == ((0.25, 1e-9), 2)


def test_exposures_are_bounded_while_valkey_is_away(client) -> None:
    tried = Trial(2, canary=0.5)
    made = service(client, Release(1, [1]), Release(2, [2]), tried, queue=5)
    for user in range(50):
        made.expose(user, 1, [1])
    run(made)
    assert len(list(exposures.read(client))) == 5


def test_exposures_come_back_as_they_were_page_by_page(client) -> None:
    written = [Exposure(user, 2, 1_000 + user, tuple(range(user % 4))) for user in range(2_345)]
    exposures.write(client, written, most=10_000)
    assert list(exposures.read(client)) == written


def test_a_request_a_second_is_kept_for_the_next_release(client) -> None:
    made = service(client, Release(1, [1]), Release(2, [2]), None, record_every_s=60, recorded=3)
    run(made, 11, 12, 13)
    [kept] = requests.recorded(client, 10)
    assert (kept.user_id, kept.device_type) == (11, -1)
    assert abs(kept.timestamp - time.time()) < 60


def test_the_newest_requests_are_recorded_each_user_once(client) -> None:
    for at, user in enumerate([1, 2, 3, 2, 1]):
        requests.keep(client, Request(user, 0, at), most=4)
    assert requests.recorded(client, 10) == [Request(1, 0, 4), Request(2, 0, 3), Request(3, 0, 2)]
    assert requests.recorded(client, 1) == [Request(1, 0, 4)]
    assert requests.recorded(fakeredis.FakeRedis(), 5) == []


def test_a_user_who_is_forgotten_leaves_no_request_and_no_exposure(client) -> None:
    for user in (1, 12, 1, 2):
        requests.keep(client, Request(user, 0, 5), most=9)
    exposures.write(client, [Exposure(user, 2, 5, (7,)) for user in (1, 12, 1, 2)], most=99)
    Forgetter(client, SeenSettings(form="bitmap")).forget(1)
    assert {each.user_id for each in requests.recorded(client, 9)} == {2, 12}
    assert [each.user_id for each in exposures.read(client)] == [12, 2]
