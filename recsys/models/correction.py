"""The last steps of a ranker, on rows that nothing was trained on: the newest clicks, and calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import tensorflow as tf
from scipy.optimize import minimize

from recsys.features.popularity import PopularityLog
from recsys.models import heads
from recsys.models.examples import Catalogue, Examples
from recsys.models.heads import Heads
from recsys.models.intent import RECENT, Intent
from recsys.models.intent_fit import Lists, fit_intent
from recsys.models.ranking import ChainLists, Tensors, chain_lists, tensors, tile
from recsys.schema import ITEM_POPULARITY
from recsys.settings import RankingSettings, get_settings

if TYPE_CHECKING:  # which imports this module
    from recsys.models.dlrm import Ranker

_ROWS: Final = 64
"""Rows whose whole lists are looked at at once."""

_SCORED: Final = 4_096
"""Items that are scored at once, where each row has few: a call costs as much as some thousand of them."""

_DRAWS: Final = 4


def finished(
    ranker: Ranker,
    catalogue: Catalogue,
    held: Examples,
    seed: int,
    settings: RankingSettings,
    *,
    shown: ChainLists | None,
    half_life_s: float | None = None,
) -> Ranker:
    """Adds what the newest clicks say, where that helps, and calibrates the score.

    Args:
        ranker: Trained; as it is where it does not build on retrieval or nothing is held out.
        catalogue: All items.
        held: Clicks that neither it nor retrieval was trained on.
        seed: Of all draws.
        settings: Width of the network over the newest clicks, and what carts and purchases are worth.
        shown: The rows' lists, `RankingTrainer.lists`; None: they are made here.
        half_life_s: Of the popularity that it is told, if it is; None: the process's setting.

    Returns:
        The ranker; the last entry of its history says what was found.
    """
    towers = ranker.towers
    if towers is None or not len(held):
        return ranker
    held = held.looking_back()
    items = {name: tf.constant(column) for name, column in catalogue.inputs.items()}
    if settings.intent:
        told = half_life_s or get_settings().popularity.half_life_s if settings.popularity else 0.0
        intent = Intent(catalogue, towers.items, settings.intent, seed, told)
        shown = shown or chain_lists(ranker.model, towers, items, held)
        found = fit_intent(intent, _lists(intent, shown, held, items, towers.items), seed)
        ranker.history[-1] |= found
        if found["intent_steps"]:
            ranker = replace(ranker, intent=intent)
    slope, offset = _calibration(ranker, items, held, seed)
    ranker.history[-1] |= {"slope": slope, "offset": offset}
    return replace(ranker, slope=slope, offset=offset, heads=_heads(ranker, items, held, settings))


def _heads(ranker: Ranker, items: Tensors, held: Examples, settings: RankingSettings) -> Heads | None:
    """The heads, calibrated; None where the model has none or nothing is known of the rows held out."""
    made, features = [], []
    for inputs in _own(ranker, items, held):
        logits, found = ranker.head_logits(inputs)
        made.append(logits.numpy())
        features += [] if found is None else [found.numpy()]
    logits = np.concatenate(made)
    if held.event is None or not logits.shape[1]:
        return None
    told = np.concatenate(features) if features else None
    return heads.fit(logits, told, held.event, (settings.cart_value, settings.purchase_value))


def _lists(intent: Intent, shown: ChainLists, held: Examples, items: Tensors, vectors: np.ndarray) -> Lists:
    features = []
    popularity = _popularity_log(intent, held, len(vectors))
    for at in range(0, len(held), _ROWS):
        part = slice(at, at + _ROWS)
        found = tf.constant(shown.items[part])
        recent = {name: tf.constant(held.inputs[name][part]) for name in RECENT}
        width = tf.shape(found)[1]
        user = {name: tf.repeat(each, width, axis=0) for name, each in intent.user(recent).items()}
        flat = tf.reshape(found, [-1])
        item = {name: tf.gather(items[name], flat) for name in (intent.category, "price")}
        item["item_vector"] = tf.gather(vectors, flat)
        if popularity is not None:
            popular = popularity.before(shown.items[part], held.timestamp[part])
            item[ITEM_POPULARITY] = tf.constant(popular.reshape(-1, 1))
        features.append(intent.features(user, item).numpy().reshape(*found.shape, -1))
    return Lists(
        shown.retrieved,
        shown.correction,
        np.concatenate(features),
        shown.column,
        held.inputs["user_id"][:, 0],
    )


def _popularity_log(intent: Intent, rows: Examples, items: int) -> PopularityLog | None:
    """How popular items were, by the clicks that rows look back on; None where it is not told."""
    if not intent.popularity:
        return None
    return PopularityLog.of(rows.log.item, rows.log.timestamp, items, intent.half_life_s)


def _calibration(ranker: Ranker, items: Tensors, held: Examples, seed: int) -> tuple[float, float]:
    """Slope and offset that make the sigmoid of a logit the chance that it is a click's, not a random item's.

    As many random items as clicks: each click has `_DRAWS` of them, which weigh a part of one. Source: Platt,
    "Probabilistic outputs for support vector machines", 1999.
    """
    rng = np.random.default_rng(seed)
    count = len(next(iter(items.values())))
    drawn = rng.integers(count, size=(len(held), _DRAWS))
    logits = logits_of(ranker, items, held, np.column_stack([held.item, drawn])).astype(np.float64)
    x = np.concatenate([logits[:, 0], logits[:, 1:].ravel()])
    clicked = np.arange(len(x)) < len(held)
    # Platt's targets: one row more of each kind, so that a perfect ranker's slope is finite too.
    target = np.where(clicked, (len(held) + 1) / (len(held) + 2), 1 / (len(held) + 2))
    weight = np.where(clicked, 1.0, 1 / _DRAWS)

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        chance = line[0] * x + line[1]
        slack = (1 / (1 + np.exp(-np.clip(chance, -500, 500))) - target) * weight
        entropy = np.logaddexp(0, chance) - target * chance
        return float(entropy @ weight), np.array([slack @ x, slack.sum()])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    return (float(slope), float(offset)) if slope > 0 else (1.0, 0.0)


def logits_of(ranker: Ranker, catalogue: Tensors, rows: Examples, items: np.ndarray) -> np.ndarray:
    """A ranker's logits of some items of each row, float32 [rows, K].

    Args:
        ranker: It builds on towers.
        catalogue: Features of all items.
        rows: With `Examples.looking_back` where the ranker or the query tower looks back.
        items: Item indexes [rows, K].
    """
    found = [ranker.logit(inputs).numpy() for inputs in _tiled(ranker, catalogue, rows, items)]
    joined: np.ndarray = np.concatenate(found).reshape(items.shape)
    return joined


def _own(ranker: Ranker, catalogue: Tensors, rows: Examples) -> Iterator[Tensors]:
    """A ranker's inputs for the rows' own items, some rows at a time."""
    return _tiled(ranker, catalogue, rows, rows.item[:, None])


def _tiled(ranker: Ranker, catalogue: Tensors, rows: Examples, items: np.ndarray) -> Iterator[Tensors]:
    """A ranker's inputs for items [rows, K], some rows at a time."""
    count = len(next(iter(catalogue.values())))
    popularity = None if ranker.intent is None else _popularity_log(ranker.intent, rows, count)
    size = max(_ROWS, _SCORED // items.shape[1])
    for at in range(0, len(rows), size):
        part = rows.take(np.arange(at, min(at + size, len(rows))))
        given = tensors(part)
        chosen = tf.constant(items[at : at + size])
        inputs = tile(given, catalogue, chosen)
        if popularity is not None:
            popular = popularity.before(items[at : at + size], part.timestamp)
            inputs[ITEM_POPULARITY] = tf.constant(popular.reshape(-1, 1))
        own = {name: given[name] for name in RECENT if name in given}
        if ranker.towers is not None:
            own["user_embedding"] = ranker.towers.users(given)
        yield inputs | {name: tf.repeat(each, chosen.shape[1], axis=0) for name, each in own.items()}
