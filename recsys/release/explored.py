"""A log for off-policy estimates: what explored answers showed first, its chance, and what it earned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from recsys.errors import BadData
from recsys.online.exposures import Exposure
from recsys.release.compare import Clicks

if TYPE_CHECKING:
    import pandas as pd


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
        if each.user_id >= 0 and each.items and each.propensities and each.propensities[0] > 0
    ]
    if not rows:
        raise BadData("exposures", "no answer explored", "Ask with `explore`, or set RECSYS_SERVING__EXPLORE")
    columns = ("user_id", "item_id", "timestamp", "device_type", "propensity", "reward")
    return pd.DataFrame(rows, columns=list(columns))


def _clicked(exposure: Exposure, clicks: Clicks, window_ms: int) -> bool:
    until = exposure.at_ms + window_ms
    return any(
        exposure.at_ms <= at <= until and item == exposure.items[0]
        for at, item in clicks.get(exposure.user_id, ())
    )
