"""Which of two releases is better, from what users were shown and what they clicked then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from recsys.errors import BadUse
from recsys.online.exposures import Exposure

_LEVEL: Final = 0.95
_CHUNK: Final = 64
_FEWEST_USERS: Final = 2

Clicks = Mapping[int, Iterable[tuple[int, int]]]
"""For each user the clicks, as (milliseconds since 1970, item)."""


@dataclass(frozen=True)
class Arm:
    """What came of one release's answers.

    Attributes:
        release: The release.
        users: Users who were shown any.
        exposures: Answers shown.
        clicked: Of them, with a click on a shown item within the window.
        rate: clicked / exposures.
    """

    release: int
    users: int
    exposures: int
    clicked: int
    rate: float


@dataclass(frozen=True)
class Comparison:
    """Two releases side by side.

    Attributes:
        first: The one compared with.
        second: The other.
        difference: Second's rate less the first's.
        low: Lower end of its 95 % interval.
        high: Upper end.
        better: The release that is better, None where the interval holds zero.
    """

    first: Arm
    second: Arm
    difference: float
    low: float
    high: float
    better: int | None


def compare(
    exposures: Iterable[Exposure],
    clicks: Clicks,
    first: int,
    second: int,
    *,
    window_s: float = 1_800.0,
    resamples: int = 2_000,
    seed: int = 0,
) -> Comparison:
    """Compare two releases by the share of their answers that led to a click.

    Users were assigned, not answers, and one user's answers are alike, so users are drawn: a bootstrap over
    the users of each arm (percentile interval: B. Efron, R. Tibshirani, An Introduction to the Bootstrap,
    1993, chapter 13), with Poisson weights in place of draws (N. Chamandy et al., Estimating Uncertainty for
    Massive Data Streams, 2012). A release is better if the 95 % interval of the difference leaves out zero.

    Args:
        exposures: What was shown; those of other releases are passed over.
        clicks: What users clicked.
        first: The release compared with.
        second: The other release.
        window_s: How long after an answer a click on one of its items counts for it, in seconds.
        resamples: Draws of the bootstrap.
        seed: Of the draws.

    Raises:
        BadUse: A release has fewer than two users.
    """
    found = _by_user(exposures, clicks, (first, second), round(window_s * 1000))
    for release in (first, second):
        if len(found[release]) < _FEWEST_USERS:
            cause = f"{len(found[release])} users were shown its answers"
            raise BadUse(f"release {release}", cause, "Let the canary run longer, or on more users")
    rng = np.random.default_rng(seed)
    one, other = (np.array(list(found[release].values()), np.float64) for release in (first, second))
    low, high = interval(drawn_rates(other, resamples, rng) - drawn_rates(one, resamples, rng))
    arms = _arm(first, one), _arm(second, other)
    better = second if low > 0 else first if high < 0 else None
    return Comparison(*arms, arms[1].rate - arms[0].rate, low, high, better)


def drawn_rates(users: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Rates of samples of users drawn with replacement; see `compare`.

    Args:
        users: float64 [n, 2]: of each user what counts, and out of how much, 0 or at least 1.
        resamples: How many samples.
        rng: Where chance comes from.

    Returns:
        float64 [resamples].
    """
    drawn = []
    for begin in range(0, resamples, _CHUNK):
        weights = rng.poisson(1.0, (min(_CHUNK, resamples - begin), len(users)))
        clicked, shown = (weights @ users).T
        drawn.append(clicked / np.maximum(shown, 1))
    return np.concatenate(drawn)


def interval(drawn: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile interval of draws."""
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def _by_user(
    exposures: Iterable[Exposure], clicks: Clicks, releases: tuple[int, int], window_ms: int
) -> dict[int, dict[int, list[int]]]:
    """For each release and user: answers that led to a click, and answers."""
    found: dict[int, dict[int, list[int]]] = {release: defaultdict(lambda: [0, 0]) for release in releases}
    for each in exposures:
        if each.arm in found:
            tally = found[each.arm][each.user_id]
            tally[0] += _led_to_a_click(each, clicks.get(each.user_id, ()), window_ms)
            tally[1] += 1
    return found


def _led_to_a_click(exposure: Exposure, clicks: Iterable[tuple[int, int]], window_ms: int) -> bool:
    until = exposure.at_ms + window_ms
    return any(exposure.at_ms <= at <= until and item in exposure.items for at, item in clicks)


def _arm(release: int, users: np.ndarray) -> Arm:
    clicked, shown = users.sum(axis=0)
    return Arm(release, len(users), int(shown), int(clicked), float(clicked / shown))
