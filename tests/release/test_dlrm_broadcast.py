"""The rewritten ranker gives the scores of the export, in both of its forms."""

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
from recsys.release.dlrm_broadcast import FILES, difference, write_broadcast
from recsys.serving.stages.dlrm_ranking import load


@pytest.fixture(params=[False, True], ids=["alone", "with towers"])
def release(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    make_dlrm(tmp_path / schema.DLRM_ONNX, towers=request.param)
    return tmp_path


def shopping(users: int, items: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Users [B, 1] and candidates [B, K]; an item has the same embeddings wherever it stands."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name in (*CODES, *NUMBERS):
        of_user = name in schema.USER_FEATURES or name in schema.CONTEXT_FEATURES
        shape = (users, 1 if of_user else items)
        inputs[name] = (
            rng.integers(0, CODES[name], shape)
            if name in CODES
            else rng.normal(size=shape).astype(np.float32)
        )
    inputs["user_embedding"] = np.zeros((users, 64), np.float32)
    for name in schema.EMBEDDING_FEATURES:
        inputs[name] = rng.normal(size=(CODES["item_id"], 64)).astype(np.float32)[inputs["item_id"]]
    return inputs


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_the_exports(release: Path, seed: int) -> None:
    make_dlrm(release / schema.DLRM_ONNX, seed, towers=True)
    assert write_broadcast(release)
    for other in range(3):
        assert difference(release / schema.DLRM_ONNX, release, other) < 1e-5


def test_a_difference_would_be_seen(release: Path, tmp_path: Path) -> None:
    write_broadcast(release)
    assert difference(make_dlrm(tmp_path / "other.onnx", seed=1), release) > 1e-3


def test_a_wrong_rewrite_is_refused_and_removed(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlrm_broadcast, "difference", lambda *_: 0.5)
    with pytest.raises(RecsysError, match=r"differs from the export by 0\.5"):
        write_broadcast(release)
    assert not any((release / file).exists() for file in FILES)


def test_another_ranker_is_left_alone_and_no_older_form_stays(tmp_path: Path) -> None:
    folder = make_release(tmp_path / "release", items=30)
    make_dlrm(tmp_path / schema.DLRM_ONNX)
    write_broadcast(tmp_path)
    for file in FILES:
        (folder / file).write_bytes((tmp_path / file).read_bytes())
    export = onnx.load(folder / schema.DLRM_ONNX)
    export.graph.node[-1].op_type = "Erf"  # the rewriting knows nothing of it
    onnx.save(export, folder / schema.DLRM_ONNX)
    assert not write_broadcast(folder)
    assert not any((folder / file).exists() for file in FILES)
    assert load(folder, {}).items is None


def test_any_other_network_of_rows_is_rewritten_too(tmp_path: Path) -> None:
    folder = make_release(tmp_path / "release", items=30)
    assert write_broadcast(folder)
    assert difference(folder / schema.DLRM_ONNX, folder, seed=5) < 1e-5


def test_nothing_of_the_item_alone_is_left_to_the_meeting(release: Path) -> None:
    write_broadcast(release)
    broadcast, items, pairs = (onnx.load(release / file) for file in FILES)
    of_item = {*schema.ITEM_FEATURES, *schema.EMBEDDING_FEATURES}
    assert {port.name for port in items.graph.input} == of_item
    assert {port.name for port in pairs.graph.input} == {*CODES, *NUMBERS} - of_item | {"item_parts"}
    assert {port.name for port in broadcast.graph.input} == {*CODES, *NUMBERS}


@pytest.mark.parametrize(("users", "items"), [(1, 5), (3, 5), (4, 300)])
def test_the_stage_answers_alike_with_and_without_it(release: Path, users: int, items: int) -> None:
    inputs = shopping(users, items)
    plain = load(release, {})
    write_broadcast(release)
    rewritten = load(release, {})
    assert (plain.items is None, rewritten.items is None) == (True, False)
    for _ in range(2):  # the second time the items are known
        np.testing.assert_allclose(rewritten.run(inputs)["score"], plain.run(inputs)["score"], atol=1e-5)
