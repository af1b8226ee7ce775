"""The synthetic shoppers: age, gender, persona, style, purse, hours and devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from recsys.data.synthetic.assortment import DEPARTMENTS, STYLES
from recsys.data.synthetic.catalogue import TASTE_DIM

PERSONAS: Final = 120
"""Distinct personas: three departments in the order of interest, as in AWS's Retail Demo Store."""

DAYPARTS: Final = (8, 13, 20, 23)
"""Hours, UTC, around which early, midday, evening and late shoppers come."""


@dataclass(frozen=True)
class Shoppers:
    """The users, one array entry each; n of them.

    Attributes:
        frame: The users as `users.parquet` holds them.
        persona: int16 [n], row of `departments`.
        departments: int16 [personas, 3], places in `DEPARTMENTS`, most liked first.
        style: int8 [n], favourite, place in `STYLES`.
        second_style: int8 [n], the other one they like.
        purse: float32 [n], the price tier they look for, 0 to 1.
        taste: float32 [n, TASTE_DIM], hidden taste.
        daypart: int8 [n], place in `DAYPARTS`.
        device: int8 [n], the device they mostly use.
        activity: float64 [n], share of all sessions; sums to 1.
    """

    frame: pd.DataFrame
    persona: np.ndarray
    departments: np.ndarray
    style: np.ndarray
    second_style: np.ndarray
    purse: np.ndarray
    taste: np.ndarray
    daypart: np.ndarray
    device: np.ndarray
    activity: np.ndarray

    def __len__(self) -> int:
        return len(self.persona)


def make_shoppers(users: int, seed: int) -> Shoppers:
    """Draws the users.

    Args:
        users: How many.
        seed: Of the draw.

    Returns:
        The users; ids are 1 to `users`.
    """
    draw = np.random.default_rng([seed, 2])
    age = np.clip(18 + draw.gamma(2.6, 7.5, users), 18, 84).astype(np.int64)
    gender = draw.integers(0, 2, users)
    departments = _make_personas(draw)
    persona = _choose(_persona_fit(departments), age, gender, draw)
    style_fit = np.array([-np.abs(np.arange(100) - style.age) / 14 for style in STYLES], dtype=np.float32)
    styles = np.stack([_choose(np.stack([style_fit] * 2), age, gender, draw) for _ in range(2)])
    second = np.where(styles[1] == styles[0], (styles[0] + 1) % len(STYLES), styles[1])
    purse = 0.25 + 0.35 * np.clip((age - 18) / 45, 0, 1) + draw.normal(0, 0.16, users)
    # Older shoppers sit at a desk, younger ones hold a phone, tablets are for the sofa.
    mobile = np.clip(0.8 - (age - 18) / 80, 0.2, 0.8)
    device = (draw.random(users) > mobile).astype(np.int8) * (1 + (draw.random(users) < 0.35))
    activity = draw.lognormal(0, 0.8, users)
    return Shoppers(
        frame=pd.DataFrame(
            {"user_id": np.arange(1, users + 1, dtype=np.int64), "age": age, "gender": gender}
        ),
        persona=persona.astype(np.int16),
        departments=departments,
        style=styles[0].astype(np.int8),
        second_style=second.astype(np.int8),
        purse=np.clip(purse, 0.02, 0.98).astype(np.float32),
        taste=draw.normal(0, 1, (users, TASTE_DIM)).astype(np.float32),
        daypart=draw.choice(len(DAYPARTS), users, p=(0.2, 0.25, 0.4, 0.15)).astype(np.int8),
        device=device.astype(np.int8),
        activity=activity / activity.sum(),
    )


def age_fit() -> np.ndarray:
    """Interest of each age in each department: float32 [100, departments], 0 at the peak, then falling."""
    ages = np.arange(100)[:, None]
    peaks = np.array([department.age for department in DEPARTMENTS])
    return np.asarray(-(((ages - peaks) / 24.0) ** 2), dtype=np.float32)


def gender_fit() -> np.ndarray:
    """Interest of women (row 0) and men (row 1) in each department: float32 [2, departments]."""
    lean = np.array([department.female for department in DEPARTMENTS], dtype=np.float32)
    return np.stack([lean, -lean])


def _make_personas(draw: np.random.Generator) -> np.ndarray:
    triples = [draw.permutation(len(DEPARTMENTS))[:3] for _ in range(PERSONAS)]
    return np.array(triples, dtype=np.int16)


def _persona_fit(departments: np.ndarray) -> np.ndarray:
    """How well a persona suits a gender and an age: float32 [2, personas, 100]."""
    weights = np.array([0.6, 0.3, 0.1], dtype=np.float32)
    by_age = (age_fit()[:, departments] * weights).sum(axis=2).T
    by_gender = (gender_fit()[:, departments] * weights).sum(axis=2)
    return np.asarray(1.5 * by_age[None] + 1.2 * by_gender[:, :, None])


def _choose(fit: np.ndarray, age: np.ndarray, gender: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Draws a choice for each user by the softmax of `fit` [2, choices, 100] at gender and age."""
    share = np.exp(fit - fit.max(axis=1, keepdims=True))
    cumulative = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
    lots = draw.random(len(age))
    chosen = np.zeros(len(age), dtype=np.int64)
    for choice in range(fit.shape[1] - 1):  # one choice at a time keeps memory at one array of users
        chosen += lots > cumulative[gender, choice, age]
    return chosen
