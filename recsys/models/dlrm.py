"""Ranking: Merlin's DLRM, which corrects retrieval's score for what is shown beside what.

Why it ranks better than the usual recipe (binary cross-entropy on in-batch negatives):

* It has negatives. Merlin's `InBatchNegatives` as a model's `pre` adds none in graph mode and says nothing;
  here they are drawn in the training step itself (`recsys.models.negatives`).
* They are what it will have to tell apart: mostly items that retrieval would show, some popular, some random.
* The loss is the list's: the click among its negatives, each corrected for how often it is drawn.
* It starts from retrieval's score, made in its own graph from the user embedding, and learns what that lacks:
  so its order is retrieval's where there is nothing to add, and rows held out decide how much of the
  correction to trust.
* Where the data has exposures, what was shown and passed over teaches it too.
* What the newest clicks say is fitted on rows that retrieval has not seen (`recsys.models.intent_fit`): on
  its own training rows retrieval looks so good that nothing could be learned beside it.
* Its score is calibrated on such rows too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import merlin.models.tf as mm
import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.schema import Tags
from numpy.typing import NDArray

from recsys import schema
from recsys.features.row_file import RowFile
from recsys.features.workflows import Workflows
from recsys.models import blocks, heads
from recsys.models.columns import columns
from recsys.models.correction import finished
from recsys.models.example_store import newest_examples
from recsys.models.examples import Catalogue, hold_out
from recsys.models.fit import History, Progress
from recsys.models.heads import Heads
from recsys.models.intent import RECENT, Intent
from recsys.models.ranking import RankingTrainer
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
    """A trained ranker.

    Attributes:
        model: Merlin's DLRM; puts out a logit, float32 [rows, 1], and beside it those of the heads.
        towers: Retrieval, whose score the logit is added to; None: the logit stands alone.
        level: What is taken from retrieval's score, so that a random item has about 0.
        intent: What the newest clicks add; None: nothing.
        slope: Of the calibrated logit; see `recsys.models.correction`.
        offset: Of it.
        heads: What becomes of a click; None: the data does not tell.
        history: How each epoch went; see `recsys.models.fit.History`.
    """

    model: mm.Model
    towers: Towers | None = None
    level: float = 0.0
    intent: Intent | None = None
    slope: float = 1.0
    offset: float = 0.0
    heads: Heads | None = None
    history: History = field(default_factory=list)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it scores: `FEATURES`, and of the query tower's output and newest clicks what it builds on."""
        tower = () if self.towers is None else ("user_embedding",)
        told = (schema.ITEM_POPULARITY,) if self.intent is not None and self.intent.popularity else ()
        return (*FEATURES, *told, *tower, *(() if self.intent is None else RECENT))

    @property
    def variables(self) -> list[tf.Variable]:
        """The model's, and those of what the newest clicks add."""
        return [*self.model.variables, *([] if self.intent is None else self.intent.weights)]

    @property
    def numbers(self) -> list[NDArray[np.float32]]:
        """What was found beside the variables, and stands in the graph itself."""
        found: list[Any] = [self.level, self.slope, self.offset]
        if self.heads is not None:
            for weights, offset in zip(self.heads.weights, self.heads.offset, strict=True):
                found += [weights[0], weights[1:], offset]
        return [np.asarray(each, np.float32) for each in found]

    def score(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Click score in 0..1, float32 [rows, 1], of `inputs`, tiled to the same rows.

        It is a softsign of the calibrated logit: the sigmoid of that is the chance that an item is the one
        clicked, when the other choice is an item taken at random. It is not that sigmoid itself, which in
        float32 is 1 from a logit of 17 on, so that the best items would tie.
        """
        return self.outputs(inputs)["score"]

    def outputs(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """All that it says, float32 [rows, 1] each.

        Returns:
            `score`, in 0..1. With heads also `click`, the same of the click alone, and `cart` and `purchase`:
            the chance that a click goes so far.
        """
        logits, features, click = self._parts(inputs)
        line = self.slope * click + self.offset
        if self.heads is None:
            return {"score": _share(line)}
        chances = self.heads.chances(logits, features)
        worth = line + self.heads.log_worth(chances) if self.heads.are_worth else line
        return {"score": _share(worth), "click": _share(line), **chances}

    def logit(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """What the click's score is made of before it is calibrated, float32 [rows, 1]."""
        return self._parts(inputs)[2]

    def head_logits(self, inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor | None]:
        """What heads are made of: their own logits [rows, heads], and the newest clicks' features."""
        logits, features, _ = self._parts(inputs)
        return logits[:, 1:], features

    def _parts(self, inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]:
        """The last layer's logits, the newest clicks' features (None without), and the click's logit."""
        logits = self.model({name: inputs[name] for name in FEATURES})
        click = logits if logits.shape[-1] == 1 else heads.column(logits, 0)
        if self.towers is None:
            return logits, None, click
        vector = self.towers.vector(inputs)
        retrieved = tf.reduce_sum(inputs["user_embedding"] * vector, axis=1, keepdims=True)
        click += retrieved - self.level
        if self.intent is None:
            return logits, None, click
        item = {**inputs, "item_vector": vector}
        features = self.intent.features(self.intent.user(item), item)
        return logits, features, click + self.intent.added(features, retrieved)


def _share(logit: tf.Tensor) -> tf.Tensor:
    return 0.5 + 0.5 * tf.nn.softsign(logit)


def build(workflows: Workflows, settings: RankingSettings, seed: int, others: int = 0) -> mm.Model:
    """Builds the untrained model: Merlin's `DLRMModel`, or its `DCNModel`, with a logit as output.

    DCN-v2 (Wang et al., 2021) crosses all columns with each other instead of multiplying category vectors
    pair by pair. It goes by the same names and files; only the form that computes the user's part once
    (`recsys.release.dlrm_broadcast`) is not made of it, so it is slower to serve.

    Args:
        workflows: Fitted; they say how many codes each category has.
        settings: Which of the two, and its widths.
        seed: Of the initial weights.
        others: Heads beside the click's: further columns of the last layer.
    """
    tf.keras.utils.set_random_seed(seed)
    inputs = columns(workflows, FEATURES, embeddings_as=Tags.CONTINUOUS)
    categories = blocks.embeddings(inputs.select_by_tag(Tags.CATEGORICAL), seed, settings.embedding_dim)
    output = mm.BinaryOutput(
        "click",
        to_call=tf.keras.layers.Dense(1 + others, name=blocks.LOGIT),  # `Ranker.score` brings it into 0..1
        default_loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
    )
    top = mm.MLPBlock(list(settings.top))
    if settings.model == "dcn-v2":
        return mm.DCNModel(
            inputs,
            depth=settings.cross_layers,
            deep_block=top,
            input_block=mm.InputBlockV2(inputs, categorical=categories),
            prediction_tasks=output,
        )
    bottom = blocks.network(settings.bottom, settings.embedding_dim)
    return mm.DLRMModel(
        inputs, embeddings=categories, bottom_block=bottom, top_block=top, prediction_tasks=output
    )


def train(  # noqa: PLR0917 - the same order as two_tower.train, and then what comes of it
    rows: pd.DataFrame | RowFile,
    catalogue: Catalogue,
    workflows: Workflows,
    settings: TrainingSettings | None = None,
    progress: Progress = lambda *_: None,
    towers: Path | None = None,
    *,
    half_life_s: float | None = None,
) -> Ranker:
    """Trains the ranker.

    Args:
        rows: Raw training rows, of `recsys.features.training.training_rows`.
        catalogue: All items.
        workflows: The fitted workflows.
        settings: Recipe and seed; the process's by default.
        progress: Told how each epoch went.
        towers: What `recsys.models.export.export_towers` wrote, for the ranker to build on. Without it, it
            ranks alone and learns against popular and random items only.
        half_life_s: Of the popularity that it is told, if it is; the process's by default.

    Returns:
        The model of the epoch that was best on the rows held out.
    """
    settings = settings or get_settings().training
    examples = newest_examples(rows, settings.ranking.newest_rows, catalogue, workflows)
    kept, held = hold_out(
        examples, settings.validation_share, settings.ranking.validation_rows, settings.seed
    )
    retrieval = Towers.load(towers, catalogue) if towers is not None else None
    there = settings.ranking.head_loss > 0 and heads.are_there(kept.event)
    model = build(workflows, settings.ranking, settings.seed, len(schema.HEADS) if there else 0)
    trainer = RankingTrainer(model, catalogue, kept, retrieval, settings)
    history = trainer.run(held, progress)
    ranker = Ranker(model, retrieval, trainer.level, history=history)
    shown = trainer.lists
    return finished(
        ranker, catalogue, held, settings.seed, settings.ranking, shown=shown, half_life_s=half_life_s
    )
