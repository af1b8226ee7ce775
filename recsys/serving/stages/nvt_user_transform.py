"""Applies the fitted user workflow, in its array form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.features.arrays import ArrayWorkflow
from recsys.schema import USER_FEATURES, USER_WORKFLOW
from recsys.serving.stage import Arrays
from recsys.serving.tensors import feature


@dataclass(frozen=True)
class UserTransform:
    """The workflow that NVTabular fitted, without NVTabular.

    Attributes:
        workflow: Its array form.
    """

    workflow: ArrayWorkflow

    def run(self, inputs: Arrays) -> Arrays:
        """Encode.

        Args:
            inputs: user_id, gender, top_category int64 and age float32, [B, 1] each, -1 where unknown.

        Returns:
            `<name>_feature` [B, 1] for each of `schema.USER_FEATURES`, with its dtype.
        """
        columns = self.workflow.transform(inputs)
        return {
            feature(name): columns[name].astype(dtype, copy=False) for name, dtype in USER_FEATURES.items()
        }


def load(artefacts: Path, parameters: Mapping[str, str]) -> UserTransform:
    """Load the workflow.

    Raises:
        BadData: Its files are missing or damaged.
    """
    del parameters
    return UserTransform(ArrayWorkflow.load(artefacts, USER_WORKFLOW))
