"""Both forms of the ranker are measured, and compared with each other."""

from __future__ import annotations

from pathlib import Path

from factories.dlrm import make_dlrm

from recsys.bench.ranker import measure
from recsys.release.dlrm_broadcast import write_broadcast
from recsys.schema import DLRM_ONNX


def test_the_forms_that_are_there(tmp_path: Path) -> None:
    make_dlrm(tmp_path / DLRM_ONNX)
    assert [one["form"] for one in measure(tmp_path, candidates=20, repeats=5)] == ["export"]
    write_broadcast(tmp_path)
    export, broadcast = measure(tmp_path, candidates=20, repeats=5)
    assert (export["form"], broadcast["form"]) == ("export", "broadcast")
    assert export["difference"] == 0
    assert broadcast["difference"] < 1e-5
    assert 0 < broadcast["least_ms"] <= broadcast["p50_ms"]
