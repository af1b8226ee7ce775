from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories.killed import run_and_die

from recsys.errors import BadData, BadUse, Unavailable
from recsys.release import files
from recsys.release import store as store_module
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore

REFUSED = Verdict(passed=False, reason="ranker.auc 0.50 is below 0.55")


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


def _publish(store: ReleaseStore, artefacts: Path, window: DataWindow, **more: Any) -> int:
    return store.publish(artefacts, data=window, metrics={"chain": {"hit@10": 0.4}}, **more)


def test_releases_are_numbered_and_hold_the_artefacts(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    assert [_publish(store, artefacts, window), _publish(store, artefacts, window, parent=1)] == [1, 2]
    assert store.numbers() == (1, 2)
    assert (store.path(2) / "savedmodels" / "weights.bin").read_bytes() == b"weights"
    assert [m.parent for m in store.list()] == [None, 1]
    assert store.show(1).files["index.faiss"].size == 5
    store.verify(1)


def test_a_release_is_not_published_as_artefacts(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    _publish(store, artefacts, window)
    with pytest.raises(BadUse, match="is a release already"):
        _publish(store, store.path(1), window)
    assert store.numbers() == (1,)


def test_equal_files_are_stored_once(store: ReleaseStore, artefacts: Path, window: DataWindow) -> None:
    _publish(store, artefacts, window)
    (artefacts / "dlrm.onnx").write_bytes(b"another")
    _publish(store, artefacts, window)
    assert (store.path(1) / "index.faiss").samefile(store.path(2) / "index.faiss")
    assert not (store.path(1) / "dlrm.onnx").samefile(store.path(2) / "dlrm.onnx")


def test_later_changes_of_the_source_do_not_reach_the_release(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    _publish(store, artefacts, window)
    (artefacts / "index.faiss").write_bytes(b"wrong")
    store.verify(1)


def test_same_inputs_and_artefacts_give_the_same_number(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    assert _publish(store, artefacts, window, fingerprint="a") == 1
    assert _publish(store, artefacts, window, fingerprint="a") == 1
    assert _publish(store, artefacts, window, fingerprint="a", gate=REFUSED) == 2
    assert _publish(store, artefacts, window, fingerprint="b") == 3
    assert (store.find("a"), store.find("b"), store.find("c"), store.find("")) == (2, 3, None, None)


def test_current_starts_at_none_and_moves(store: ReleaseStore, artefacts: Path, window: DataWindow) -> None:
    assert store.current() is None
    _publish(store, artefacts, window)
    _publish(store, artefacts, window)
    store.set_current(2)
    assert store.current() == 2
    store.set_current(1)
    assert store.current() == 1


def test_refused_release_is_kept_and_never_current(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    number = _publish(store, artefacts, window, gate=REFUSED)
    assert store.show(number).gate == REFUSED
    with pytest.raises(BadUse, match=r"refused by its gate: ranker\.auc"):
        store.set_current(number)
    assert store.current() is None


@pytest.mark.parametrize("number", [0, -1, 2])
def test_unknown_release_names_the_known(
    store: ReleaseStore, artefacts: Path, window: DataWindow, number: int
) -> None:
    _publish(store, artefacts, window)
    for ask in (store.path, store.show, store.verify, store.set_current):
        with pytest.raises(BadUse, match=r"there: 1"):
            ask(number)


def test_pointer_to_nowhere_is_an_error(store: ReleaseStore, artefacts: Path, window: DataWindow) -> None:
    _publish(store, artefacts, window)
    (store.root / "current").write_text("7\n")
    with pytest.raises(BadData, match="names release '7'"):
        store.current()


def _rewrite(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda d: (d / "dlrm.onnx").unlink(), r"dlrm\.onnx: missing"),
        (lambda d: _rewrite(d / "dlrm.onnx", b"rank"), r"dlrm\.onnx: 4 bytes, manifest says 600"),
        (lambda d: _rewrite(d / "index.faiss", b"indez"), r"index\.faiss: sha256 differs"),
        (lambda d: (d / "extra.bin").write_bytes(b""), r"extra\.bin: not in the manifest"),
    ],
)
def test_verify_names_the_damaged_file(
    store: ReleaseStore, artefacts: Path, window: DataWindow, damage: Callable[[Path], None], said: str
) -> None:
    _publish(store, artefacts, window)
    damage(store.path(1))
    with pytest.raises(BadData, match=said):
        store.verify(1)


def test_damaged_release_is_published_anew(store: ReleaseStore, artefacts: Path, window: DataWindow) -> None:
    _publish(store, artefacts, window, fingerprint="a")
    shared = store.path(1) / "index.faiss"
    shared.chmod(0o644)
    shared.write_bytes(b"indez")  # reaches the stored object too: they are one file
    assert _publish(store, artefacts, window, fingerprint="a") == 2
    store.verify(2)
    with pytest.raises(BadData):
        store.verify(1)


def test_prune_keeps_newest_current_and_its_parent(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    for n in range(1, 7):
        (artefacts / "index.faiss").write_bytes(b"%d" % n)
        _publish(store, artefacts, window, parent=2 if n == 3 else None)
    store.set_current(3)
    assert store.prune(keep=1) == (1, 4, 5)
    assert store.numbers() == (2, 3, 6)
    for number in store.numbers():
        store.verify(number)
    kept = {e.sha256 for m in store.list() for e in m.files.values()}
    assert {p.name for p in (store.root / "objects").rglob("*") if p.is_file()} == kept
    assert _publish(store, artefacts, window) == 7


def test_empty_folder_and_unknown_parent_are_refused(
    store: ReleaseStore, artefacts: Path, window: DataWindow, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadUse, match="holds no files"):
        _publish(store, tmp_path / "empty", window)
    with pytest.raises(BadUse, match="release 9"):
        _publish(store, artefacts, window, parent=9)
    with pytest.raises(BadUse, match="below 1"):
        store.prune(keep=0)


_STEPS = [
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "hardlink_to"),
    (Path, "chmod"),
    (shutil, "copyfile"),
    (shutil, "rmtree"),
    (os, "fsync"),
]


def test_publisher_killed_at_any_step_leaves_all_or_nothing(
    tmp_path: Path, artefacts: Path, window: DataWindow
) -> None:
    step, seen = 0, set()
    while True:
        step += 1
        store = ReleaseStore(tmp_path / f"store{step}")
        _publish(store, artefacts, window, fingerprint="first")
        (artefacts / "dlrm.onnx").write_bytes(b"second")
        killed = run_and_die(
            _STEPS, lambda s=store: _publish(s, artefacts, window, fingerprint="second"), step
        )
        (artefacts / "dlrm.onnx").write_bytes(b"ranker" * 100)
        visible = store.numbers()
        seen.add(visible)
        assert visible in {(1,), (1, 2)}
        for number in visible:
            store.verify(number)

        (artefacts / "dlrm.onnx").write_bytes(b"second")
        assert _publish(store, artefacts, window, fingerprint="second") == 2
        (artefacts / "dlrm.onnx").write_bytes(b"ranker" * 100)
        store.verify(2)
        assert not list(store.root.glob(".staging-*"))
        if not killed:
            break
    assert step > 15
    assert seen == {(1,), (1, 2)}


def test_promoter_killed_at_any_step_leaves_old_or_new(
    store: ReleaseStore, artefacts: Path, window: DataWindow
) -> None:
    _publish(store, artefacts, window)
    _publish(store, artefacts, window)
    step, killed = 0, True
    while killed:
        step += 1
        store.set_current(1)
        killed = run_and_die(_STEPS, lambda: store.set_current(2), step)
        assert store.current() in {1, 2}
    assert store.current() == 2
    assert step > 3


def test_pruner_killed_at_any_step_leaves_whole_releases(
    tmp_path: Path, artefacts: Path, window: DataWindow
) -> None:
    step, killed = 0, True
    while killed:
        step += 1
        store = ReleaseStore(tmp_path / f"store{step}")
        for n in range(3):
            (artefacts / "index.faiss").write_bytes(b"%d" % n)
            _publish(store, artefacts, window)
        killed = run_and_die(_STEPS, lambda s=store: s.prune(keep=1), step)
        for number in store.numbers():
            store.verify(number)
        store.prune(keep=1)
        assert store.numbers() == (3,)
    assert step > 3


def test_failed_write_publishes_nothing(
    store: ReleaseStore, artefacts: Path, window: DataWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(files, "copy_atomic", full)
    with pytest.raises(OSError, match="No space left"):
        _publish(store, artefacts, window)
    assert store.numbers() == ()


def test_store_imports_without_the_training_libraries() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'nvtabular', 'merlin', 'dask', 'kfp']));"
        "import recsys.release.store, recsys.release.gate"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_store_that_another_process_keeps_is_not_waited_for_for_ever(
    store: ReleaseStore, artefacts: Path, window: DataWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_PATIENCE_S", 0.0)
    store.root.mkdir()
    with (store.root / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable, match="another process"):
            _publish(store, artefacts, window)
    assert _publish(store, artefacts, window) == 1
