"""What a stage is, and how one is loaded by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from recsys.serving.graph import MODELS, Model

if TYPE_CHECKING:  # most stages never ask Valkey
    from recsys.serving.store import Store

Arrays = dict[str, np.ndarray]
"""Named arrays whose first dimension is the batch."""


class Stage(Protocol):
    """A loaded stage: a function of arrays."""

    def run(self, inputs: Arrays) -> Arrays:
        """Compute the model's outputs.

        Args:
            inputs: Every input of the model by its name there, [B, ...] each, B >= 1.

        Returns:
            Every output of the model by its name there, with the same B.
        """
        ...


def load_stage(
    model: Model, artefacts: Path, parameters: Mapping[str, str], store: Store | None = None
) -> Stage:
    """Load the stage of a model.

    Args:
        model: Which one.
        artefacts: Folder of one release.
        parameters: The model's own parameters, as text.
        store: Valkey, for the stages that ask it; without it they answer from their fallback.

    Raises:
        RecsysError: An artefact is missing or damaged.
    """
    module = import_module(model.module or f"recsys.serving.stages.{model.name}")
    asked = (store,) if model.store else ()
    stage: Stage = module.load(artefacts, parameters, *asked)
    return stage


def load_stages(
    artefacts: Path, parameters: Mapping[str, str], store: Store | None = None
) -> list[tuple[Model, Stage]]:
    """Load the stages of all fourteen models into this process, in the order in which they run.

    Args:
        artefacts: Folder of one release.
        parameters: Every model's parameters, as text.
        store: Valkey; without it the stages that ask it answer from their fallback.

    Raises:
        RecsysError: An artefact is missing or damaged.
    """
    return [(model, load_stage(model, artefacts, parameters, store)) for model in MODELS]


def run_stage(model: Model, stage: Stage, tensors: Arrays) -> Arrays:
    """Run one stage on the graph's tensors.

    Args:
        model: Whose stage it is.
        stage: The stage.
        tensors: At least those that the model reads, by their names in the graph.

    Returns:
        What the model makes, by the names in the graph.
    """
    outputs = stage.run({port: tensors[name] for port, name in model.inputs.items()})
    return {name: outputs[port] for port, name in model.outputs.items()}


def close_stages(stages: Iterable[Stage]) -> None:
    """Stop what stages run in the background."""
    for stage in stages:
        if close := getattr(stage, "close", None):
            close()
