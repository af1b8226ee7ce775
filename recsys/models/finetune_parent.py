"""The release that a fine-tuning starts from: its recipe, vocabularies, catalogue and weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from recsys import schema
from recsys.errors import BadData
from recsys.features.workflows import Workflows, load
from recsys.models.examples import Catalogue
from recsys.models.towers import SAVEDMODELS
from recsys.settings import TrainingSettings


@dataclass(frozen=True)
class Parent:
    """What a release keeps for a later fine-tuning.

    Attributes:
        path: The release's folder.
        training: The settings that its models were built with.
        workflows: Its fitted workflows.
        catalogue: Its items, in the order of its item indexes.
    """

    path: Path
    training: TrainingSettings
    workflows: Workflows
    catalogue: Catalogue

    @classmethod
    def load(cls, release_dir: Path) -> Parent:
        """Reads a release.

        Raises:
            BadData: It keeps nothing to start from, as those of older versions do.
        """
        recipe = release_dir / schema.RECIPE_FILE
        if not recipe.is_file():
            raise BadData(str(recipe), "the release keeps nothing to start from", "Train it fully once more")
        training = TrainingSettings.model_validate_json(recipe.read_bytes())
        workflows = load(release_dir / schema.FITTED_WORKFLOWS_DIR)
        tables = [
            np.load(release_dir / file)
            for file in (schema.IMAGE_EMBEDDINGS_FILE, schema.TEXT_EMBEDDINGS_FILE)
        ]
        catalogue = Catalogue.build(catalogue_items(release_dir), workflows, *tables)
        return cls(release_dir, training, workflows, catalogue)

    def weights(self, model: str) -> Sequence[tf.Variable]:
        """The trained variables of one of its SavedModels, in the model's own order.

        Args:
            model: `query_tower`, `candidate_tower` or `dlrm`.

        Raises:
            BadData: It is not there.
        """
        path = self.path / SAVEDMODELS / model
        if not path.is_dir():
            raise BadData(str(path), "there is no such SavedModel", "Train the release fully once more")
        kept = tf.saved_model.load(str(path)).kept
        # A ranker keeps the towers that it builds on beside its own variables.
        found: Sequence[tf.Variable] = kept[0] if model == "dlrm" else kept
        return found


def catalogue_items(release_dir: Path) -> pd.DataFrame:
    """A release's raw items, columns of `schema.ITEM_RAW`, in the order of its item indexes."""
    with np.load(release_dir / schema.ITEM_FEATURES_FILE, allow_pickle=False) as raw:
        return pd.DataFrame({name: raw[name] for name in schema.ITEM_RAW})


def restore(variables: Sequence[tf.Variable], saved: Sequence[tf.Variable], what: str) -> None:
    """Gives a newly built model the saved weights.

    Args:
        variables: Of the model, built with the settings of the saved one.
        saved: Of `Parent.weights`.
        what: The model's name.

    Raises:
        BadData: Their names or shapes differ: the code builds another model than it did then.
    """
    ours, theirs = ([(_name(one), tuple(one.shape)) for one in some] for some in (variables, saved))
    if ours != theirs:
        differ = next((pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]), None)
        cause = f"it was built another way ({differ or f'{len(ours)} and {len(theirs)} variables'})"
        raise BadData(what, cause, "Train the release fully once more")
    for variable, value in zip(variables, saved, strict=True):
        variable.assign(value)


def _name(variable: tf.Variable) -> str:
    """Its name without the numbers that Keras appends by what else the process has built."""
    return re.sub(r"_\d+(?=[/:])", "", variable.name)
