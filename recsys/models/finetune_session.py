"""What a fine-tuning takes over from its parent's session tower, and which clicks its rows look back on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
import tensorflow as tf

from recsys import schema
from recsys.features.recents import ClickLog
from recsys.models.click_state import ClickState
from recsys.models.examples import FIRST_KNOWN_CODE, Catalogue, Examples
from recsys.models.finetune_parent import Parent, Weight, restore
from recsys.models.session import SessionEncoder
from recsys.models.session_query import SessionHistory
from recsys.models.two_tower import session_encoder
from recsys.models.visit_prior import VisitPrior
from recsys.settings import TrainingSettings

INDEX: Final = "item_index"
"""The one input of what stands in for an item encoder."""

_GAIN: Final = "gain"
"""First of a session tower's variables after the encoder's; then the visit prior's, histories, and items."""

_PRIOR: Final = "visit_"


@dataclass(frozen=True)
class _Names:
    column_names: list[str]


class ItemVectors:
    """Stands in for an item encoder: looks vectors up by the item's index.

    Args:
        vectors: float32 [n, width].
        trainable: Whether training changes them.
    """

    def __init__(self, vectors: np.ndarray, trainable: bool) -> None:
        self.table = tf.Variable(vectors, trainable=trainable, name="item_vectors")
        self.trainable_variables = [self.table] if trainable else []
        self.schema = _Names([INDEX])

    def __call__(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """float32 [rows, width] of item indexes [rows, 1]."""
        del training  # there is nothing that training does differently
        return tf.gather(self.table, inputs[INDEX][:, 0])


@dataclass(frozen=True)
class SessionParts:
    """What reads the newest clicks.

    Attributes:
        tokens: The session encoder's vector of each item.
        session: The encoder.
        forget: Share of rows whose newest clicks are hidden, in training.
        gain: Of the parent's tower.
        prior: Of the parent's tower; None where it has none.
    """

    tokens: ItemVectors
    session: SessionEncoder
    forget: float
    gain: float
    prior: VisitPrior | None = None

    @classmethod
    def restored(
        cls, saved: Sequence[Weight], recipe: TrainingSettings, catalogue: Catalogue
    ) -> SessionParts:
        """Takes over what was trained.

        Args:
            saved: Of the parent's query tower, what follows the base tower's.
            recipe: The parent's.
            catalogue: Its items, those added since its training among them.

        Raises:
            BadData: The weights do not fit the encoder that the recipe builds.
        """
        session = session_encoder(recipe.retrieval, recipe.seed)
        wide = tf.zeros((1, 1, recipe.retrieval.session_width))
        session(wide, tf.zeros((1, 1)), tf.ones((1, 1), tf.bool), tf.zeros((1, schema.EMBEDDING_DIM)))
        at = next((at for at, one in enumerate(saved) if one.name == _GAIN), len(saved))
        restore(session.variables, saved[:at], "session encoder")
        tokens = ItemVectors(saved[-1].value, trainable=True)
        tables = [one.value for one in saved[at:] if one.name.startswith(_PRIOR)]
        category = catalogue.inputs["category_l1"][:, 0]
        prior = VisitPrior(*tables).with_categories(category) if tables else None
        return cls(tokens, session, recipe.retrieval.session_forget, float(saved[at].value), prior)

    def history(self, vectors: ItemVectors, catalogue: Catalogue, state: ClickState) -> SessionHistory:
        """The users' clicks of a state, read by these parts."""
        made = SessionHistory(
            vectors,
            catalogue,
            tf.constant(state.clicks),
            moments=tf.constant(state.moments),
            tokens=self.tokens,
            session=self.session,
            forget=self.forget,
        )
        made.gain, made.prior = self.gain, self.prior
        return made


def with_known_clicks(parent: Parent, examples: Examples) -> Examples:
    """Rows of a fine-tuning that look back on what the parent knew of their users, too."""
    state = parent.click_state()
    if state is None or state.moments is None:
        return examples
    return replace(examples, log=_log(state, examples, parent.catalogue))


def _log(state: ClickState, examples: Examples, catalogue: Catalogue) -> ClickLog:
    visitor = np.full(len(examples), schema.UNKNOWN) if examples.visitor is None else examples.visitor
    code = examples.inputs["user_id"][:, 0]
    known = pd.DataFrame({"user_id": visitor, "code": code})[code >= FIRST_KNOWN_CODE]
    known = known.drop_duplicates("code")
    clicks, moments = state.clicks[known["code"]], state.moments[known["code"]]  # type: ignore[index]  # given
    there = clicks < len(catalogue)
    earlier = pd.DataFrame(
        {
            "user_id": np.repeat(known["user_id"].to_numpy(), there.sum(axis=1)),
            "item_id": catalogue.item_ids[clicks[there]],
            "timestamp": moments[there],
        }
    )
    clicked = examples.click == 1
    own = pd.DataFrame(
        {
            "user_id": visitor[clicked],
            "item_id": catalogue.item_ids[examples.item[clicked]],
            "timestamp": examples.timestamp[clicked],
        }
    )
    return ClickLog.build(pd.concat([earlier, own], ignore_index=True), catalogue.item_ids)
