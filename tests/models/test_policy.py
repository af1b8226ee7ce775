from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from factories.evaluated_shop import ITEM_IDS, SETTINGS, write_shop
from factories.release import make_release

from recsys.data.splits import evaluation_sample
from recsys.errors import BadData, BadUse
from recsys.models.policy import COLUMNS, estimate, read_log
from recsys.models.pools import Pools, draw

LOGGING = 0.3


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("release"), items=len(ITEM_IDS), item_ids=ITEM_IDS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_shop(tmp_path_factory.mktemp("shop"), exposures=False)


@pytest.fixture(scope="module")
def pools(release, dataset) -> Pools:
    return draw(release, dataset, SETTINGS, 100)


def chances(pools: Pools, temperature: float) -> np.ndarray:
    weights = np.exp((pools.scores - pools.scores.max(axis=1, keepdims=True)) / temperature)
    return weights / weights.sum(axis=1, keepdims=True)


def worth(pools: Pools) -> np.ndarray:
    """The chance that an item earns something: its own, the same for everybody."""
    return np.where(pools.items >= 0, (pools.items * 37 % 60) / 60, 0)


@pytest.fixture(scope="module")
def log(pools, dataset) -> pd.DataFrame:
    """A policy of known chances, forty times over."""
    rng = np.random.default_rng(0)
    chance = np.tile(chances(pools, LOGGING), (40, 1))
    action = (rng.random(len(chance))[:, None] > chance.cumsum(axis=1)).sum(axis=1)
    row = np.arange(len(chance))
    asked = pd.concat([evaluation_sample(dataset, 100, 0)] * 40, ignore_index=True)
    items = np.tile(pools.items, (40, 1))[row, action]
    earned = rng.random(len(row)) < np.tile(worth(pools), (40, 1))[row, action]
    return asked.assign(
        item_id=np.array(ITEM_IDS)[items], propensity=chance[row, action], reward=earned.astype(float)
    )


@pytest.mark.parametrize("temperature", [0.0, 0.15, LOGGING])
def test_the_estimates_find_what_the_release_would_have_earned(release, dataset, pools, log, temperature):
    found = estimate(release, dataset, log, SETTINGS, temperature)
    if temperature:
        truth = float((chances(pools, temperature) * worth(pools)).sum(axis=1).mean())
    else:
        truth = float(worth(pools)[:, 0].mean())
    assert found["rows"] == 4_000
    assert found["logged"] == pytest.approx(log["reward"].mean())
    for one in found["estimates"]:
        reach = one["interval"][1] - one["value"]
        assert abs(one["value"] - truth) < 2 * reach + 0.01
    if temperature == LOGGING:
        assert found["estimates"][0]["value"] == pytest.approx(found["logged"])
        assert found["estimates"][0]["effective_rows"] == pytest.approx(4_000)


def test_a_log_that_cannot_be_is_refused(tmp_path, log, release, dataset):
    path = tmp_path / "log.parquet"
    log[list(COLUMNS)].to_parquet(path)
    assert len(read_log(path)) == 4_000
    log.assign(propensity=0.0)[list(COLUMNS)].to_parquet(path)
    with pytest.raises(BadData, match="propensity"):
        read_log(path)
    log[["user_id"]].to_parquet(path)
    with pytest.raises(BadData, match="column item_id"):
        read_log(path)
    path.write_text("no parquet")
    with pytest.raises(BadData, match="cannot be read"):
        read_log(path)
    with pytest.raises(BadUse, match="negative"):
        estimate(release, dataset, log, SETTINGS, -1.0)
