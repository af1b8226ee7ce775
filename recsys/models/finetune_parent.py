"""The release that a fine-tuning starts from: its recipe, vocabularies, catalogue and weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from recsys import schema
from recsys.errors import BadData
from recsys.features.daily import training_recipe
from recsys.features.workflows import Workflows, load
from recsys.models.click_state import ClickState
from recsys.models.examples import Catalogue
from recsys.models.towers import SAVEDMODELS
from recsys.serving.onnx_model import OnnxModel
from recsys.settings import TrainingSettings

_ROWS: Final = 4_096
_GRAPH: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclass(frozen=True)
class Weight:
    """A saved variable: its name in the model, and its value."""

    name: str
    value: np.ndarray


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
        training = training_recipe(release_dir)
        workflows = load(release_dir / schema.FITTED_WORKFLOWS_DIR)
        tables = [
            np.load(release_dir / file)
            for file in (schema.IMAGE_EMBEDDINGS_FILE, schema.TEXT_EMBEDDINGS_FILE)
        ]
        catalogue = Catalogue.build(catalogue_items(release_dir), workflows, *tables)
        return cls(release_dir, training, workflows, catalogue)

    def weights(self, model: str) -> list[Weight]:
        """The trained variables of one of its SavedModels, in the model's own order.

        Read from the file of variables alone: loading the functions too takes seconds.

        Args:
            model: `query_tower`, `candidate_tower` or `dlrm`.

        Raises:
            BadData: It is not there, or not as `recsys.models.export` writes it.
        """
        # A ranker keeps the towers that it builds on beside its own variables.
        return self._stored(model, ("kept", "0") if model == "dlrm" else ("kept",))

    def learned(self) -> list[np.ndarray]:
        """Its ranker's variables and numbers; empty in a release of before they were kept together."""
        try:
            return [weight.value for weight in self._stored("dlrm", ("learned",))]
        except BadData:
            return []

    def _stored(self, model: str, names: Sequence[str]) -> list[Weight]:
        """The variables in a list that a SavedModel holds under these names, one within the other."""
        path = self.path / SAVEDMODELS / model
        try:
            reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
            nodes = TrackableObjectGraph.FromString(reader.get_tensor(_GRAPH)).nodes
            held = nodes[0]
            for name in names:
                held = _child(nodes, held, name)
            stored = [nodes[one.node_id].attributes[0] for one in _in_order(held.children)]
            return [Weight(one.full_name, reader.get_tensor(one.checkpoint_key)) for one in stored]
        except (tf.errors.OpError, LookupError) as error:
            fix = "Train the release fully once more"
            raise BadData(str(path), "there is no SavedModel with its variables", fix) from error

    def click_state(self) -> ClickState | None:
        """Its users' clicks, with a vector for each item that was added since its training."""
        state = ClickState.load(self.path)
        if state is None or len(state.vectors) == len(self.catalogue):
            return state
        nothing = len(state.vectors)
        clicks = np.where(state.clicks == nothing, np.int32(len(self.catalogue)), state.clicks)
        return replace(state, vectors=self.widened(state.vectors), clicks=clicks)

    def widened(self, table: np.ndarray) -> np.ndarray:
        """A table of the items trained on, with rows for those added since: the row of the item most alike.

        Args:
            table: [n, width], n the items that training knew.
        """
        embeddings = self.item_embeddings()
        unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
        like = np.argmax(unit[len(table) :] @ unit[: len(table)].T, axis=1)
        return np.concatenate([table, table[like]])

    def item_embeddings(self) -> np.ndarray:
        """Its items' embeddings by its exported candidate tower, float32 [n, 64]."""
        names = (*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES)
        tower = OnnxModel(self.path / schema.CANDIDATE_TOWER_ONNX, "item_embedding", names)
        return np.concatenate(
            [
                tower.run({name: column[at : at + _ROWS] for name, column in self.catalogue.inputs.items()})
                for at in range(0, len(self.catalogue), _ROWS)
            ]
        )


def catalogue_items(release_dir: Path) -> pd.DataFrame:
    """A release's raw items, columns of `schema.ITEM_RAW`, in the order of its item indexes."""
    with np.load(release_dir / schema.ITEM_FEATURES_FILE, allow_pickle=False) as raw:
        return pd.DataFrame({name: raw[name] for name in schema.ITEM_RAW})


def restore(variables: Sequence[tf.Variable], saved: Sequence[Weight], what: str) -> None:
    """Gives a newly built model the saved weights.

    Args:
        variables: Of the model, built with the settings of the saved one.
        saved: Of `Parent.weights`.
        what: The model's name.

    Raises:
        BadData: Their names or shapes differ: the code builds another model than it did then.
    """
    ours = [(_stem(variable.name), tuple(variable.shape)) for variable in variables]
    theirs = [(_stem(weight.name), weight.value.shape) for weight in saved]
    if ours != theirs:
        differ = next((pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]), None)
        cause = f"it was built another way ({differ or f'{len(ours)} and {len(theirs)} variables'})"
        raise BadData(what, cause, "Train the release fully once more")
    for variable, weight in zip(variables, saved, strict=True):
        variable.assign(weight.value)


def _stem(name: str) -> str:
    """A variable's name without the numbers that Keras appends by what else the process has built."""
    return re.sub(r"_\d+(?=/|$)", "", name.partition(":")[0])


def _child(nodes: Any, node: Any, name: str) -> Any:
    """The object that another one holds under a name.

    Raises:
        LookupError: There is none.
    """
    for one in node.children:
        if one.local_name == name:
            return nodes[one.node_id]
    raise LookupError(name)


def _in_order(children: Any) -> list[Any]:
    """A list's elements; their names are their positions."""
    return sorted(children, key=lambda one: int(one.local_name))
