"""Applies the fitted context workflow, in its array form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.features.arrays import ArrayWorkflow
from recsys.schema import CONTEXT_FEATURES, CONTEXT_WORKFLOW
from recsys.serving.stage import Arrays
from recsys.serving.tensors import feature


@dataclass(frozen=True)
class ContextTransform:
    """The workflow that NVTabular fitted, without NVTabular.

    Attributes:
        workflow: Its array form.
    """

    workflow: ArrayWorkflow

    def run(self, inputs: Arrays) -> Arrays:
        """Encode.

        Args:
            inputs: device_type int64, -1 where unknown, and timestamp int64, unix seconds, [B, 1] each.

        Returns:
            `<name>_feature` [B, 1] for each of `schema.CONTEXT_FEATURES`, with its dtype.
        """
        columns = self.workflow.transform(inputs)
        return {
            feature(name): columns[name].astype(dtype, copy=False) for name, dtype in CONTEXT_FEATURES.items()
        }


def load(artefacts: Path, parameters: Mapping[str, str]) -> ContextTransform:
    """Load the workflow.

    Raises:
        BadData: Its files are missing or damaged.
    """
    del parameters
    return ContextTransform(ArrayWorkflow.load(artefacts, CONTEXT_WORKFLOW))
