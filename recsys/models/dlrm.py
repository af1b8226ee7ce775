"""Ranking: Merlin's DLRM, trained to put the click before what it would be shown beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import merlin.models.tf as mm
import pandas as pd
import tensorflow as tf
from merlin.schema import Tags

from recsys import schema
from recsys.features.workflows import Workflows
from recsys.models import blocks
from recsys.models.columns import columns
from recsys.models.examples import Catalogue, Examples, hold_out
from recsys.models.fit import History, Progress
from recsys.models.towers import Towers
from recsys.settings import RankingSettings, TrainingSettings, get_settings

FEATURES: Final = (
    *schema.USER_FEATURES,
    *schema.CONTEXT_FEATURES,
    *schema.ITEM_FEATURES,
    *schema.EMBEDDING_FEATURES,
)


@dataclass(frozen=True)
class Ranker:
    """A trained DLRM.

    Attributes:
        model: Merlin's model; puts out the logit, float32 [rows, 1].
        history: How each epoch went; see `recsys.models.fit.History`.
    """

    model: mm.Model
    history: History = field(default_factory=list)

    def score(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Click score in 0..1, float32 [rows, 1], of `FEATURES` tiled to the same rows."""
        return tf.sigmoid(self.model(inputs))


def build(workflows: Workflows, settings: RankingSettings, seed: int) -> mm.Model:
    """Builds the untrained model: Merlin's `DLRMModel` with a logit as output.

    Args:
        workflows: Fitted; they say how many codes each category has.
        settings: Its widths.
        seed: Of the initial weights.
    """
    tf.keras.utils.set_random_seed(seed)
    inputs = columns(workflows, FEATURES, embeddings_as=Tags.CONTINUOUS)
    return mm.DLRMModel(
        inputs,
        embeddings=blocks.embeddings(inputs.select_by_tag(Tags.CATEGORICAL), seed),
        bottom_block=blocks.network(settings.bottom, schema.EMBEDDING_DIM),
        top_block=mm.MLPBlock(list(settings.top)),
        prediction_tasks=mm.BinaryOutput(
            "click",
            to_call=tf.keras.layers.Dense(1),  # the logit: the loss and `Ranker.score` apply the sigmoid
            default_loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
        ),
    )


def warm_start(model: mm.Model, towers: Towers, catalogue: Catalogue) -> None:
    """Starts the ranker's embeddings from retrieval's.

    An item's embedding becomes its whole vector, a user category's that of the query tower, so the sum of
    DLRM's dot products begins near the retrieval score: the ranker refines retrieval's order and need not
    find it anew.

    Args:
        model: A built ranker.
        towers: Trained retrieval.
        catalogue: Which item has which code.
    """
    tables = blocks.embedding_tables(model)
    for name, table in towers.tables.items():
        tables[name].assign(table)
    items = tables["item_id"].numpy()
    items[:] = towers.items.mean(axis=0)  # codes that no item has: an item new to the shop is an average one
    items[catalogue.inputs["item_id"][:, 0]] = towers.items
    tables["item_id"].assign(items)


def train(  # noqa: PLR0917 - the same order as two_tower.train, and then what comes of it
    rows: pd.DataFrame,
    catalogue: Catalogue,
    workflows: Workflows,
    settings: TrainingSettings | None = None,
    progress: Progress = lambda *_: None,
    towers: Path | None = None,
) -> Ranker:
    """Trains the ranker.

    Args:
        rows: Raw training rows, of `recsys.features.training.training_rows`.
        catalogue: All items.
        workflows: The fitted workflows.
        settings: Recipe and seed; the process's by default.
        progress: Told how each epoch went.
        towers: What `recsys.models.export.export_towers` wrote. The ranker then starts from their embeddings
            and learns against what they retrieve; without them, against popular and random items only.

    Returns:
        The model of the epoch that was best on the rows held out.
    """
    from recsys.models.ranking import RankingTrainer

    settings = settings or get_settings().training
    examples = Examples.build(rows, catalogue, workflows)
    kept, held = hold_out(
        examples, settings.validation_share, settings.ranking.validation_rows, settings.seed
    )
    retrieval = Towers.load(towers, catalogue) if towers is not None else None
    model = build(workflows, settings.ranking, settings.seed)
    trainer = RankingTrainer(model, catalogue, kept, retrieval, settings)
    return Ranker(model, trainer.run(held, progress))
