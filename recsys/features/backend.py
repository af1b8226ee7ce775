"""Where tables are worked on: pandas or cuDF, in this process or on a Dask cluster.

The one place that chooses: `settings.gpu` says cuDF and `settings.dask.cluster` which cluster.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from merlin.io import Dataset
from numpy.typing import DTypeLike

from recsys.errors import BadUse
from recsys.features.row_file import RowFile
from recsys.schema import UNKNOWN
from recsys.settings import DaskSettings, get_settings


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


def to_dataset(frame: Any) -> Dataset:
    """Wraps a pandas frame, or a Dask frame of the backend's, as the data set that workflows are fitted on.

    Raises:
        BadUse: As `to_backend`.
    """
    with warnings.catch_warnings():
        # Merlin warns each time that the CPU is used; here it is what the settings ask for.
        warnings.filterwarnings("ignore", message=".*CPU mode.*", category=UserWarning)
        moved = to_backend(frame) if isinstance(frame, pd.DataFrame) else frame
        return Dataset(moved, cpu=not get_settings().gpu)


def column(rows: pd.DataFrame | RowFile, name: str, dtype: DTypeLike, known: str | None = None) -> Dataset:
    """One column as a data set that workflows are fitted on.

    Args:
        rows: A frame, or a file, whose parts are read when and where they are needed.
        name: Of the column.
        dtype: That it is cast to.
        known: Column in which the rows that count bear something; by default all count.

    Raises:
        BadUse: As `to_backend`.
    """
    if not isinstance(rows, RowFile):
        return to_dataset(_only(rows, name, dtype, known))
    read = partial(_read, rows, name, dtype, known)
    return to_dataset(
        dd.from_map(read, rows.parts(), meta=to_backend(pd.DataFrame({name: np.empty(0, dtype)})))
    )


def _read(rows: RowFile, name: str, dtype: DTypeLike, known: str | None, part: Sequence[int]) -> Any:
    names = [name] if known in {None, name} else [name, known]
    return to_backend(_only(rows.read(part, names), name, dtype, known))


def _only(rows: pd.DataFrame, name: str, dtype: DTypeLike, known: str | None) -> pd.DataFrame:
    values = rows[name] if known is None else rows.loc[rows[known] != UNKNOWN, name]
    return pd.DataFrame({name: values.to_numpy(dtype)})


@contextmanager
def cluster(settings: DaskSettings | None = None) -> Iterator[Any]:
    """Has Dask's work done where the settings say, while the context lasts.

    Args:
        settings: By default the process's.

    Yields:
        Dask's client; None where the work is done in this process.

    Raises:
        BadUse: The cluster's package cannot be imported, or nobody answers at its address.
    """
    settings = settings or get_settings().dask
    if settings.cluster == "off":
        yield None
        return
    with ExitStack() as stack:
        yield stack.enter_context(_client(settings, stack))


def _client(settings: DaskSettings, stack: ExitStack) -> Any:
    from distributed import Client, LocalCluster

    if "://" in settings.cluster:
        try:
            return Client(settings.cluster, timeout=settings.timeout_s)
        except OSError as error:
            raise BadUse(
                f"RECSYS_DASK__CLUSTER {settings.cluster}",
                f"no scheduler answers ({error})",
                "Start it first",
            ) from error
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="recsys-dask-"))
    common = {"dashboard_address": None, "local_directory": scratch}
    if settings.cluster == "cuda":
        try:
            from dask_cuda import LocalCUDACluster
        except ImportError as error:
            raise BadUse(
                "RECSYS_DASK__CLUSTER", f"dask-cuda cannot be imported ({error})", "Install it, or take local"
            ) from error
        made = LocalCUDACluster(rmm_pool_size=settings.gpu_pool, **common)
    else:
        made = LocalCluster(
            n_workers=settings.workers,
            threads_per_worker=1,
            memory_limit=f"{settings.memory_mb}MB",
            **common,
        )
    return Client(stack.enter_context(made), timeout=settings.timeout_s)
