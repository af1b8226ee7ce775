"""Trials of the reaction to clicks, on shops that react in known ways."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from recsys import schema
from recsys.errors import BadUse
from recsys.local import reaction

CATEGORY = {item: item // 20 for item in range(80)}


class Shop:
    """Shows what was clicked most of, one answer late; `dull` shows the same again and again."""

    def __init__(self, dull: bool = False, stale: bool = False) -> None:
        self.clicked: dict[int, list[int]] = {}
        self.dull, self.stale, self.asked = dull, stale, 0

    def top(self, user_id: int) -> list[int]:
        self.asked += 1
        clicked = [] if self.dull else self.clicked.get(user_id, [])
        wanted = CATEGORY[clicked[0]] if clicked else 0
        hidden = [] if self.stale else clicked
        return [item for item in CATEGORY if CATEGORY[item] == wanted and item not in hidden][:10]

    def click(self, user_id: int, items: Sequence[int]) -> None:
        self.clicked[user_id] = list(items)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaction, "WITHIN_S", 0.05)
    monkeypatch.setattr(reaction, "_POLL_S", 0.01)


def test_a_shop_that_follows_reacts_in_every_trial() -> None:
    trials = reaction.run_trials(Shop(), CATEGORY, dict.fromkeys(range(5), 0))
    assert all(each.category != 0 for each in trials)
    assert all((each.before, each.after, each.gone) == (0.0, 1.0, True) for each in trials)
    found = reaction.summary(trials)
    assert (found["trials"], found["reacted"], found["share_after"]) == (5, 5, 1.0)


@pytest.mark.parametrize("shop", [Shop(dull=True), Shop(stale=True)])
def test_a_shop_that_does_not_follow_or_shows_the_clicked_again_does_not(shop: Shop) -> None:
    [found] = reaction.run_trials(shop, CATEGORY, {1: 0}, seed=3)
    shown = set(shop.top(1)) & set(shop.clicked[1])
    assert found.seconds is None
    assert found.gone is not bool(shown)
    assert reaction.summary([found])["median_s"] is None


def test_the_same_seed_draws_the_same_clicks() -> None:
    shops = [Shop(), Shop(), Shop()]
    for shop, seed in zip(shops, (0, 0, 1), strict=True):
        reaction.run_trials(shop, CATEGORY, dict.fromkeys(range(4), 2), seed)
    assert shops[0].clicked == shops[1].clicked != shops[2].clicked


def test_categories_that_cannot_fill_a_list_are_refused() -> None:
    with pytest.raises(BadUse, match="only 1 hold 10 items"):
        reaction.run_trials(Shop(), {item: int(item > 20) for item in range(25)}, {1: 0})


def test_categories_are_the_releases(tmp_path: Path) -> None:
    np.savez(tmp_path / schema.ITEM_FEATURES_FILE, item_id=np.array([7, -3]), category_l1=np.array([1, 4]))
    assert reaction.categories(tmp_path) == {7: 1, -3: 4}
