"""Ranking learns new days: the whole DLRM, on top of the fine-tuned query tower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from recsys import schema
from recsys.models import dlrm, export
from recsys.models.correction import finished
from recsys.models.dlrm import Ranker
from recsys.models.examples import Examples, hold_out, newest
from recsys.models.finetune_parent import Parent, restore
from recsys.models.finetune_session import with_known_clicks
from recsys.models.fit import Progress
from recsys.models.ranking import RankingTrainer, tensors, tile
from recsys.models.towers import Towers
from recsys.settings import FinetuneSettings


def tune(
    parent: Parent,
    rows: pd.DataFrame,
    retrieval: Towers,
    settings: FinetuneSettings,
    progress: Progress = lambda *_: None,
) -> Ranker:
    """Trains the parent's ranker on new days.

    Args:
        parent: The release to start from.
        rows: Raw rows of the new days and the replayed ones.
        retrieval: The fine-tuned query tower as it was before the rows held out entered the click histories,
            `TunedQuery.before_held`, and the parent's candidate tower.
        settings: Epochs and rate.
        progress: Told how each epoch went.

    Returns:
        The ranker; rows held out decide how much of its correction is kept.

    Raises:
        BadData: The parent's weights do not fit the model that its recipe builds.
    """
    ranking = parent.training.ranking.model_copy(update=settings.ranking.model_dump())
    recipe = parent.training.model_copy(update={"ranking": ranking})
    examples = newest(Examples.build(rows, parent.catalogue, parent.workflows), ranking.newest_rows)
    examples = with_known_clicks(parent, examples)
    kept, held = hold_out(examples, recipe.validation_share, ranking.validation_rows, recipe.seed)
    saved = parent.weights("dlrm")
    last = [each.value for each in saved if each.name.endswith("kernel")][-1]
    others = last.shape[1] - 1
    if not others:  # it was trained without heads
        ranking = ranking.model_copy(update={"head_loss": 0.0})
        recipe = recipe.model_copy(update={"ranking": ranking})
    model = dlrm.build(parent.workflows, ranking, recipe.seed, others)
    trainer = RankingTrainer(model, parent.catalogue, kept, retrieval, recipe)
    items = {name: tf.constant(column) for name, column in parent.catalogue.inputs.items()}
    one = tile(tensors(kept.take(np.arange(1))), items, tf.zeros((1, 1), tf.int64))
    model(one)  # builds its variables
    restore(model.variables, saved, "ranker")
    trainer.make_ready()
    history = trainer.run(held, progress)
    ranker = Ranker(model, retrieval, trainer.level, history=history)
    return finished(ranker, parent.catalogue, held, recipe.seed, ranking, shown=trainer.lists)


def export_tuned(tuned: Ranker, parent: Parent, out_dir: Path) -> None:
    """Writes what `recsys.models.export.export_ranker` does, from the parent's file where that is possible.

    Args:
        tuned: Of `tune`.
        parent: The release that learned.
        out_dir: The folder to fill.

    Raises:
        RecsysError: The ONNX file does not compute what the model does.
    """
    export.export_ranker(tuned, out_dir, export.Like(parent.path / schema.DLRM_ONNX, parent.learned()))
