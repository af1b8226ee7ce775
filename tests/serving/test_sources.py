"""Candidates besides the nearest: today's lists first, the release's behind, and no trend that is over."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.errors import Unavailable
from recsys.online import keys
from recsys.online.popularity import PopularItems
from recsys.serving.catalogue import Catalogue
from recsys.serving.rules import RuleTable
from recsys.serving.sources import Places, Sources

IDS = np.array([50, 40, 30, 20, 10, 60])
L1 = np.array([0, 0, 3, 3, 7, 7])
COUNTS = np.array([6, 5, 4, 3, 2, 1], np.float32)
TABLE = RuleTable(Catalogue(IDS), L1, L1)


class Live:
    """Today's lists as Valkey would give them."""

    def __init__(self) -> None:
        self.lists: dict[str, list[tuple[int, float]]] = {}
        self.down = False

    def tops(self, names: list[str], n: int) -> list[PopularItems]:
        if self.down:
            raise Unavailable("Valkey", "down", "Wait")
        found = [self.lists.get(name, [])[:n] for name in names]
        return [
            PopularItems(np.array([i for i, _ in each], np.int64), np.array([c for _, c in each], float))
            for each in found
        ]


def named(sources: Sources, *categories: int) -> list[list[int]]:
    return sources.lists.nominate(np.array(categories))[0].tolist()


def test_before_anything_was_read_the_release_decides() -> None:
    sources = Sources(TABLE, COUNTS, Places(2, 1, 1), None)
    assert named(sources, 3, 7, -1, 99) == [[0, 1, 2, -1], [0, 1, 4, -1], [0, 1, -1, -1], [0, 1, -1, -1]]
    assert sources.lists.nominate(np.array([3]))[1].tolist() == [2, 2, 4, 8]
    assert not sources.refresh()


def test_todays_lists_come_first_and_unknown_items_are_left_out() -> None:
    live = Live()
    live.lists = {
        keys.POPULAR: [(999, 9.0), (10, 8.0)],
        keys.popular_l1(3): [(20, 5.0)],
        keys.TRENDING: [(60, 3.0), (30, 0.1)],
    }
    sources = Sources(TABLE, COUNTS, Places(2, 1, 2), live)  # type: ignore[arg-type]
    assert sources.refresh()
    assert named(sources, 3) == [[4, 0, 3, 5, -1]]
    live.down = True
    assert not sources.refresh()
    assert named(sources, 3) == [[4, 0, 3, 5, -1]]


def test_an_item_that_changed_its_category_is_not_offered_in_the_old_one() -> None:
    live = Live()
    live.lists = {keys.popular_l1(3): [(10, 5.0)]}
    sources = Sources(TABLE, COUNTS, Places(0, 2, 0), live)  # type: ignore[arg-type]
    sources.refresh()
    assert named(sources, 3) == [[2, 3]]


def test_a_catalogue_smaller_than_the_places_is_padded() -> None:
    sources = Sources(TABLE, COUNTS, Places(8, 3, 1), None)
    (row,) = named(sources, 0)
    assert row == [0, 1, 2, 3, 4, 5, -1, -1, 0, 1, -1, -1]


def test_refreshing_stops_at_the_end() -> None:
    live = Live()
    sources = Sources(TABLE, COUNTS, Places(1, 1, 1), live)  # type: ignore[arg-type]
    sources.start(0.01)
    sources.close()
    assert sources._thread is not None
    assert not sources._thread.is_alive()


@pytest.mark.parametrize(
    ("room", "places"), [(50, (4, 3, 2)), (5, (4, 1, 0)), (0, (0, 0, 0)), (9, (4, 3, 2))]
)
def test_there_are_no_more_places_than_there_is_room(room: int, places: tuple[int, int, int]) -> None:
    parameters = {"popular_places": "4", "category_places": "3", "trending_places": "2"}
    found = Places.within(room, parameters)
    assert (found.popular, found.category, found.trending) == places
    assert found.total == sum(places)
