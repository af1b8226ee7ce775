"""Retrieval learns new days: the query tower only, so that items, their embeddings and the index stay.

What the tower learns is where each user stands among items that do not move. Most of a day's news is in the
clicks themselves: they enter the users' click histories at once, and the vectors that clicks are read by, the
other features' embeddings and the network follow in a few epochs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import merlin.models.tf as mm
import numpy as np
import pandas as pd
import tensorflow as tf

from recsys import schema
from recsys.models import blocks, export, two_tower
from recsys.models.click_state import ClickState
from recsys.models.examples import Catalogue, Examples, hold_out
from recsys.models.finetune_parent import Parent, restore
from recsys.models.finetune_session import INDEX, ItemVectors, SessionParts, with_known_clicks
from recsys.models.fit import History, Progress
from recsys.models.history import ClickHistory, newest_clicks, newest_moments
from recsys.models.retrieval import RetrievalTrainer, embed, input_names
from recsys.models.session_query import SessionQuery
from recsys.models.towers import SAVEDMODELS, InMemory
from recsys.settings import FinetuneSettings, TrainingSettings


@dataclass(frozen=True)
class Watched:
    """A query tower as it was before the clicks that watched its training entered the histories.

    Attributes:
        query: The tower; it shares all weights with the completed one but for the user embeddings.
        users: Those embeddings, float32 [users, 64].
    """

    query: mm.Encoder | SessionQuery
    users: np.ndarray


@dataclass(frozen=True)
class TunedQuery:
    """A fine-tuned query tower.

    Attributes:
        query: The tower.
        state: The click histories as they are now; None where the parent has none.
        history: How each epoch went.
        watched: It without the clicks that were held out; None where there are no histories.
    """

    query: mm.Encoder | SessionQuery
    state: ClickState | None
    history: History = field(default_factory=list)
    watched: Watched | None = None

    @contextmanager
    def before_held(self) -> Iterator[InMemory]:
        """The tower that does not know the rows held out, for a ranker that is judged by them.

        With their clicks in the histories retrieval finds these rows far better than it will find tomorrow's,
        and whatever is judged by them learns that nothing but retrieval matters. Within the block the
        completed tower is not to be used.
        """
        if self.watched is None:
            yield _in_memory(self.query)
            return
        table = _users(_base(self.query))
        completed = table.numpy()
        table.assign(self.watched.users)
        try:
            yield _in_memory(self.watched.query)
        finally:
            table.assign(completed)


@dataclass(frozen=True)
class _Encoders:
    query_encoder: mm.Encoder
    candidate_encoder: Any


def tune(
    parent: Parent,
    rows: pd.DataFrame,
    settings: FinetuneSettings,
    progress: Progress = lambda *_: None,
) -> TunedQuery:
    """Trains the parent's query tower on new days.

    Args:
        parent: The release to start from.
        rows: Raw rows with `replayed`; only clicks count, and only those that are not replayed are new.
        settings: Epochs and rate.
        progress: Told how each epoch went.

    Returns:
        The tower, its user embeddings completed with all clicks.

    Raises:
        BadData: The parent's weights do not fit the model that its recipe builds.
    """
    recipe = _recipe(parent.training, settings)
    clicked = rows[rows["click"] == 1]
    examples = Examples.build(clicked, parent.catalogue, parent.workflows)
    examples = with_known_clicks(parent, examples)
    kept, held = hold_out(examples, recipe.validation_share, recipe.validation_rows, recipe.seed)
    query, session = _restored(parent, examples, recipe)
    items = parent.item_embeddings()
    new = examples.take(~clicked["replayed"].to_numpy())
    histories = _Histories.of(parent, new, held, session)
    if histories is not None:
        histories.take_out(query)
    trainer = RetrievalTrainer(
        _Encoders(query, ItemVectors(items, trainable=False)),
        None if histories is None else histories.watched,
        _by_index(parent.catalogue),
        kept,
        recipe,
    )
    trainer.make_ready()
    history = trainer.run(held, progress)
    if histories is None:
        return TunedQuery(query, None, history)
    watched = Watched(histories.watched.tower(query), _users(query).numpy())
    state = histories.complete(query)
    return TunedQuery(histories.whole.tower(query), state, history, watched)


def export_tuned(tuned: TunedQuery, parent: Parent, out_dir: Path) -> None:
    """Writes what `recsys.models.export.export_towers` does; the candidate tower is a copy of the parent's.

    Args:
        tuned: Of `tune`.
        parent: The release that learned.
        out_dir: The folder to fill.

    Raises:
        RecsysError: The ONNX file does not compute what the model does.
    """
    weights = [weight.value for weight in parent.weights("query_tower")]
    export.export_query(tuned.query, out_dir, export.Like(parent.path / schema.QUERY_TOWER_ONNX, weights))
    if tuned.state is not None:
        tuned.state.save(out_dir)
    name = Path(schema.CANDIDATE_TOWER_ONNX)
    shutil.copyfile(parent.path / name, out_dir / name)
    shutil.copytree(parent.path / SAVEDMODELS / name.stem, out_dir / SAVEDMODELS / name.stem)


@dataclass(frozen=True)
class _Histories:
    """The clicks before the new days, those to train with, and all.

    What is held out to watch training by must not be in the histories until it is over.
    """

    old: ClickHistory
    watched: ClickHistory
    whole: ClickHistory

    @classmethod
    def of(
        cls, parent: Parent, new: Examples, held: Examples, session: SessionParts | None
    ) -> _Histories | None:
        state = parent.click_state()
        if state is None:
            return None
        users, length = state.clicks.shape
        nothing = len(parent.catalogue)
        vectors, catalogue = ItemVectors(state.vectors, trainable=True), _by_index(parent.catalogue)
        states = [state]
        for some in (new.take(~_is_among(new, held)), new):
            newer = newest_clicks(some, users, length, nothing)
            clicks = state.extended(newer)
            if session is None:
                states.append(ClickState(state.vectors, clicks))
            else:
                moments = state.extended_moments(newer, newest_moments(some, users, length))
                states.append(ClickState(state.vectors, clicks, moments))
        if session is None:
            return cls(*(ClickHistory(vectors, catalogue, tf.constant(one.clicks)) for one in states))
        return cls(*(session.history(vectors, catalogue, one) for one in states))

    def take_out(self, query: mm.Encoder) -> None:
        """Takes what the old clicks say out of the user embeddings; the trainer adds what it trained with."""
        _users(query).assign_sub(self.old.sums())

    def complete(self, query: mm.Encoder) -> ClickState:
        """Puts what all clicks say in the place of what the watched ones do."""
        _users(query).assign_add(self.whole.sums() - self.watched.sums())
        return ClickState.of(self.whole)


def _recipe(training: TrainingSettings, settings: FinetuneSettings) -> TrainingSettings:
    """The parent's recipe with the fine-tuning's epochs and rate."""
    retrieval = training.retrieval.model_copy(update=settings.retrieval.model_dump())
    return training.model_copy(update={"retrieval": retrieval})


def _restored(
    parent: Parent, examples: Examples, recipe: TrainingSettings
) -> tuple[mm.Encoder, SessionParts | None]:
    query = two_tower.build(parent.workflows, recipe.retrieval, recipe.seed).query_encoder
    embed(query, examples.take(np.arange(1)).inputs)  # builds its variables
    saved = parent.weights("query_tower")
    if recipe.retrieval.query_tower != "session":
        restore(query.variables, saved, "query tower")
        return query, None
    base = len(query.variables)
    restore(query.variables, saved[:base], "query tower")
    *parts, tokens = saved[base:]
    parts.append(replace(tokens, value=parent.widened(tokens.value)))  # items may have been added since
    return query, SessionParts.restored(parts, recipe, parent.catalogue)


def _by_index(catalogue: Catalogue) -> Catalogue:
    """The catalogue with the item's index as its only input."""
    return Catalogue(catalogue.item_ids, {INDEX: np.arange(len(catalogue), dtype=np.int64)[:, None]})


def _is_among(rows: Examples, others: Examples) -> np.ndarray:
    """Whether a row is one of the others, bool [rows]."""
    keys = [
        pd.MultiIndex.from_arrays([some.inputs["user_id"][:, 0], some.item, some.timestamp])
        for some in (rows, others)
    ]
    found: np.ndarray = keys[0].isin(keys[1])
    return found


def _base(query: mm.Encoder | SessionQuery) -> mm.Encoder:
    return query.base if isinstance(query, SessionQuery) else query


def _in_memory(query: mm.Encoder | SessionQuery) -> InMemory:
    # As a graph: it is asked for a few dozen rows at a time, hundreds of times.
    return InMemory(input_names(query), tf.function(query, reduce_retracing=True, autograph=False))


def _users(query: mm.Encoder) -> tf.Variable:
    return blocks.embedding_tables(query)["user_id"]
