"""How popular items were just before a moment: what the worker's lists say now, for a whole table.

An interaction at time t_i counts 2^(-(t - t_i) / half-life) at a later time t (`recsys.online.popularity`).
What a model is told is how an item's count c compares with the mean m over the catalogue:

    log((c / m + SMOOTH) / (1 + SMOOTH))

Both decay alike, so the time that has passed since the newest interaction cancels out: the value is a
function of what happened before a moment, not of the moment, and a list that is read late is not wrong by
decay. Before any interaction, and for a store that is empty, it is 0 for every item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:  # serving runs the formula alone, in processes that do without pandas
    import pandas as pd

Floats = NDArray[np.floating]

SMOOTH: Final = 0.1
"""Share of the mean that every item is credited with: an item without interactions has no logarithm."""


def relative(log_counts: Floats, log_total: ArrayLike, items: int) -> NDArray[np.float32]:
    """The feature.

    Args:
        log_counts: log2 of items' decayed counts as of any one moment, any shape; -inf for none.
        log_total: log2 of the sum over the whole catalogue as of the same moment; -inf for nothing.
        items: Size of the catalogue.

    Returns:
        float32, shape of `log_counts`.
    """
    total = np.asarray(log_total, np.float64)
    log_mean = np.where(np.isfinite(total), total - np.log2(items), 0.0)
    share = np.where(np.isfinite(total), np.exp2(log_counts - log_mean), 1.0)
    found: NDArray[np.float32] = np.log((share + SMOOTH) / (1 + SMOOTH)).astype(np.float32)
    return found


@dataclass(frozen=True)
class PopularityLog:
    """All interactions by item and time, to be looked back on from any moment.

    Attributes:
        items: Size of the catalogue.
        start: The earliest time, unix seconds.
        span: Seconds from there to beyond the latest.
        key: Item index * `span` + seconds since `start` of each interaction, int64 [e], ascending.
        count: log2 of the sum of 2^(t_i / half-life) of the item up to and with each, float64 [e].
        moment: Unix seconds, int64 [e], ascending.
        total: As `count`, of all items, in the order of `moment`, float64 [e].
    """

    items: int
    start: int
    span: int
    key: NDArray[np.int64]
    count: NDArray[np.float64]
    moment: NDArray[np.int64]
    total: NDArray[np.float64]

    @classmethod
    def build(cls, interactions: pd.DataFrame, item_ids: ArrayLike, half_life_s: float) -> PopularityLog:
        """Orders interactions.

        Args:
            interactions: Columns item_id, timestamp and, if not all are interactions, click; any order.
            item_ids: The shop's id of each item index; other items are left out.
            half_life_s: After which an interaction counts half, seconds.
        """
        import pandas as pd

        ids = np.asarray(item_ids, dtype=np.int64)
        item = pd.Index(ids).get_indexer(interactions["item_id"]).astype(np.int64)
        counted = item >= 0
        if "click" in interactions:
            counted &= interactions["click"].to_numpy() == 1
        time, item = interactions["timestamp"].to_numpy(np.int64)[counted], item[counted]
        return cls.of(item, time, len(ids), half_life_s)

    @classmethod
    def of(
        cls, item: NDArray[np.int64], time: NDArray[np.int64], items: int, half_life_s: float
    ) -> PopularityLog:
        """Orders interactions of known items.

        Args:
            item: Item indexes, int64 [e].
            time: Unix seconds, int64 [e].
            items: Size of the catalogue.
            half_life_s: As for `build`.
        """
        start = int(time.min()) if len(time) else 0
        span = int(time.max(initial=start)) - start + 2
        key = item * span + (time - start)
        order = np.argsort(key, kind="stable")
        moment = np.sort(time)
        return cls(
            items,
            start,
            span,
            key[order],
            _sums(time[order] / half_life_s, item[order]),
            moment,
            np.logaddexp2.accumulate(moment / half_life_s),
        )

    def before(self, items: ArrayLike, timestamp: ArrayLike) -> NDArray[np.float32]:
        """The feature, from all interactions strictly before each row.

        Args:
            items: Item indexes, int64 [n, K]; negative for none.
            timestamp: Unix seconds, int64 [n].

        Returns:
            float32 [n, K]; 0 where there is no item.
        """
        asked, now = np.asarray(items, np.int64), np.asarray(timestamp, np.int64)
        since = np.clip(now - self.start, 0, self.span - 1)
        known = np.maximum(asked, 0)
        place = np.searchsorted(self.key, known * self.span + since[:, None], side="left") - 1
        padded_key = np.append(self.key, -1)
        own = padded_key[place] // self.span == known  # place -1 is the pad
        counts = np.where(own, np.append(self.count, -np.inf)[place], -np.inf)
        upto = np.searchsorted(self.moment, now, side="left") - 1
        total = np.where(upto >= 0, np.append(self.total, -np.inf)[upto], -np.inf)
        return np.where(asked >= 0, relative(counts, total[:, None], self.items), np.float32(0))


def _sums(exponent: NDArray[np.float64], item: NDArray[np.int64]) -> NDArray[np.float64]:
    """log2 of the running sums of 2^exponent within each run of equal items.

    Each pass doubles how far back a sum reaches (Hillis & Steele, "Data parallel algorithms", 1986).
    """
    found, reach = exponent.copy(), 1
    most = int(np.bincount(item).max(initial=0))
    while reach < most:
        alike = np.flatnonzero(item[reach:] == item[:-reach]) + reach
        found[alike] = np.logaddexp2(found[alike], found[alike - reach])
        reach *= 2
    return found
