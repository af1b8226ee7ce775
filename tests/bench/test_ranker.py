"""Both forms of the ranker are measured, and compared with each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from factories.dlrm import make_dlrm

from recsys.bench.ranker import measure
from recsys.release.dlrm_broadcast import write_broadcast
from recsys.schema import DLRM_ONNX, ITEM_IDS_FILE


def test_the_forms_that_are_there(tmp_path: Path) -> None:
    make_dlrm(tmp_path / DLRM_ONNX)
    np.save(tmp_path / ITEM_IDS_FILE, np.arange(50))
    assert [one["form"] for one in measure(tmp_path, candidates=20, repeats=5)] == ["export"]
    write_broadcast(tmp_path)
    export, rewritten, new = measure(tmp_path, candidates=20, repeats=5)
    assert [export["form"], rewritten["form"], new["form"]] == ["export", "rewritten", "rewritten, new items"]
    assert export["difference"] == 0
    assert max(rewritten["difference"], new["difference"]) < 1e-5
    assert 0 < rewritten["least_ms"] <= rewritten["p50_ms"]
