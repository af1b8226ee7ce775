"""The session query tower: the context tower, and what the user clicked since and just now.

As it is trained (`SessionHistory`) and as it is served (`SessionQuery`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import merlin.models.tf as mm
import numpy as np
import tensorflow as tf

from recsys import schema
from recsys.models import blocks
from recsys.models.columns import Features
from recsys.models.examples import FIRST_KNOWN_CODE, Catalogue, Examples
from recsys.models.history import ClickHistory, feature_sum, finish, first_match
from recsys.models.session import SessionEncoder
from recsys.models.visit_prior import VISIT_H, VisitPrior, VisitShift, visit_weights

Tensors = dict[str, tf.Tensor]

_SESSION_S: Final = 3 * 3600
"""What follows a click within this time may be of the same session."""

_HOUR_S: Final = 3600.0
_SAME_CLICK_S: Final = 5
"""Ages are float32 hours: a click of a month ago may seem a second or so younger than it is."""

GAINS: Final = (0.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""What a visit's clicks may count for more; see `SessionQuery`."""

_FREE: Final = 0.995
"""What keeps this share of the quality costs nothing to speak of."""

_HISTORY: Final = "history"
"""Whether a training row may see its user's history, bool [rows, 1]."""

_COMMON: Final = 0.05
"""From this share of rows in a visit on, the encoder has learned what visits are about."""

_EMPTY_SHARE: Final = 0.5
_NEW_CLICKS: Final = 6


class SessionHistory(ClickHistory):
    """A click history, and an encoder of the newest clicks, in training.

    The history says what a user likes in the long run, so of a row's user all clicks count but those that
    would tell the row: its own, and what follows in the same session. The encoder sees what serving will see:
    the clicks before the row.
    A row of a masked user is a new visitor: no history, but in half of these rows the newest few clicks.

    Args:
        encoder: Gives the history's vector of an item, from the inputs of the candidate tower.
        catalogue: All items.
        clicks: Each user's clicks that count, of `recsys.models.history.newest_clicks`.
        moments: When they were, of `recsys.models.history.newest_moments`.
        tokens: Gives the session encoder's vector of an item, from the same inputs.
        session: Reads the newest clicks.
        forget: Share of rows whose newest clicks are hidden from the encoder, in training.
        forget_history: Share of rows whose history is hidden, so that the encoder learns to do without.

    Attributes:
        gain: Of the tower that is served.
        prior: Of the tower that is served; None: it moves nobody.
    """

    def __init__(
        self,
        encoder: mm.Encoder,
        catalogue: Catalogue,
        clicks: tf.Tensor,
        *,
        moments: tf.Tensor,
        tokens: mm.Encoder,
        session: SessionEncoder,
        forget: float,
        forget_history: float = 0.0,
    ) -> None:
        missing = max(schema.RECENT_CLICKS - clicks.shape[1], 0)
        super().__init__(
            encoder, catalogue, tf.pad(clicks, [[0, 0], [0, missing]], constant_values=len(catalogue))
        )
        self.moments: tf.Tensor = tf.pad(moments, [[0, 0], [0, missing]])
        self.tokens, self.session = tokens, session
        self.gain = 0.0
        self.prior: VisitPrior | None = None
        self._forget, self._forget_history = forget, forget_history

    def embed(self, query: mm.Encoder, inputs: Tensors, own: tf.Tensor, training: bool = False) -> tf.Tensor:
        """As `ClickHistory.embed`; inputs hold `schema.RECENT_FEATURES` and timestamp as well."""
        user = inputs["user_id"][:, 0]
        recent = tf.cast(inputs["recent_items"], tf.int32)
        clicks, counted = self._others(user, own, inputs["timestamp"])
        unknown = user[:, None] < FIRST_KNOWN_CODE
        wider = [[0, 0], [0, clicks.shape[1] - recent.shape[1]]]
        clicks = tf.where(unknown, tf.pad(recent, wider, constant_values=schema.NO_ITEM), clicks)
        counted = tf.where(unknown, clicks != schema.NO_ITEM, counted & inputs.get(_HISTORY, True))
        embedding = feature_sum(query, inputs, training) + self.pooled(clicks, counted, training)
        embedding += self.session(
            self.look_up(self.tokens, recent, training),
            inputs["recent_ages"],
            recent != schema.NO_ITEM,
            embedding,
            training=training,
        )
        return finish(query, embedding, training)

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """All that is trained beside the towers."""
        parts = (self.encoder, self.tokens, self.session)
        return [variable for part in parts for variable in part.trainable_variables]

    def inputs(self, rows: Examples, rng: np.random.Generator) -> Features:
        """Adds the newest clicks, some of them hidden."""
        found = rows.inputs | rows.look_back()
        count = len(rows)
        keep = np.where(rng.random(count) < self._forget, 0, schema.RECENT_CLICKS)
        new = np.where(rng.random(count) < _EMPTY_SHARE, 0, rng.geometric(1 / _NEW_CLICKS, count))
        keep = np.where(found["user_id"][:, 0] < FIRST_KNOWN_CODE, new, keep)
        found[_HISTORY] = rng.random((count, 1)) >= self._forget_history
        hidden = np.arange(schema.RECENT_CLICKS) >= keep[:, None]
        found["recent_items"] = np.where(hidden, schema.NO_ITEM, found["recent_items"])
        found["recent_ages"] = np.where(hidden, np.float32(0), found["recent_ages"])
        return found

    def tower(self, query: mm.Encoder) -> SessionQuery:
        """The tower that is served, from one whose user embedding is complete."""
        counted = tf.reduce_sum(tf.cast(self.clicks < self._nothing, tf.int64), axis=1)
        newest = tf.reduce_max(self.moments, axis=1)
        everything = tf.range(self._nothing, dtype=tf.int32)[:, None]
        tokens = self.look_up(self.tokens, everything)[:, 0]
        histories = tf.stack([counted, newest], axis=1)
        return SessionQuery(query, self.session, histories, self.vectors(), tokens, self.gain, self.prior)

    def settle(
        self,
        query: mm.Encoder,
        held: Examples,
        quality: Callable[[SessionQuery], float],
        prior: Callable[[SessionQuery], VisitPrior] | None = None,
    ) -> None:
        """Says what a visit means, where visits are too rare to learn from.

        Takes the greatest gain that costs nothing to speak of, and the prior unless it does.

        Args:
            query: The tower of user and context, its user embedding complete.
            held: Rows held out.
            quality: Of a tower on them, the more the better.
            prior: Makes the prior for a tower; None: it stays as it is.
        """
        recent = held.look_back()
        near = (recent["recent_items"] != schema.NO_ITEM) & (recent["recent_ages"] < VISIT_H)
        if np.mean(near.sum(axis=1) > 1) > _COMMON:
            return
        tower = self.tower(query)
        found = {}
        for gain in GAINS:
            tower.gain.assign(gain)
            found[gain] = quality(tower)
        self.gain = max(gain for gain in GAINS if found[gain] >= _FREE * found[0.0])
        if prior is None:
            return
        self.prior = prior(self.tower(query))
        if quality(self.tower(query)) < _FREE * found[0.0]:
            self.prior = None

    def _others(self, user: tf.Tensor, own: tf.Tensor, now: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The users' clicks, int32 [B, length], and which of them do not tell the row."""
        clicks, moments = tf.gather(self.clicks, user), tf.gather(self.moments, user)
        telling = (moments >= now) & (moments < now + _SESSION_S) | first_match(clicks, own) & (
            moments == now
        )
        return clicks, (clicks < self._nothing) & ~telling


@dataclass(frozen=True)
class _Names:
    column_names: list[str]


class SessionQuery(tf.Module):
    """The query tower as it is served.

    The user embedding holds what the clicks up to the end of training say. Those since then are added to that
    sum, at the same scale, so a user's taste goes on being learned between two trainings; for a new visitor
    they are the whole sum. The session encoder's answer comes on top.
    Several clicks within half an hour are a visit, and may be about something else than the user's past. How
    much more they count is what a shop's data tell the encoder, where there are visits. Where they are rare,
    the data cannot tell; a visit then gets the greatest gain that costs nothing on rows held out. With a gain
    of g, each of n simultaneous clicks counts for 1 + g (n - 1).

    Args:
        base: The tower of user and context, its user embedding complete.
        session: Reads the newest clicks.
        histories: Of each user code, how many clicks its embedding holds and the unix second of the newest,
            int64 [users, 2].
        vectors: The history's vector of each item, float32 [n, 64].
        tokens: The session encoder's vector of each item, float32 [n, width].
        gain: Of clicks that follow each other within half an hour.
        prior: What such clicks say at least; None: nothing.
    """

    def __init__(  # noqa: PLR0917 - its parts
        self,
        base: mm.Encoder,
        session: SessionEncoder,
        histories: np.ndarray,
        vectors: np.ndarray,
        tokens: np.ndarray,
        gain: float = 0.0,
        prior: VisitPrior | None = None,
    ) -> None:
        super().__init__(name="session_query")
        self.base, self.session = base, session
        self.histories = tf.Variable(histories, trainable=False, name="histories")
        self.item_vectors = tf.Variable(vectors, trainable=False, name="item_vectors")
        self.item_tokens = tf.Variable(tokens, trainable=False, name="item_tokens")
        self.gain = tf.Variable(gain, trainable=False, name="gain")
        self.shift = VisitShift(prior or VisitPrior.none(len(tokens)))
        self.schema = _Names([*base.schema.column_names, *schema.RECENT_FEATURES, "timestamp"])

    @property
    def variables(self) -> list[tf.Variable]:
        """The base tower's first, in its own order."""
        tables = [self.gain, *self.shift.tables, self.histories, self.item_vectors, self.item_tokens]
        return [*self.base.variables, *self.session.variables, *tables]

    def __call__(self, inputs: Tensors, training: bool = False) -> tf.Tensor:
        """float32 [rows, 64] of user and context features, `schema.RECENT_FEATURES` and timestamp."""
        items = inputs["recent_items"]
        there = (items >= 0) & (items < self.item_tokens.shape[0])
        items = tf.where(there, items, 0)
        embedding = feature_sum(self.base, inputs, training) + self._since(inputs, items, there)
        embedding += self.session(
            tf.gather(self.item_tokens, items), inputs["recent_ages"], there, embedding, training=training
        )
        user = finish(self.base, embedding, training)
        return self.shift(user, items, visit_weights(inputs["recent_ages"], there))

    def _since(self, inputs: Tensors, items: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
        """What the clicks since training change about the user embedding, float32 [rows, 64]."""
        user = inputs["user_id"][:, 0]
        known = tf.gather(self.histories, user)
        age_s = tf.cast(tf.round(inputs["recent_ages"] * _HOUR_S), tf.int64)
        fresh = there & (inputs["timestamp"] - age_s > known[:, 1:] + _SAME_CLICK_S)
        old = tf.cast(known[:, :1], tf.float32)
        weights = tf.cast(fresh, tf.float32)
        near = visit_weights(inputs["recent_ages"], fresh)
        visit = near * tf.maximum(tf.reduce_sum(near, axis=1, keepdims=True) - 1.0, 0.0)
        # A new visitor has no past that a visit could stand out from.
        weights += tf.where(old > 0, self.gain, 0.0) * visit
        total = tf.maximum(old + tf.reduce_sum(weights, axis=1, keepdims=True), 1.0)
        added = tf.einsum("blw,bl->bw", tf.gather(self.item_vectors, items), weights) / tf.sqrt(total)
        user_embedding = tf.gather(blocks.embedding_tables(self.base)["user_id"], user)
        return added + tf.where(old > 0, tf.sqrt(old / total) - 1.0, 0.0) * user_embedding
