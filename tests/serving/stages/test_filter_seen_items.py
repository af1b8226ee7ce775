"""The seen filter: order kept, nothing twice, nothing seen, and an answer whatever happens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from factories.inputs import left_out
from hypothesis import given
from hypothesis import strategies as st

from recsys.errors import Unavailable
from recsys.schema import NO_ITEM, Degraded, Source
from recsys.serving.breaker import Breaker
from recsys.serving.catalogue import Catalogue, Popularity
from recsys.serving.graph import RULE_INPUTS
from recsys.serving.rules import RuleTable
from recsys.serving.stages.filter_seen_items import FilterSeenItems

ITEMS = 30
IDS = np.arange(ITEMS) * 10 + 1000
COUNTS = np.arange(ITEMS, 0, -1).astype(np.float32)  # item 0 is the most popular
RANKED, RETURNED = 6, 4


class Seen:
    """A filter that knows exactly what was clicked, by the shop's ids."""

    def __init__(self, clicked: dict[int, set[int]] | None = None) -> None:
        self.clicked = clicked or {}
        self.down = False
        self.calls = 0

    def contains(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.down:
            raise Unavailable("filter", "down", "wait")
        rows = [
            [item in self.clicked.get(user, ()) for item in row]
            for user, row in zip(users.tolist(), items.tolist(), strict=True)
        ]
        return np.array(rows, bool).reshape(items.shape)


Make = Callable[..., FilterSeenItems]


def make(seen: Seen | None, breaker: Breaker | None = None) -> FilterSeenItems:
    return FilterSeenItems(
        Catalogue(IDS),
        Popularity(COUNTS),
        seen,  # type: ignore[arg-type]
        ranked=RANKED,
        returned=RETURNED,
        breaker=breaker,
    )


def ask(candidates: list[list[int]], users: list[int] | None = None) -> dict[str, np.ndarray]:
    items = np.array(candidates)
    scores = np.where(items < 0, -np.inf, -np.arange(items.shape[1], dtype=float)).astype(np.float32)
    rows = users or list(range(len(items)))
    return {
        "user_id": np.array(rows).reshape(-1, 1),
        "candidates": items,
        "candidate_scores": scores,
        "candidate_sources": np.where(items < 0, 0, Source.RETRIEVAL).astype(np.int32),
        **left_out(RULE_INPUTS, len(items)),
    }


def test_seen_items_go_and_the_order_stays() -> None:
    seen = Seen({0: {1020, 1000}, 1: {1050}})
    out = make(seen).run(ask([[2, 5, 0, 9, 7, 8, 3, 4], [5, 2, 0, 9, 7, 8, 3, 4]]))
    assert out["items"].tolist() == [[5, 9, 7, 8, 3, 4], [2, 0, 9, 7, 8, 3]]
    assert out["retrieval_scores"].tolist() == [[-1, -3, -4, -5, -6, -7], [-1, -2, -3, -4, -5, -6]]
    assert out["filter_flags"].tolist() == [[0], [0]]
    assert seen.calls == 1


def test_a_fault_filters_nothing_for_once_and_the_filter_comes_back() -> None:
    seen, clock = Seen({0: {1020}}), [0.0]
    stage = make(seen, Breaker(2, 1.0, lambda: clock[0]))
    seen.down = True
    for _ in range(3):
        out = stage.run(ask([[2, 5, 0, 9, 7, 8, 3, 4]]))
        assert out["items"].tolist() == [[2, 5, 0, 9, 7, 8]]
        assert out["filter_flags"].tolist() == [[Degraded.SEEN_FILTER]]
    assert seen.calls == 2
    seen.down = False
    clock[0] = 1.0
    out = stage.run(ask([[2, 5, 0, 9, 7, 8, 3, 4]]))
    assert out["items"].tolist() == [[5, 0, 9, 7, 8, 3]]
    assert out["filter_flags"].tolist() == [[0]]


def test_all_candidates_seen_is_filled_with_unseen_popular_items() -> None:
    seen = Seen({0: set(IDS[[20, 21, 22, 0, 2]].tolist())})
    out = make(seen).run(ask([[20, 21, 22, -1]]))
    assert out["items"].tolist() == [[1, 3, 4, 5, 6, 7]]
    assert (np.diff(out["retrieval_scores"]) < 0).all()
    assert out["filter_flags"].tolist() == [[Degraded.EXHAUSTED]]


def test_what_is_left_stays_first_and_is_not_repeated() -> None:
    out = make(Seen({0: {1210}})).run(ask([[3, 21, 1]]))
    assert out["items"].tolist() == [[3, 1, 0, 2, 4, 5]]
    assert (np.diff(out["retrieval_scores"]) < 0).all()


def test_a_user_who_has_seen_everything_gets_pads_only() -> None:
    out = make(Seen({0: set(IDS.tolist())})).run(ask([[3, 2, 1, 0], [3, 2, 1, 0]]))
    assert out["items"].tolist() == [[-1] * 6, [3, 2, 1, 0, -1, -1]]
    assert np.isneginf(out["retrieval_scores"][0]).all()
    assert out["filter_flags"].tolist() == [[Degraded.EXHAUSTED], [0]]


def test_what_other_sources_named_is_kept_before_what_retrieval_alone_found() -> None:
    inputs = ask([[2, 5, 0, 9, 7, 8, 3, 4], [2, 5, 0, 9, 7, 8, 3, 4]])
    inputs["candidate_sources"][0] = [1, 3, 1, 1, 1, 1, 2, 8]
    out = make(Seen({0: {1040}})).run(inputs)
    assert out["items"].tolist() == [[2, 5, 0, 9, 7, 3], [2, 5, 0, 9, 7, 8]]
    assert out["item_sources"].tolist() == [[1, 3, 1, 1, 1, 2], [1] * 6]


def test_a_fill_keeps_to_the_rules_and_is_enough_when_they_allow_no_more() -> None:
    l1 = np.arange(ITEMS) % 3
    stage = FilterSeenItems(
        Catalogue(IDS),
        Popularity(COUNTS),
        Seen({0: set(IDS[[0, 3]].tolist())}),  # type: ignore[arg-type]
        ranked=RANKED,
        returned=RETURNED,
        rules=RuleTable(Catalogue(IDS), l1, l1),
    )
    inputs = ask([[0, 3, 6, -1], [27, -1, -1, -1]], users=[0, 5])
    inputs["only_category_l1"][0, 0] = 0
    inputs["exclude"][0, 5] = 1090
    inputs["exclude"][1, : ITEMS - 1] = IDS[IDS != 1270]
    out = stage.run(inputs)
    assert out["items"].tolist() == [[6, 12, 15, 18, 21, 24], [27, -1, -1, -1, -1, -1]]
    assert out["item_sources"][0].tolist() == [Source.RETRIEVAL] + [Source.FILL] * 5
    assert out["filter_flags"].tolist() == [[Degraded.EXHAUSTED], [0]]


def test_without_a_filter_nothing_is_dropped_and_it_says_so() -> None:
    out = make(None).run(ask([[3, 2, -1, -1]]))
    assert out["items"].tolist() == [[3, 2, -1, -1, -1, -1]]
    assert out["filter_flags"].tolist() == [[Degraded.SEEN_FILTER | Degraded.EXHAUSTED]]


@pytest.mark.parametrize("rows", [1, 7])
@given(data=st.data())
def test_whatever_was_seen(rows: int, data: st.DataObject) -> None:
    """No pad inside, nothing seen, nothing twice; and rows do not influence each other."""
    clicked = {
        user: set(IDS[data.draw(st.lists(st.integers(0, ITEMS - 1), max_size=ITEMS))].tolist())
        for user in range(rows)
    }
    order = [data.draw(st.permutations(range(ITEMS)))[: data.draw(st.integers(1, 12))] for _ in range(rows)]
    candidates = [found + [NO_ITEM] * (12 - len(found)) for found in order]
    out = make(Seen(clicked)).run(ask(candidates))
    for row in range(rows):
        items = out["items"][row]
        there = items[items != NO_ITEM]
        assert (items[: len(there)] != NO_ITEM).all()
        assert len(set(there.tolist())) == len(there)
        assert not set(IDS[there].tolist()) & clicked[row]
        unseen = [item for item in order[row] if IDS[item] not in clicked[row]]
        assert there[: len(unseen)].tolist() == unseen[:RANKED]
        alone = make(Seen(clicked)).run(ask([candidates[row]], users=[row]))
        assert np.array_equal(alone["items"][0], items)
