"""One component of a pipeline alone: over a folder of artefacts, without Kubeflow.

    python -m recsys.kubeflow.step train_retrieval /artefacts '{"training": {"seed": 1}}'

What a training job's processes run (`recsys.kubeflow.training_job`), and what `recsys bench train` measures.
"""

from __future__ import annotations

import inspect
import json
import shutil
import sys
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass
class Artefact:
    """Stands in for one of Kubeflow's: a place, and notes on it.

    Attributes:
        path: The place.
        metadata: The notes.
    """

    path: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def log_metric(self, name: str, value: float) -> None:
        """Keeps a figure."""
        self.metadata[name] = value


def run_step(step: str, folder: Path, recipe: dict[str, Any], *, clear: bool = True) -> dict[str, Any]:
    """Runs a component.

    Args:
        step: Name of a module in `components` and of the component in it.
        folder: Artefacts, each under the name of the components' parameter; `source` is the data set as it
            came.
        recipe: Of `recsys.kubeflow.recipe`.
        clear: Whether what an earlier run has put out is removed first.

    Returns:
        All that it noted on its artefacts.
    """
    component = getattr(import_module(f"components.{step}"), step)
    for name in component.component_spec.outputs or {} if clear else {}:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(component.python_func).parameters.items():
        if name == "recipe":
            given[name] = recipe
        elif parameter.annotation is dict:
            given[name] = {}  # the rest is as it is by default
        elif parameter.default is inspect.Parameter.empty:
            given[name] = Artefact(str(folder / name))
    component.python_func(**given)
    noted = (each.metadata for each in given.values() if isinstance(each, Artefact))
    return {key: value for metadata in noted for key, value in metadata.items()}


if __name__ == "__main__":
    from recsys.models.parallel import here

    # First of all: collectives must be set up before anything else of TensorFlow.
    found = run_step(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]), clear=here().is_chief)
    print(json.dumps(found))
