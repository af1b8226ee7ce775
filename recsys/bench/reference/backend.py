"""Triton's Python backend for the five models that the reference replaces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from recsys.serving import python_backend
from recsys.serving.graph import Model
from recsys.serving.stage import Stage
from recsys.settings import get_settings

WORKFLOWS_PARAMETER: Final = "workflows"
HOME_PARAMETER: Final = "home"


class TritonPythonModel(python_backend.TritonPythonModel):
    """The adapter of all models, over a stage of the reference."""

    def load_stage(self, model: Model, artefacts: Path, parameters: Mapping[str, str]) -> Stage:
        """The reference's stage in place of the project's.

        Args:
            model: Which model.
            artefacts: Folder of the release.
            parameters: Of the model's config: `WORKFLOWS_PARAMETER` and `HOME_PARAMETER` among them.
        """
        if model.name.startswith("nvt_"):
            from recsys.bench.reference import transform

            return transform.load(model.name, Path(parameters[WORKFLOWS_PARAMETER]))
        from recsys.bench.reference import lookup

        settings = get_settings().model_copy(update={"home": Path(parameters[HOME_PARAMETER])})
        return lookup.load(model.name, artefacts, settings)
