from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import redis

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.batch_answer import BatchAnswer
from recsys.online.catalogue import Catalogues
from recsys.online.ensemble import Question
from recsys.online.fallback import Fallback, PopularShelf
from recsys.online.popularity import Popularity
from recsys.online.recommender import Answer, Recommender, Wish
from recsys.online.rules import Rules
from recsys.schema import Degraded
from recsys.serving.client import Recommendation
from recsys.settings import GatewaySettings, PopularitySettings, Settings

from .conftest import ShopHome, make_home


class ScriptedEnsemble:
    """Answers as it is told."""

    def __init__(self) -> None:
        self.answer: Recommendation | None = None
        self.left_s = 0.0

    async def recommend(self, question: Question, deadline: float, headers: object = None) -> Recommendation:
        self.left_s = deadline - time.monotonic()
        if self.answer is None:
            raise Unavailable("Triton", "down", "Wait")
        return self.answer


class Ladder:
    def __init__(self, home: ShopHome, client: redis.Redis, **chosen: object) -> None:
        self.home, self.ensemble = home, ScriptedEnsemble()
        catalogues = Catalogues(home.path / "releases")
        shelf = PopularShelf(catalogues, Popularity(client, PopularitySettings()))
        shelf.refresh()
        self.settings = GatewaySettings(**chosen)
        fallback = Fallback(client, Settings(), catalogues, shelf)
        self.recommender = Recommender(self.ensemble, fallback, catalogues, self.settings)  # type: ignore[arg-type]

    def ask(self, user: int = 5, rules: Rules = Rules(), top_k: int = 10, **more: object) -> Answer:  # noqa: B008
        return asyncio.run(self.recommender.recommend(Wish(Question(user), rules, top_k, **more)))

    def ids(self, answer: Answer) -> list[int]:
        return self.home.item_ids[answer.indexes].tolist()

    def by_popularity(self) -> list[int]:
        return self.home.item_ids[(-self.home.popularity).argsort()].tolist()


@pytest.fixture
def ladder(shop_home: ShopHome, valkey: redis.Redis) -> Ladder:
    return Ladder(shop_home, valkey)


def test_the_ensembles_answer_is_passed_on(ladder: Ladder) -> None:
    some = ladder.home.item_ids[[5, 3, 9]].tolist()
    ladder.ensemble.answer = Recommendation(some, [0.9, 0.5, 0.1], 2, 1)
    answer = ladder.ask(top_k=2)
    assert ladder.ids(answer) == some[:2]
    assert answer.scores == [0.9, 0.5]
    assert answer.degraded == Degraded.SEEN_FILTER
    assert answer.sources == ["ensemble"] * 2


@pytest.mark.parametrize("scores", [[0.9, 0.5, 0.1], [0.0, -1.0, -2.0], [1e-9, 1e-10, 1e-11]])
def test_what_the_rules_leave_is_filled_up_below(ladder: Ladder, scores: list[float]) -> None:
    home = ladder.home
    some = home.item_ids[[5, 3, 9]]
    ladder.ensemble.answer = Recommendation(some.tolist(), scores, 0, 1)
    answer = ladder.ask(rules=Rules(category=1), top_k=6)
    found = ladder.ids(answer)
    assert found[:2] == some[[0, 2]].tolist()
    assert answer.sources == ["ensemble"] * 2 + ["popular"] * 4
    assert len(set(found)) == 6
    category = dict(zip(home.item_ids.tolist(), home.category_l1.tolist(), strict=True))
    assert {category[item] for item in found} == {1}
    assert (np.diff(answer.scores) < 0).all()
    assert answer.degraded == Degraded.NONE


def test_an_unknown_item_of_the_ensemble_is_left_out(ladder: Ladder) -> None:
    ladder.ensemble.answer = Recommendation([123456, int(ladder.home.item_ids[0])], [0.9, 0.5], 0, 1)
    assert ladder.ids(ladder.ask(top_k=1)) == [ladder.home.item_ids[0]]


def test_the_chance_of_each_place_is_passed_on_and_0_where_it_is_filled_up(ladder: Ladder) -> None:
    some = ladder.home.item_ids[[3, 0]].tolist()
    ladder.ensemble.answer = Recommendation(
        [some[0], 123456, some[1]], [0.9, 0.5, 0.1], 0, 1, [], [0.5, 0.2, 0.7]
    )
    found = ladder.ask(top_k=4)
    assert found.propensities == [0.5, 0.7, 0.0, 0.0]
    ladder.ensemble.answer = Recommendation(some, [0.9, 0.5], 0, 1)
    assert ladder.ask(top_k=4).propensities == []


def test_an_answer_of_a_release_that_is_gone_is_replaced(ladder: Ladder) -> None:
    ladder.ensemble.answer = Recommendation([1], [0.9], 0, 99)
    answer = ladder.ask()
    assert ladder.ids(answer) == ladder.by_popularity()[:10]
    assert Degraded.POPULAR in answer.degraded


def test_batch_answers_come_before_popular_ones(ladder: Ladder, valkey: redis.Redis) -> None:
    stored = ladder.home.item_ids[[7, 8, 9]].tolist()
    valkey.set(keys.precomputed(5), BatchAnswer(1, np.array(stored), np.array([3, 2, 1])).to_bytes())
    answer = ladder.ask(top_k=5)
    assert ladder.ids(answer)[:3] == stored
    assert answer.sources == ["precomputed"] * 3 + ["popular"] * 2
    assert answer.degraded == Degraded.PRECOMPUTED
    assert Degraded.PRECOMPUTED not in ladder.ask(user=6).degraded


@pytest.mark.parametrize(
    "damaged", [b"", b"{", b"rec1" + bytes(9), BatchAnswer(7, np.array([1]), np.array([1.0])).to_bytes()]
)
def test_a_damaged_batch_answer_is_passed_over(ladder: Ladder, valkey: redis.Redis, damaged: bytes) -> None:
    valkey.set(keys.precomputed(5), damaged)
    assert ladder.ask().degraded == Degraded.POPULAR


def test_batch_answers_as_a_mode_of_their_own(shop_home: ShopHome, valkey: redis.Redis) -> None:
    ladder = Ladder(shop_home, valkey, mode="precomputed")
    ladder.ensemble.answer = Recommendation([int(shop_home.item_ids[0])], [1.0], 0, 1)
    stored = BatchAnswer(1, shop_home.item_ids[:9], np.arange(9, 0, -1))
    valkey.set(keys.precomputed(5), stored.to_bytes())
    assert ladder.ask(top_k=3).sources == ["precomputed"] * 3
    assert ladder.ask(user=6, top_k=1).sources == ["ensemble"]


def test_triton_is_told_what_is_left_of_the_deadline(shop_home: ShopHome, valkey: redis.Redis) -> None:
    ladder = Ladder(shop_home, valkey, deadline_s=60.0, reserve_s=10.0)
    ladder.ask()
    assert 25 < ladder.ensemble.left_s <= 50
    ladder.ask(deadline_s=10.0)
    assert 0 < ladder.ensemble.left_s <= 5
    ladder.ask(deadline_s=600.0)
    assert ladder.ensemble.left_s <= 50


def test_a_new_release_is_met_by_its_answers(tmp_path: Path, valkey: redis.Redis) -> None:
    home = make_home(tmp_path / "home")
    ladder = Ladder(home, valkey)
    newer = make_home(tmp_path / "other", items=60)
    (newer.path / "releases" / "1").rename(home.path / "releases" / "2")
    ladder.ensemble.answer = Recommendation([int(newer.item_ids[55])], [1.0], 0, 2)
    answer = ladder.ask(top_k=1)
    assert answer.catalogue is not None
    assert answer.catalogue.release == 2
    assert answer.catalogue.card(answer.indexes[0])["title"] == "Item 55"


def test_a_valkey_that_hangs_takes_nothing_beyond_the_deadline(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = threading.Event()
    fallback = ladder.recommender._fallback
    monkeypatch.setattr(fallback, "_category", lambda user: hanging.wait(60) and -1)
    monkeypatch.setattr(fallback, "precomputed", lambda user: None)
    began = time.monotonic()
    try:
        answer = ladder.ask(deadline_s=0.3)
    finally:
        hanging.set()
    assert time.monotonic() - began < 30
    assert ladder.ids(answer) == ladder.by_popularity()[:10]
    assert answer.degraded == Degraded.POPULAR | Degraded.SEEN_FILTER
