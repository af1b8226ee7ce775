"""pandas or cuDF: the one place that chooses, by `settings.gpu`."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
from merlin.io import Dataset

from recsys.errors import BadUse
from recsys.settings import get_settings


def to_backend(frame: pd.DataFrame) -> Any:
    """Moves a frame to where the workflows run.

    Args:
        frame: A pandas frame.

    Returns:
        The frame itself, or a cuDF copy of it where `settings.gpu` is set.

    Raises:
        BadUse: `settings.gpu` is set and cuDF cannot be imported.
    """
    if not get_settings().gpu:
        return frame
    try:
        import cudf
    except ImportError as error:
        raise BadUse(
            "RECSYS_GPU",
            f"cuDF cannot be imported ({error})",
            "Install cuDF for this machine's CUDA or unset it",
        ) from error
    return cudf.from_pandas(frame)


def to_pandas(frame: Any) -> pd.DataFrame:
    """Moves a pandas or cuDF frame back to pandas."""
    return frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()


def to_dataset(frame: pd.DataFrame) -> Dataset:
    """Wraps a pandas frame as the Merlin data set that workflows are fitted on.

    Raises:
        BadUse: As `to_backend`.
    """
    with warnings.catch_warnings():
        # Merlin warns each time that the CPU is used; here it is what the settings ask for.
        warnings.filterwarnings("ignore", message=".*CPU mode.*", category=UserWarning)
        return Dataset(to_backend(frame), cpu=not get_settings().gpu)
