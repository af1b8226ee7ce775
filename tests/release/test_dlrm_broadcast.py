"""The rewritten ranker gives the scores of the export, whatever the sizes of its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from factories.dlrm import CODES, NUMBERS, make_dlrm
from factories.release import make_release

from recsys import schema
from recsys.errors import RecsysError
from recsys.release import dlrm_broadcast
from recsys.release.dlrm_broadcast import difference, write_broadcast
from recsys.release.dlrm_parts import UnknownGraph, read_parts
from recsys.serving.stages.dlrm_ranking import load


@pytest.fixture
def release(tmp_path: Path) -> Path:
    make_dlrm(tmp_path / schema.DLRM_ONNX)
    return tmp_path


def parts_of(release: Path) -> dlrm_broadcast.DlrmParts:
    return read_parts(onnx.load(release / schema.DLRM_ONNX))


# Which way the interactions are computed depends on these two: all ways must give the same.
@pytest.mark.parametrize("small_table", [0, 10, 1_024])
@pytest.mark.parametrize("pair_table", [0, 100, 1 << 20])
def test_scores_are_the_exports(
    release: Path, small_table: int, pair_table: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dlrm_broadcast, "_SMALL_TABLE", small_table)
    monkeypatch.setattr(dlrm_broadcast, "_PAIR_TABLE", pair_table)
    assert write_broadcast(release)
    for seed in range(3):
        files = (release / schema.DLRM_ONNX, release / schema.DLRM_BROADCAST_ONNX)
        assert difference(*files, parts_of(release), seed) < 1e-5


def test_a_difference_would_be_seen(release: Path, tmp_path: Path) -> None:
    other = make_dlrm(tmp_path / "other.onnx", seed=1)
    write_broadcast(release)
    assert difference(other, release / schema.DLRM_BROADCAST_ONNX, parts_of(release)) > 1e-3


def test_a_wrong_rewrite_is_refused_and_removed(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlrm_broadcast, "difference", lambda *_: 0.5)
    with pytest.raises(RecsysError, match=r"differs from the export by 0\.5"):
        write_broadcast(release)
    assert not (release / schema.DLRM_BROADCAST_ONNX).exists()


def test_the_graph_is_read_by_its_shape(release: Path) -> None:
    parts = parts_of(release)
    assert {name: len(table) for name, table in parts.tables.items()} == CODES
    assert tuple(parts.numbers) == NUMBERS
    assert parts.stacked.index("") == 2
    assert [layer.weights.shape[1] for layer in parts.bottom] == [8, 16]
    assert [layer.weights.shape[1] for layer in parts.top] == [8, 6, 1]


def test_another_ranker_is_left_alone(tmp_path: Path) -> None:
    folder = make_release(tmp_path / "release", items=30)
    with pytest.raises(UnknownGraph):
        read_parts(onnx.load(folder / schema.DLRM_ONNX))
    assert not write_broadcast(folder)
    assert not (folder / schema.DLRM_BROADCAST_ONNX).exists()


@pytest.mark.parametrize(("users", "items"), [(1, 5), (3, 5), (4, 300)])
def test_the_stage_answers_alike_with_and_without_it(release: Path, users: int, items: int) -> None:
    rng = np.random.default_rng(users)
    inputs = {}
    for name in (*CODES, *NUMBERS):
        of_user = name in schema.USER_FEATURES or name in schema.CONTEXT_FEATURES
        shape: tuple[int, ...] = (users, 1 if of_user else items)
        if name in CODES:
            inputs[name] = rng.integers(0, CODES[name], shape)
        else:
            shape = (*shape, schema.EMBEDDING_DIM) if name in schema.EMBEDDING_FEATURES else shape
            inputs[name] = rng.normal(size=shape).astype(np.float32)
    plain = load(release, {})
    write_broadcast(release)
    rewritten = load(release, {})
    assert (plain.broadcasts, rewritten.broadcasts) == (False, True)
    np.testing.assert_allclose(rewritten.run(inputs)["score"], plain.run(inputs)["score"], atol=1e-5)
