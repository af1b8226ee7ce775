"""All fourteen stages as one: what `ensemble_fused` runs in a single process of Triton's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recsys.serving.graph import ENSEMBLE_OUTPUTS, PROPENSITIES, Model
from recsys.serving.measurements import Measurement
from recsys.serving.stage import Arrays, Stage, close_stages, load_stages, run_stage

if TYPE_CHECKING:
    from recsys.serving.store import Store


@dataclass(frozen=True)
class FusedEnsemble:
    """The stages of the ensemble, one after the other, their tensors handed on without a copy.

    Attributes:
        stages: Each model with its stage, in the order of the graph.
    """

    stages: list[tuple[Model, Stage]]

    def run(self, inputs: Arrays) -> Arrays:
        """Answer a batch of users.

        Args:
            inputs: user_id int64, device_type int32 and timestamp int64, [B, 1] each.

        Returns:
            ordered_ids int64 [B, N], ordered_scores float32 [B, N] and degraded int32 [B, 1].
        """
        tensors = dict(inputs)
        for model, stage in self.stages:
            tensors |= run_stage(model, stage, tensors)
        return {name: tensors[name] for name in (*ENSEMBLE_OUTPUTS, PROPENSITIES)}

    def measurements(self) -> list[Measurement]:
        """What those of the stages measure that measure something, for Triton's `/metrics`."""
        measured = [stage for _, stage in self.stages if hasattr(stage, "measurements")]
        return [each for stage in measured for each in stage.measurements()]

    def close(self) -> None:
        """Stop what the stages run in the background."""
        close_stages(stage for _, stage in self.stages)


def load(artefacts: Path, parameters: Mapping[str, str], store: Store | None) -> FusedEnsemble:
    """Load all stages.

    Raises:
        RecsysError: An artefact is missing or damaged.
    """
    return FusedEnsemble(load_stages(artefacts, parameters, store))
