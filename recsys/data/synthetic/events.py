"""The synthetic days: sessions of clicks, and what was shown beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from recsys.data.synthetic.catalogue import Catalogue
from recsys.data.synthetic.kinds import KINDS
from recsys.data.synthetic.personas import DAYPARTS, Shoppers
from recsys.data.synthetic.utility import Situation, Utility, draw_choices

FIRST_TIMESTAMP: Final = 1754006400
"""2025-08-01T00:00:00Z, a Friday."""

DAY_S: Final = 24 * 3600
CLICK_SHARE: Final = 0.5
EVENT_TYPES: Final = ("impression", "view", "cart", "purchase")

_CHUNK = 32_768  # choices at a time: some 60 MB of scores for a catalogue of 2,500
_LATEST_START_S = DAY_S - 3600
_MEAN_CLICKS = 3.5
_MOST_CLICKS = 12


@dataclass(frozen=True)
class _Sessions:
    """Visits of one day, n of them: who, when (seconds of the day), on what, how many clicks."""

    user: np.ndarray
    start: np.ndarray
    device: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Day:
    """A day of interactions and the situations in which they were clicked.

    Attributes:
        frame: As `day_NN.parquet` holds it, sorted by time.
        situation: The situation of each click, not in the frame's order.
        clicked: int [clicks], place of the product clicked in each.
        beside: int [shown], the click beside which a product was shown and not clicked.
        shown: int [shown], place of that product.
    """

    frame: pd.DataFrame
    situation: Situation
    clicked: np.ndarray
    beside: np.ndarray
    shown: np.ndarray


class Simulator:
    """Draws days of interactions.

    Args:
        catalogue: What there is.
        shoppers: Who comes.
        utility: What they want.
        seed: Of the draw; each day has a stream of its own.
    """

    def __init__(self, catalogue: Catalogue, shoppers: Shoppers, utility: Utility, seed: int) -> None:
        self._catalogue = catalogue
        self._shoppers = shoppers
        self._utility = utility
        self._seed = seed
        names = [kind.name for kind in KINDS]
        self._accessory = np.array([names.index(kind.accessory) for kind in KINDS])
        self._activity = np.cumsum(shoppers.activity)
        liked = np.where(catalogue.members >= 0, np.exp(0.8 * catalogue.quality[catalogue.members]), 0)
        self._popular = np.cumsum(liked, axis=1).astype(np.float32)
        self._sizes = (catalogue.members >= 0).sum(axis=1)

    def day(self, day: int, rows: int) -> Day:
        """Draws a day.

        Args:
            day: Its number, from 0.
            rows: How many rows its frame has; at least 1.

        Returns:
            The day.
        """
        draw = np.random.default_rng([self._seed, 4, day])
        clicks = max(1, round(rows * CLICK_SHARE))
        sessions = self._visit(clicks, draw)
        situation, clicked, event = self._click(day, sessions, draw)
        session, step = _rows_of_sessions(sessions.lengths)
        seconds = sessions.start[session] + _walk(draw.integers(15, 150, clicks), step)
        beside = np.sort(draw.integers(0, clicks, rows - clicks))
        shown = self._show(situation, clicked, beside, draw)
        event = np.concatenate([event, np.zeros(len(beside), np.int8)])
        of = np.concatenate([np.arange(clicks), beside])
        frame = pd.DataFrame(
            {
                "user_id": self._shoppers.frame["user_id"].to_numpy()[situation.user][of],
                "item_id": self._catalogue.frame["item_id"].to_numpy()[np.concatenate([clicked, shown])],
                "timestamp": FIRST_TIMESTAMP + day * DAY_S + seconds[of],
                "device_type": situation.device[of].astype(np.int64),
                "event_type": pd.Categorical.from_codes(event, EVENT_TYPES),
                "click": (event > 0).astype(np.int8),
            }
        )
        return Day(_in_order(frame), situation, clicked, beside, shown)

    def _visit(self, clicks: int, draw: np.random.Generator) -> _Sessions:
        lengths = _session_lengths(clicks, draw)
        user = np.searchsorted(self._activity, draw.random(len(lengths)) * self._activity[-1])
        usual = np.array(DAYPARTS)[self._shoppers.daypart[user]] * 3600
        roaming = draw.random(len(user)) < 0.25
        moment = np.where(roaming, draw.uniform(6 * 3600, DAY_S, len(user)), draw.normal(usual, 5400))
        start = np.mod(moment, _LATEST_START_S).astype(np.int64)
        other = draw.integers(0, 3, len(user))
        device = np.where(draw.random(len(user)) < 0.7, self._shoppers.device[user], other)
        return _Sessions(user, start, device, lengths)

    def _click(
        self, day: int, visits: _Sessions, draw: np.random.Generator
    ) -> tuple[Situation, np.ndarray, np.ndarray]:
        """Walks all sessions forward, one click of each at a time.

        Returns:
            The situations, the places of the clicked products and the codes of `EVENT_TYPES`, one
            entry a click, session by session.
        """
        weekend, lengths = is_weekend(day), visits.lengths
        user, hour, device = visits.user, visits.start // 3600, visits.device
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        total = int(lengths.sum())
        clicked, bought = np.empty(total, np.int64), np.empty(total, np.int8)
        focuses, lasts = np.full(total, -1), np.full(total, -1)
        focus, last = np.full(len(lengths), -1), np.full(len(lengths), -1)
        for step in range(int(lengths.max())):
            live = np.flatnonzero(lengths > step)
            for begin in range(0, len(live), _CHUNK):
                now = live[begin : begin + _CHUNK]
                at = offsets[now] + step
                s = Situation(day, weekend, user[now], hour[now], device[now], focus[now], last[now])
                focuses[at], lasts[at] = s.focus, s.last
                kind = draw_choices(self._utility.kinds(s), draw)
                slot = draw_choices(self._utility.products(s, kind), draw)
                clicked[at] = last[now] = self._catalogue.members[kind, slot]
                bought[at] = _event_types(len(now), s.focus == kind, draw)
                focus[now] = self._next_focus(s.focus, kind, bought[at], draw)
        session = np.repeat(np.arange(len(lengths)), lengths)
        situation = Situation(day, weekend, user[session], hour[session], device[session], focuses, lasts)
        return situation, clicked, bought

    def _next_focus(
        self, focus: np.ndarray, kind: np.ndarray, bought: np.ndarray, draw: np.random.Generator
    ) -> np.ndarray:
        """What is in mind next: after a purchase its accessory, else mostly what was just looked at."""
        lots = draw.random(len(kind))
        after = np.where(lots < 0.65, kind, np.where(lots < 0.85, focus, -1))
        after = np.where((bought == 3) & (lots < 0.75), self._accessory[kind], after)
        return np.where((after >= 0) & (self._sizes[after] > 0), after, -1)

    def _show(
        self, situation: Situation, clicked: np.ndarray, beside: np.ndarray, draw: np.random.Generator
    ) -> np.ndarray:
        """Products shown beside clicks and passed over: popular ones of kinds the shopper might like."""
        kind = self._catalogue.kind[clicked][beside].astype(np.int64)
        elsewhere = np.flatnonzero(draw.random(len(beside)) < 0.5)
        for begin in range(0, len(elsewhere), _CHUNK):
            rows = elsewhere[begin : begin + _CHUNK]
            likely = self._utility.kinds(situation.take(beside[rows]).without_intent())
            kind[rows] = draw_choices(0.6 * likely, draw)
        slot = np.empty(len(kind), dtype=np.int64)
        lots = 1 - draw.random(len(kind), dtype=np.float32)
        for begin in range(0, len(kind), _CHUNK):
            part = slice(begin, begin + _CHUNK)
            popular = self._popular[kind[part]]
            slot[part] = (popular < (lots[part] * popular[:, -1])[:, None]).sum(axis=1)
        same = self._catalogue.members[kind, slot] == clicked[beside]
        slot = np.where(same, (slot + 1) % self._sizes[kind], slot)
        place = self._catalogue.members[kind, slot]
        alone = place == clicked[beside]  # the only product of its kind: show its neighbour
        return np.where(alone, (place + 1) % len(self._catalogue), place)


def is_weekend(day: int) -> bool:
    """Whether a day is a Saturday or a Sunday; day 0 is a Friday."""
    return (day + 4) % 7 >= 5


def rows_per_day(rows: int, days: int) -> list[int]:
    """Shares rows out over days, a quarter more on Saturdays and Sundays; they sum to `rows`."""
    weight = np.array([1.25 if is_weekend(day) else 1.0 for day in range(days)])
    bounds = np.round(np.cumsum(weight) / weight.sum() * rows).astype(int)
    return [int(count) for count in np.diff(bounds, prepend=0)]


def _session_lengths(clicks: int, draw: np.random.Generator) -> np.ndarray:
    """Lengths of sessions in clicks that sum to `clicks`: int [sessions], each at least 1."""
    lengths = np.minimum(draw.geometric(1 / _MEAN_CLICKS, clicks), _MOST_CLICKS)
    ends = np.cumsum(lengths)
    sessions = int(np.searchsorted(ends, clicks)) + 1
    lengths = lengths[:sessions]
    lengths[-1] -= ends[sessions - 1] - clicks
    return lengths


def _rows_of_sessions(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Session and step in it of each click, session by session: two int [clicks]."""
    session = np.repeat(np.arange(len(lengths)), lengths)
    begin = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return session, np.arange(len(session)) - begin


def _walk(gaps: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Seconds since the session's start of each click, from the gaps before each."""
    gaps = np.where(step == 0, 0, gaps)
    total = np.cumsum(gaps)
    lengths = np.diff(np.flatnonzero(np.append(step == 0, True)))
    return np.asarray(total - np.repeat(total[step == 0], lengths))


def _event_types(clicks: int, focused: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Codes of `EVENT_TYPES`: who looks for something is likelier to take it."""
    lots = draw.random(clicks)
    eager = np.where(focused, 2.0, 1.0)
    return (1 + (lots < 0.14 * eager) + (lots < 0.05 * eager)).astype(np.int8)


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sorts by time, and moves what would be the same event twice on by a second."""
    repeated = frame.duplicated().to_numpy()
    while repeated.any():
        frame.loc[repeated, "timestamp"] += 1
        repeated = frame.duplicated().to_numpy()
    return frame.sort_values("timestamp", kind="stable", ignore_index=True)
