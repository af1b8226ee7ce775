"""A click changes what is recommended within seconds."""

from __future__ import annotations

import pytest
from factories.shopper import Shopper, wait_until

from recsys.features.online_store import UserFeatureReader
from recsys.local.reaction import GatewayShop, run_trials, summary, trial
from recsys.online import keys
from recsys.online.recents import Recents

pytestmark = pytest.mark.functional

TRIALS = 10


@pytest.fixture(scope="module")
def shop(shopper: Shopper) -> GatewayShop:
    return GatewayShop(shopper.system.url, shopper.system.token)


def test_a_known_user_is_shown_more_of_what_they_just_clicked(shopper: Shopper, shop: GatewayShop) -> None:
    usual = {user: user % 5 for user in range(1_000, 1_000 + TRIALS)}
    assert summary(run_trials(shop, shopper.category, usual))["reacted"] >= 9


def test_so_is_a_visitor_whom_nobody_knew(shopper: Shopper, shop: GatewayShop) -> None:
    nobody = dict.fromkeys(range(9_000_000, 9_000_000 + TRIALS), -1)
    assert summary(run_trials(shop, shopper.category, nobody))["reacted"] >= 9


def test_the_last_clicks_count_beside_the_days_favourite(shopper: Shopper, shop: GatewayShop) -> None:
    user, usual, other = 1_035, 0, 3
    shopper.click(user, *shopper.items_of(usual, 8, 20))
    with shopper.system.client() as client:
        assert wait_until(lambda: client.zcard(keys.recent(user)) == 8) is not None
        found = trial(shop, shopper.category, user, shopper.items_of(other, 3, 20))
        assert (found.before, found.gone) == (0.0, True)
        assert found.seconds is not None
        assert UserFeatureReader(client).read([user]).top_category.tolist() == [usual]


def test_recent_items_and_popularity_follow(shopper: Shopper) -> None:
    items = shopper.items_of(1, 2, 40)
    shopper.click(1_020, *items)
    with shopper.system.client() as client:
        recents = Recents(client)
        assert wait_until(lambda: set(recents.of(1_020).tolist()) == set(items)) is not None
        assert {int(item) for item in client.zrange(keys.POPULAR, 0, -1)} >= set(items)


def test_forget_me_brings_back_what_was_hidden(shopper: Shopper) -> None:
    user, category = 1_030, 3
    first = shopper.top(user)
    shopper.click(user, *first[:3])
    assert wait_until(lambda: not set(first[:3]) & set(shopper.top(user))) is not None
    status, _ = shopper.call("DELETE", f"/v1/users/{user}/history")
    assert status == 200
    # The seen items may come again, and the top category is that of a visitor nobody knows.
    assert wait_until(lambda: shopper.share(shopper.top(user), category) < 1.0) is not None
    with shopper.system.client() as client:
        # A key names its user first; `applied:` is followed by a time and a bucket, never by a user.
        named = [key.split(b":") for key in client.keys(f"*:{user}*") if not key.startswith(b"applied:")]
        assert [kind for kind, whose, *_ in named if whose == str(user).encode()] == [b"forgotten"]


def test_rules_and_bounds_on_the_real_ensemble(shopper: Shopper) -> None:
    user = 1_031
    only = shopper.recommend(user, category=2, top_k=500)
    assert {shopper.category[item["item_id"]] for item in only["items"]} == {2}
    assert len(only["items"]) == len(shopper.items_of(2, 500))
    everything = shopper.top(user, top_k=500)
    assert sorted(everything) == sorted(shopper.category)
    explained = shopper.recommend(user, explain=True)
    assert {item["source"] for item in explained["items"]} == {"ensemble"}
    assert shopper.top(user, exclude=everything[:10]) != everything[:10]
    assert shopper.recommend(user, category=99)["items"] == []


def test_a_user_who_has_seen_the_whole_catalogue_gets_a_bounded_answer(shopper: Shopper) -> None:
    user = 9_100_000
    shopper.click(user, *shopper.category)
    assert wait_until(lambda: shopper.top(user) == []) is not None
    assert shopper.recommend(user)["fallbacks"] == ["exhausted"]
