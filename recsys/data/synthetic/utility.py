"""What shoppers want: the known utility from which they choose and by which the oracle ranks.

A shopper first chooses a kind, then a product of it, each by a softmax (a nested logit model:
McFadden, 1978). The log-probability of a product is therefore known exactly in every situation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from recsys.data.synthetic.assortment import DEPARTMENTS
from recsys.data.synthetic.catalogue import TASTE_DIM, Catalogue
from recsys.data.synthetic.kinds import KINDS
from recsys.data.synthetic.personas import PERSONAS, Shoppers, age_fit, gender_fit

RISING_DEPARTMENT: Final = "outdoors"
HOT_LATE_DEPARTMENT: Final = "groceries"
FAD_KIND: Final = "kite"
HOT_LATE_DAYS: Final = 3

_FOCUS = 4.5
_PERSONA = (3.6, 2.8, 2.0)
_IMPOSSIBLE = np.float32(-1e9)


@dataclass(frozen=True)
class Situation:
    """Who chooses, when, on what, and what they are about; n choices of one day.

    Attributes:
        day: Day number, from 0.
        weekend: Whether it is Saturday or Sunday.
        user: int [n], place in the shoppers.
        hour: int [n], hour of the day, UTC.
        device: int [n].
        focus: int [n], the kind they have in mind in this session, -1 none.
        last: int [n], place of the product they clicked last in this session, -1 none.
    """

    day: int
    weekend: bool
    user: np.ndarray
    hour: np.ndarray
    device: np.ndarray
    focus: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: np.ndarray | slice) -> Situation:
        """Returns the situation of some of the choices."""
        arrays = (self.user, self.hour, self.device, self.focus, self.last)
        return Situation(self.day, self.weekend, *(array[rows] for array in arrays))

    def without_intent(self) -> Situation:
        """Returns the situation as one sees it who does not know what the session is about."""
        none = np.full(len(self), -1)
        return Situation(self.day, self.weekend, self.user, self.hour, self.device, none, none)


class Utility:
    """The shoppers' preferences.

    Args:
        catalogue: What there is.
        shoppers: Who they are.
        days: How many days the data set has; drift runs over them.
        seed: Of the preferences that are drawn.
    """

    def __init__(self, catalogue: Catalogue, shoppers: Shoppers, days: int, seed: int) -> None:
        self._catalogue = catalogue
        self._shoppers = shoppers
        self._days = days
        draw = np.random.default_rng([seed, 3])
        names = [department.name for department in DEPARTMENTS]
        self._department = np.array([names.index(kind.department) for kind in KINDS])
        self._persona = self._persona_table(draw)
        self._kind_taste = draw.normal(0, 0.35, (TASTE_DIM, len(KINDS))).astype(np.float32)
        self._age = (1.0 * age_fit())[:, self._department]
        self._gender = (0.6 * gender_fit())[:, self._department]
        devices = np.array([department.devices for department in DEPARTMENTS], dtype=np.float32)
        self._device = (0.9 * devices.T)[:, self._department]
        peak = np.array([department.hour for department in DEPARTMENTS])
        hours = np.cos((np.arange(24)[:, None] - peak) * (2 * np.pi / 24)).astype(np.float32)
        self._hour = (0.8 * hours)[:, self._department]
        weekend = np.array([department.weekend for department in DEPARTMENTS], dtype=np.float32)
        self._weekend = (0.8 * weekend)[self._department]
        self._empty = np.where((catalogue.members >= 0).any(axis=1), 0, _IMPOSSIBLE).astype(np.float32)

    def kinds(self, situation: Situation) -> np.ndarray:
        """Log-probabilities of the kinds: float32 [n, kinds]."""
        s, shoppers = situation, self._shoppers
        age = shoppers.frame["age"].to_numpy()[s.user]
        gender = shoppers.frame["gender"].to_numpy()[s.user]
        logits = self._persona[shoppers.persona[s.user]]
        logits += self._age[age]
        logits += self._gender[gender]
        logits += self._device[s.device]
        logits += self._hour[s.hour]
        _add_product(logits, shoppers.taste[s.user], self._kind_taste)
        logits += self._empty + self._drift(s.day) + (self._weekend if s.weekend else 0)
        focused = np.flatnonzero(s.focus >= 0)
        logits[focused, s.focus[focused]] += _FOCUS
        return _log_softmax(logits)

    def products(self, situation: Situation, kind: np.ndarray) -> np.ndarray:
        """Log-probabilities of the products of one kind a choice.

        Args:
            situation: n choices.
            kind: int [n], the kind chosen in each.

        Returns:
            float32 [n, most items of a kind], in the order of `Catalogue.members`; where a kind
            has fewer, practically minus infinity.
        """
        s, shoppers, catalogue = situation, self._shoppers, self._catalogue
        places = catalogue.members[kind]
        absent = places < 0
        logits = 0.9 * catalogue.quality[places]
        style = catalogue.style[places]
        logits += np.float32(2.4) * (style == shoppers.style[s.user, None])
        logits += np.float32(1.2) * (style == shoppers.second_style[s.user, None])
        distance = catalogue.tier[places] - shoppers.purse[s.user, None]
        logits -= np.float32(9.0) * distance * distance
        whom = catalogue.gender[places]
        gender = shoppers.frame["gender"].to_numpy()[s.user, None]
        logits -= np.float32(3.0) * ((whom < 2) & (whom != gender))
        traits, taste = catalogue.taste, shoppers.taste[s.user]
        for d in range(TASTE_DIM):
            logits += np.float32(0.45) * traits[:, d][places] * taste[:, d, None]
        self._compare(logits, s, kind, places)
        logits[absent] = _IMPOSSIBLE
        return _log_softmax(logits)

    def catalogue(self, situation: Situation) -> np.ndarray:
        """Log-probabilities of every product: float32 [n, items]."""
        kinds = self.kinds(situation)
        out = np.empty((len(situation), len(self._catalogue)), dtype=np.float32)
        for kind in range(len(KINDS)):
            places = self._catalogue.members[kind]
            places = places[places >= 0]
            if len(places):
                within = self.products(situation, np.full(len(situation), kind))
                out[:, places] = kinds[:, kind, None] + within[:, : len(places)]
        return out

    def _compare(self, logits: np.ndarray, s: Situation, kind: np.ndarray, places: np.ndarray) -> None:
        """Comparison shopping: after a product, others of its kind that are like it, not itself."""
        catalogue = self._catalogue
        rows = np.flatnonzero((s.last >= 0) & (catalogue.kind[s.last] == kind))
        last = s.last[rows, None]
        near = places[rows]
        logits[rows] += np.float32(1.2) * (catalogue.style[near] == catalogue.style[last])
        logits[rows] -= np.float32(3.0) * np.abs(catalogue.tier[near] - catalogue.tier[last])
        logits[rows] -= np.float32(4.0) * (near == last)

    def _drift(self, day: int) -> np.ndarray:
        """What a day adds to each kind: one department rises, one jumps late, one fad fades."""
        rising = np.array([kind.department == RISING_DEPARTMENT for kind in KINDS])
        late = np.array([kind.department == HOT_LATE_DEPARTMENT for kind in KINDS])
        fad = np.array([kind.name == FAD_KIND for kind in KINDS])
        progress = day / max(1, self._days - 1)
        jump = 1.6 if day >= self._days - HOT_LATE_DAYS else 0.0
        drift = 1.4 * progress * rising + jump * late + 2.2 * np.exp(-day / 2.5) * fad
        return np.asarray(drift, dtype=np.float32)

    def _persona_table(self, draw: np.random.Generator) -> np.ndarray:
        """Interest of each persona in each kind: float32 [personas, kinds]."""
        table = draw.normal(0, 0.5, (PERSONAS, len(KINDS)))
        for liking, departments in zip(_PERSONA, self._shoppers.departments.T, strict=True):
            table += liking * (departments[:, None] == self._department)
        return table.astype(np.float32)


def draw_choices(log_probability: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Draws one column a row by inverting the cumulated probability: int [n]."""
    cumulative = np.cumsum(np.exp(log_probability), axis=1)
    lots = (1 - draw.random(len(cumulative), dtype=np.float32)) * cumulative[:, -1]
    return np.asarray((cumulative < lots[:, None]).sum(axis=1))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits


def _add_product(out: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Adds left @ right to `out`, term by term: the result does not depend on the BLAS and its threads."""
    for d in range(right.shape[0]):
        out += left[:, d, None] * right[d]
