"""The three workflows run by NVTabular itself, a request at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from recsys.schema import CONTEXT_FEATURES, CONTEXT_RAW, ITEM_FEATURES, ITEM_RAW, USER_FEATURES, USER_RAW
from recsys.serving.stage import Arrays
from recsys.serving.tensors import feature

_PARTS: Final = {
    "nvt_user_transform": ("user", USER_RAW, USER_FEATURES),
    "nvt_context_transform": ("context", CONTEXT_RAW, CONTEXT_FEATURES),
    "nvt_item_transform": ("item", ITEM_RAW, ITEM_FEATURES),
}


@dataclass(frozen=True)
class NvtabularTransform:
    """A stage that hands its rows to `nvtabular.Workflow.transform`.

    Attributes:
        workflow: The fitted workflow.
        raw: Its columns.
        features: What it makes, with dtypes.
    """

    workflow: Any
    raw: tuple[str, ...]
    features: Mapping[str, np.dtype]

    def run(self, inputs: Arrays) -> Arrays:
        """Encode.

        Args:
            inputs: The raw columns, [B, width] each.

        Returns:
            `<name>_feature` [B, width] for each feature.
        """
        shape = inputs[self.raw[0]].shape
        frame = pd.DataFrame({name: inputs[name].reshape(-1) for name in self.raw})
        found = self.workflow.transform(frame)
        return {
            feature(name): found[name].to_numpy(dtype).reshape(shape) for name, dtype in self.features.items()
        }


def load(name: str, workflows: Path) -> NvtabularTransform:
    """Load the workflow of one of the three models.

    Args:
        name: The model's name.
        workflows: Folder that `recsys.features.workflows.fit` wrote; it holds pickles.

    Raises:
        BadData: The workflow is not there.
    """
    from recsys.features.workflows import load as load_workflows

    part, raw, features = _PARTS[name]
    return NvtabularTransform(getattr(load_workflows(workflows), part), raw, features)
