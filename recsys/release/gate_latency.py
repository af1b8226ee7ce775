"""How long the models of a request take, a release's and its parent's in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from recsys import schema
from recsys.errors import BadData

Clock = Callable[[], int]
"""Nanoseconds; the default counts this thread's work alone, so other processes do not show."""

_MODELS: Final = ((schema.QUERY_TOWER_ONNX,), (schema.DLRM_BROADCAST_ONNX, schema.DLRM_ONNX))
"""What one request runs; of several files the first that is there, as serving chooses."""

_LEAST_NS: Final = 2_000_000
_DTYPES: Final = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}


def measure(
    releases: Sequence[Path], candidates: int, rounds: int, clock: Clock = time.thread_time_ns
) -> list[dict[str, np.ndarray]]:
    """Runs every release's models for one user in turns, the order turning round each time.

    What the machine does meanwhile (its frequency, its caches) meets all of them alike, so it cancels from
    the ratio of a round; a limit on that ratio holds on any machine.

    Args:
        releases: Folders of artefacts.
        candidates: Items that the ranker scores a request.
        rounds: How often.
        clock: What is read before and after.

    Returns:
        Of each release, microseconds a call by model, float64 [rounds].

    Raises:
        BadData: A model is missing, damaged, or does not run.
    """
    models = [[_Model(folder, files, candidates) for files in _MODELS] for folder in releases]
    taken = [{model.name: np.empty(rounds) for model in own} for own in models]
    for position in range(len(_MODELS)):
        same = [own[position] for own in models]
        calls = _calls(same, clock)
        for number in range(rounds):
            order = range(len(same)) if number % 2 else reversed(range(len(same)))
            for at in order:
                taken[at][same[at].name][number] = same[at].microseconds(calls, clock)
    return taken


def _calls(models: Sequence[_Model], clock: Clock) -> int:
    """Calls a round, so that the fastest takes long enough for the clock; the models are warm then."""
    fastest = min(model.microseconds(3, clock) for model in models)
    return int(np.clip(_LEAST_NS / 1_000 / max(fastest, 1e-3), 1, 100))


class _Model:
    """One exported model with something to compute."""

    def __init__(self, folder: Path, files: Sequence[str], candidates: int) -> None:
        file = next((name for name in files if (folder / name).is_file()), files[-1])
        self.name = Path(files[-1]).stem
        self._path = folder / file
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(self._path), sess_options=options, providers=["CPUExecutionProvider"]
            )
            rows = candidates if file == schema.DLRM_ONNX else 1
            self._feed = {port.name: _drawn(port, rows, candidates) for port in self._session.get_inputs()}
            self._session.run(None, self._feed)
        except Exception as error:  # onnxruntime's errors share no base class of their own
            cause = (str(error) or type(error).__name__).splitlines()[0]
            raise BadData(str(self._path), f"cannot be run ({cause})", "Export the model again") from error

    def microseconds(self, calls: int, clock: Clock) -> float:
        begun = clock()
        for _ in range(calls):
            self._session.run(None, self._feed)
        return (clock() - begun) / calls / 1_000


def _drawn(port: Any, rows: int, candidates: int) -> np.ndarray:
    """Values that any model takes: codes that every table holds, and numbers around 0.

    The first axis is the rows, a second one without a fixed width the candidates.
    """
    shape = [rows, *(size if isinstance(size, int) else candidates for size in port.shape[1:])]
    rng = np.random.default_rng(0)
    dtype = _DTYPES[port.type]
    if dtype is np.float32:
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, 4, size=shape).astype(dtype)
