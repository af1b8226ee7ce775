from __future__ import annotations

import sys
import warnings
from types import SimpleNamespace

import pandas as pd
import pytest

from recsys.errors import BadUse
from recsys.features import backend
from recsys.settings import Settings

FRAME = pd.DataFrame({"a": [1, 2]})


class CudfFrame:
    """What cuDF gives, as far as this module uses it."""

    def __init__(self, frame):
        self.frame = frame

    def to_pandas(self):
        return self.frame.copy()


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(backend, "get_settings", lambda: Settings(gpu=True))


def test_pandas_stays_pandas_without_a_warning():
    assert backend.to_backend(FRAME) is FRAME
    assert backend.to_pandas(FRAME) is FRAME
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        dataset = backend.to_dataset(FRAME)
    assert dataset.cpu
    assert dataset.compute()["a"].tolist() == [1, 2]


def test_gpu_setting_goes_through_cudf_and_back(gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "cudf", SimpleNamespace(from_pandas=CudfFrame))
    moved = backend.to_backend(FRAME)
    assert isinstance(moved, CudfFrame)
    pd.testing.assert_frame_equal(backend.to_pandas(moved), FRAME)


def test_gpu_without_cudf_is_refused(gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "cudf", None)
    with pytest.raises(BadUse, match=r"RECSYS_GPU: cuDF cannot be imported .* Install cuDF"):
        backend.to_backend(FRAME)
