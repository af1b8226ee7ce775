"""Off-policy estimates from the shop: what explored answers showed first, its chance, and what it earned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recsys.errors import BadData
from recsys.models.offpolicy import Log, snips
from recsys.online.exposures import Exposure
from recsys.release.compare import Clicks, drawn_rates, interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FirstPlaces:
    """What came of the first place of a release's explored answers.

    Attributes:
        answers: How many explored.
        rate: Share of them whose first item was clicked.
        even: The same had the first item been drawn evenly, by SNIPS.
        low: Lower end of its 95 % interval.
        high: Upper end.
        effective_answers: As many evenly drawn ones would tell as much.
    """

    answers: int
    rate: float
    even: float
    low: float
    high: float
    effective_answers: float


def first_places(log: pd.DataFrame, *, resamples: int = 2_000, seed: int = 0) -> FirstPlaces:
    """Estimate how often the first item would be clicked if each candidate came first as often as any other.

    The plain rate depends on how boldly a release explores: at the same temperature one whose scores lie
    closer together shows its best item less often. Weighting each answer by 1 / propensity takes that away,
    so that two releases are compared on the items they found, not on how evenly they drew among them:
    V = sum(r / p) / sum(1 / p), the self-normalised inverse propensity estimate (A. Swaminathan, T. Joachims,
    The Self-Normalized Estimator for Counterfactual Learning, 2015) of a policy that takes every candidate
    with one chance, which cancels. The interval comes from a bootstrap over users, as in
    `recsys.release.compare.compare`.

    Args:
        log: What `policy_log` gave, of one release.
        resamples: Draws of the bootstrap.
        seed: Of the draws.
    """
    reward, propensity = (log[name].to_numpy(np.float64) for name in ("reward", "propensity"))
    found = snips(Log(reward, propensity, np.ones(len(log))))
    users, place = np.unique(log["user_id"].to_numpy(), return_inverse=True)
    sums = [np.bincount(place, each, len(users)) for each in (reward / propensity, 1 / propensity)]
    low, high = interval(drawn_rates(np.stack(sums, axis=1), resamples, np.random.default_rng(seed)))
    return FirstPlaces(len(log), float(reward.mean()), found.value, low, high, found.effective_rows)


def policy_log(exposures: Iterable[Exposure], clicks: Clicks, window_s: float = 1_800.0) -> pd.DataFrame:
    """The first place of each answer that explored.

    Args:
        exposures: What was shown. Left out: what was not explored, what a fallback put first, and anonymous
            visitors, whose clicks nobody knows.
        clicks: What users clicked.
        window_s: How long after an answer a click on the item counts, in seconds.

    Returns:
        Columns of `recsys.models.policy.COLUMNS`, a row for each such answer; the reward is 1 where the item
        was clicked.

    Raises:
        BadData: There is no such answer.
    """
    import pandas as pd

    rows = [
        (
            each.user_id,
            each.items[0],
            each.at_ms // 1000,
            each.device_type,
            each.propensities[0],
            float(_clicked(each, clicks, round(window_s * 1000))),
        )
        for each in exposures
        if explores(each)
    ]
    if not rows:
        raise BadData("exposures", "no answer explored", "Ask with `explore`, or set RECSYS_SERVING__EXPLORE")
    columns = ("user_id", "item_id", "timestamp", "device_type", "propensity", "reward")
    return pd.DataFrame(rows, columns=list(columns))


def explores(exposure: Exposure) -> bool:
    """Whether an answer tells anything: a known user, and a first item that was drawn."""
    chances = exposure.propensities
    return exposure.user_id >= 0 and bool(exposure.items) and bool(chances) and chances[0] > 0


def _clicked(exposure: Exposure, clicks: Clicks, window_ms: int) -> bool:
    until = exposure.at_ms + window_ms
    return any(
        exposure.at_ms <= at <= until and item == exposure.items[0]
        for at, item in clicks.get(exposure.user_id, ())
    )
