from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from factories.evaluated_shop import ITEM_IDS, SETTINGS, write_shop
from factories.release import make_release

from recsys import schema
from recsys.features.behavior import TopCategory
from recsys.features.recents import ClickLog
from recsys.models import metrics, reaction


class Told:
    """A tower that likes the categories of the newest clicks, and keeps what it was asked."""

    def __init__(self, category: np.ndarray, reads: bool) -> None:
        self.category, self.reads = category, reads
        self.asked = []

    def scores(self, rows, recents):
        """One more for each of the newest three clicks in an item's category."""
        self.asked.append((rows, recents))
        scores = np.tile(np.linspace(0, 0.5, len(self.category)), (len(rows), 1))
        if not self.reads:
            return scores
        wanted = np.where(recents.items == schema.NO_ITEM, -1, self.category[recents.items])[:, :3]
        return scores + (wanted[:, :, None] == self.category).sum(axis=1)


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> reaction.Rows:
    return reaction.Rows.of(write_shop(tmp_path_factory.mktemp("shop"), exposures=True), SETTINGS)


def without_a_category(asked: reaction.Rows, category: int) -> reaction.Rows:
    """The same rows, nobody having clicked in a category."""
    history = asked.history[asked.history["category"] != category]
    return replace(asked, history=history, log=ClickLog.build(history, ITEM_IDS))


def test_a_visit_brings_its_category_where_the_tower_reads_clicks(asked):
    fresh = without_a_category(asked, 2)
    for reads in (False, True):
        tower = Told(asked.category, reads)
        found = reaction.measure(tower, fresh)
        visit = found["visit"]
        assert visit["visits"] == 3  # each user once
        (_, before), (after_rows, after) = tower.asked[-2:]
        assert (asked.category[after.items[:, :3]] == 2).all()
        assert after.items[:, 3:].tolist() == before.items[:, :-3].tolist()
        assert after.ages[:, :3] * 3600 == pytest.approx(np.tile([60, 120, 180], (3, 1)))
        members = (asked.category == 2).sum() - 3
        share = min(members, 10) / 10 if reads else visit["before"]["share"]
        assert visit["after"]["share"] == pytest.approx(share)
        assert visit["before"]["interval"][0] <= visit["before"]["share"] <= visit["before"]["interval"][1]
        for row in range(3):
            now, kept = int(after_rows["timestamp"].iloc[row]), TopCategory()
            own = fresh.history[fresh.history["user_id"] == after_rows["user_id"].iloc[row]]
            for time, category in own.sort_values("timestamp")[["timestamp", "category"]].to_numpy().tolist():
                if time < now:
                    kept.push(time, category)
            for age in (180, 120, 60):
                kept.push(now - age, 2)
            assert after_rows["top_category"].iloc[row] == kept.value(now)


def test_rows_are_told_apart_by_what_their_user_clicks_on_that_day(asked):
    found = reaction.measure(Told(asked.category, reads=True), asked)
    assert sum(day["rows"] for day in found["days"].values()) == found["rows"] == 75
    clicks = asked.history
    for row in range(0, 75, 7):
        user, label = asked.rows["user_id"].iloc[row], asked.days.labels[asked.days.code[row]]
        own = clicks[clicks["user_id"] == user]
        usual = own[own["day"].isin([0, 1])]["category"].value_counts()
        today = own[own["day"] == 9]["category"].value_counts()
        best = [min(counts[counts == counts.max()].index) for counts in (usual, today)]
        assert label == ("day like the past" if best[0] == best[1] else "day unlike the past")


def test_exported_towers_are_run_as_serving_runs_them(asked, tmp_path):
    release = make_release(tmp_path, items=len(ITEM_IDS), item_ids=ITEM_IDS)
    vectors = np.random.default_rng(0).normal(size=(len(ITEM_IDS), 64)).astype(np.float32)
    tower = reaction.Tower.load(release, release, vectors)
    recents = asked.log.recent(asked.rows["user_id"], asked.rows["timestamp"])
    scores = tower.scores(asked.rows, recents)
    assert scores.shape == (75, len(ITEM_IDS))
    found = reaction.measure(tower, asked)
    items = pd.DataFrame(dict(np.load(release / schema.ITEM_FEATURES_FILE)))
    own = reaction.Tower.of_release(release, items)
    assert own.vectors.shape == vectors.shape
    assert np.isfinite(own.scores(asked.rows, recents)).all()
    assert found["all"] == metrics.summary(metrics.ranks(scores, asked.item))
