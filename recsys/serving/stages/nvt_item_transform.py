"""Applies the fitted item workflow, in its array form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsys.features.arrays import ArrayWorkflow
from recsys.schema import ITEM_FEATURES, ITEM_WORKFLOW
from recsys.serving.stage import Arrays
from recsys.serving.tensors import feature


@dataclass(frozen=True)
class ItemTransform:
    """The workflow that NVTabular fitted, without NVTabular.

    Attributes:
        workflow: Its array form.
    """

    workflow: ArrayWorkflow

    def run(self, inputs: Arrays) -> Arrays:
        """Encode.

        Args:
            inputs: item_id (the shop's), category_l1, category_l2, item_gender int64 and price float32,
                [B, K] each; pads are -1 and become the code for unknown values.

        Returns:
            `<name>_feature` [B, K] for each of `schema.ITEM_FEATURES`, with its dtype.
        """
        columns = self.workflow.transform(inputs)
        return {
            feature(name): columns[name].astype(dtype, copy=False) for name, dtype in ITEM_FEATURES.items()
        }


def load(artefacts: Path, parameters: Mapping[str, str]) -> ItemTransform:
    """Load the workflow.

    Raises:
        BadData: Its files are missing or damaged.
    """
    del parameters
    return ItemTransform(ArrayWorkflow.load(artefacts, ITEM_WORKFLOW))
