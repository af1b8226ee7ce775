from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from factories.killed import run_and_die

from recsys.errors import BadData, BadUse, Unavailable
from recsys.release.fetch import fetch
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.remote import RemoteStore, open_store
from recsys.release.store import ReleaseStore


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of an empty store, once in memory and once on disk."""
    if request.param == "file":
        yield f"file://{tmp_path}/remote"
        return
    root = f"/{uuid.uuid4().hex}"
    yield f"memory:/{root}"
    memory = fsspec.filesystem("memory")
    if memory.exists(root):
        memory.rm(root, recursive=True)


@pytest.fixture
def store(url: str) -> RemoteStore:
    return RemoteStore(url)


def _publish(store: RemoteStore, artefacts: Path, window: DataWindow, **more: Any) -> int:
    return store.publish(artefacts, data=window, metrics={}, **more)


def _objects(store: RemoteStore) -> set[str]:
    return {path.rpartition("/")[2] for path in store._fs.find(f"{store._root}/objects")}


def test_address_decides_the_kind_of_store(url: str, tmp_path: Path) -> None:
    assert isinstance(open_store(url), RemoteStore)
    assert isinstance(open_store(str(tmp_path)), ReleaseStore)


def test_unknown_protocol_is_refused() -> None:
    with pytest.raises(BadUse, match="nowhere"):
        open_store("nowhere://bucket")


def test_a_store_that_does_not_answer_is_not_empty(
    store: RemoteStore, artefacts: Path, window: DataWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(store, artefacts, window)

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError("no route to the store")

    for name in ("ls", "info"):
        with monkeypatch.context() as broken:
            broken.setattr(store._fs, name, refused)
            with pytest.raises(Unavailable, match="no route to the store"):
                store.numbers()
    assert store.numbers() == (1,)


def test_releases_are_numbered_whole_and_idempotent(
    store: RemoteStore, artefacts: Path, window: DataWindow
) -> None:
    assert store.numbers() == ()
    assert _publish(store, artefacts, window, fingerprint="a") == 1
    assert _publish(store, artefacts, window, fingerprint="a") == 1
    assert _publish(store, artefacts, window, fingerprint="b", parent=1) == 2
    assert [m.parent for m in store.list()] == [None, 1]
    store.verify(2)
    assert len(_objects(store)) == 3


def test_number_taken_meanwhile_is_not_overwritten(
    store: RemoteStore, artefacts: Path, window: DataWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(store, artefacts, window, fingerprint="first")
    monkeypatch.setattr(store, "numbers", lambda: ())
    assert _publish(store, artefacts, window, fingerprint="second") == 2
    assert store.show(1).fingerprint == "first"


def test_upload_that_breaks_off_publishes_nothing(
    store: RemoteStore, artefacts: Path, window: DataWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    _publish(store, artefacts, window)
    (artefacts / "dlrm.onnx").write_bytes(b"new")
    put, left = store._fs.put_file, [0]

    def broken(source: str, path: str) -> None:
        if not left[0]:
            raise OSError("connection reset by peer\nmore")
        left[0] -= 1
        put(source, path)

    monkeypatch.setattr(store._fs, "put_file", broken)
    with pytest.raises(Unavailable, match=r"connection reset by peer\. Check"):
        _publish(store, artefacts, window)
    assert store.numbers() == (1,)
    store.verify(1)


def test_pointer_moves_and_refuses(store: RemoteStore, artefacts: Path, window: DataWindow) -> None:
    assert store.current() is None
    _publish(store, artefacts, window, fingerprint="a")
    _publish(store, artefacts, window, fingerprint="b", gate=Verdict(passed=False, reason="auc"))
    store.set_current(1)
    with pytest.raises(BadUse, match="refused by its gate: auc"):
        store.set_current(2)
    with pytest.raises(BadUse, match="there: 1, 2"):
        store.set_current(3)
    assert store.current() == 1


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_verify_names_the_damaged_file(
    store: RemoteStore, artefacts: Path, window: DataWindow, damage: str
) -> None:
    _publish(store, artefacts, window)
    path = store._object(store.show(1).files["index.faiss"].sha256)
    if damage == "missing":
        store._fs.rm_file(path)
    else:
        store._fs.pipe_file(path, b"indez")
    with pytest.raises(BadData, match=r"index\.faiss of release 1"):
        store.verify(1)


def test_prune_spares_young_objects(
    store: RemoteStore, artefacts: Path, window: DataWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        (artefacts / "index.faiss").write_bytes(b"%d" % n)
        _publish(store, artefacts, window)
    store.set_current(3)
    before = _objects(store)
    assert store.prune(keep=1) == (1,)
    assert _objects(store) == before
    monkeypatch.setattr("recsys.release.remote._ORPHAN_AGE_S", -60)
    store.prune(keep=1)
    assert _objects(store) == {entry.sha256 for one in store.list() for entry in one.files.values()}
    assert _objects(store) < before
    store.verify(3)


def test_fetch_brings_what_was_published(artefacts: Path, window: DataWindow, tmp_path: Path) -> None:
    store = RemoteStore(f"file://{tmp_path}/remote")
    store.set_current(_publish(store, artefacts, window))
    assert fetch(str(tmp_path / "remote"), tmp_path / "home") == 1
    ReleaseStore(tmp_path / "home" / "releases").verify(1)


_STEPS = ("makedirs", "put_file", "pipe_file", "rm_file")


def test_publisher_killed_at_any_step_leaves_all_or_nothing(
    tmp_path: Path, artefacts: Path, window: DataWindow
) -> None:
    """Each object is written whole or not at all, as S3 does it; between two of them anything may happen."""
    step, killed, seen = 0, True, set()
    while killed:
        step += 1
        store = RemoteStore(f"file://{tmp_path}/store{step}")
        _publish(store, artefacts, window, fingerprint="first")
        store.set_current(1)
        (artefacts / "dlrm.onnx").write_bytes(b"second")
        killed = run_and_die(
            [(store._fs, name) for name in _STEPS],
            lambda s=store: _publish(s, artefacts, window, fingerprint="second"),
            step,
        )
        seen.add(store.numbers())
        for number in store.numbers():
            store.verify(number)
        assert store.current() == 1
        assert _publish(store, artefacts, window, fingerprint="second") == 2
        store.verify(2)
        (artefacts / "dlrm.onnx").write_bytes(b"ranker" * 100)
    assert step > 3
    assert seen == {(1,), (1, 2)}


def test_promoter_and_pruner_killed_at_any_step_leave_whole_releases(
    tmp_path: Path, artefacts: Path, window: DataWindow
) -> None:
    for action in (lambda store: store.set_current(2), lambda store: store.prune(keep=1)):
        step, killed = 0, True
        while killed:
            step += 1
            store = RemoteStore(f"file://{tmp_path}/{uuid.uuid4().hex}")
            for n in range(4):
                (artefacts / "index.faiss").write_bytes(b"%d" % n)
                _publish(store, artefacts, window)
            store.set_current(1)
            killed = run_and_die(
                [(store._fs, name) for name in _STEPS], lambda s=store, act=action: act(s), step
            )
            assert store.current() in {1, 2}
            for number in store.numbers():
                store.verify(number)
        assert step > 1
