"""Users, rules and lists at their limits: right, bounded answers through gateway and Triton."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from factories.shopper import Shopper
from factories.taste_shop import ITEMS

from recsys.online.seen import SeenFilter
from recsys.schema import Degraded

pytestmark = pytest.mark.functional

AT = 1_754_006_400


def mark_seen(shopper: Shopper, user: int, items: list[int]) -> None:
    with shopper.system.client() as client:
        seen = SeenFilter(client, shopper.system.settings.seen)
        for start in range(0, len(items), 1_000):
            seen.add(user, items[start : start + 1_000])


def ids(answer: dict) -> list[int]:
    return [item["item_id"] for item in answer["items"]]


def well_formed(answer: dict) -> None:
    """No item twice, scores that do not rise."""
    assert len(set(ids(answer))) == len(answer["items"])
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)


def test_a_user_who_has_seen_the_whole_catalogue(shopper: Shopper) -> None:
    mark_seen(shopper, 1_011, list(shopper.category))
    answer = shopper.recommend(1_011)
    assert answer["items"] == []
    assert answer["degraded"] == Degraded.EXHAUSTED


def test_a_user_who_has_seen_all_but_a_few(shopper: Shopper) -> None:
    catalogue = list(shopper.category)
    mark_seen(shopper, 1_012, catalogue[3:])
    answer = shopper.recommend(1_012)
    well_formed(answer)
    # The filter may take an unseen item for a seen one, never the other way round.
    assert set(ids(answer)) <= set(catalogue[:3])
    assert answer["degraded"] & Degraded.EXHAUSTED


def test_a_user_with_ten_thousand_seen_items(shopper: Shopper) -> None:
    before = shopper.top(1_013, top_k=100)
    elsewhere = list(range(1_000_000, 1_009_990))
    mark_seen(shopper, 1_013, [*elsewhere, *before[:10]])
    answer = shopper.recommend(1_013, top_k=50)
    well_formed(answer)
    assert not set(before[:10]) & set(ids(answer))
    assert len(answer["items"]) == 50
    assert answer["degraded"] == 0
    # Ten thousand in a filter that is made for a thousand: its error rate holds all the same.
    assert len(set(before[10:60]) - set(ids(answer))) <= 5


def test_more_than_the_catalogue_holds(shopper: Shopper) -> None:
    answer = shopper.recommend(1_014, top_k=500)
    well_formed(answer)
    assert len(answer["items"]) == min(500, ITEMS)
    assert set(ids(answer)) <= set(shopper.category)


@pytest.mark.parametrize("category", [99, -1, "no such category"])
def test_a_category_without_items(shopper: Shopper, category: int | str) -> None:
    answer = shopper.recommend(1_015, category=category)
    assert answer["items"] == []
    assert answer["degraded"] & Degraded.EXHAUSTED


def test_rules_that_leave_nothing(shopper: Shopper) -> None:
    own = [item for item, found in shopper.category.items() if found == 2]
    assert shopper.recommend(1_015, category=2, exclude=own)["items"] == []
    one = shopper.recommend(1_015, category=2, exclude=own[1:], top_k=10)
    assert ids(one) == own[:1]


def test_a_filtered_request_gets_a_full_list_of_the_ensembles(shopper: Shopper) -> None:
    plain = shopper.top(1_016, top_k=100, timestamp=AT)
    share = Counter(shopper.category[item] for item in plain)
    rare = min(range(5), key=lambda category: share[category])
    answer = shopper.recommend(1_016, category=rare, top_k=40, explain=True, timestamp=AT)
    well_formed(answer)
    assert {shopper.category[item] for item in ids(answer)} == {rare}
    assert [item["source"] for item in answer["items"]] == ["ensemble"] * 40
    assert answer["degraded"] == 0
    without = shopper.recommend(1_016, exclude=plain[:50], top_k=50, explain=True, timestamp=AT)
    assert not set(plain[:50]) & set(ids(without))
    assert {item["source"] for item in without["items"]} == {"ensemble"}


def test_explain_names_the_lists_that_an_item_was_on(shopper: Shopper) -> None:
    answer = shopper.recommend(1_017, top_k=100, explain=True)
    known = {"retrieval", "popular", "category", "trending", "fill"}
    for item in answer["items"]:
        assert item["candidate_of"]
        assert set(item["candidate_of"]) <= known
    assert all(item["candidate_of"] is None for item in shopper.recommend(1_017)["items"])


def test_a_sample_is_its_requests_own(shopper: Shopper) -> None:
    def sample(name: str) -> list[int]:
        answer = shopper.recommend(1_018, headers={"x-request-id": name}, sampling="weighted", timestamp=AT)
        well_formed(answer)
        assert len(answer["items"]) == 10
        return ids(answer)

    assert sample("one") == sample("one")
    assert len({tuple(sample(f"request-{number}")) for number in range(8)}) > 1


def test_diversity_spreads_an_answer_over_more_of_the_shop(shopper: Shopper) -> None:
    def likeness(answer: dict) -> float:
        """How alike the items of an answer are, by their embeddings."""
        from recsys.serving.diversity import ItemVectors

        place = {item: row for row, item in enumerate(shopper.category)}
        rows = np.array([[place[item] for item in ids(answer)]])
        vectors = ItemVectors(shopper.system.home / "releases" / "1").of(rows)[0]
        return float((vectors @ vectors.T).mean())

    plain = shopper.recommend(1_019, timestamp=AT)
    spread = shopper.recommend(1_019, timestamp=AT, diversity=0.8)
    well_formed(spread)
    assert len(spread["items"]) == 10
    assert likeness(spread) < likeness(plain)
    assert ids(shopper.recommend(1_019, timestamp=AT, diversity=0)) == ids(plain)
