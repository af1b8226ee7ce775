"""Stores in S3, on a stand-in that speaks its protocol."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from recsys.errors import BadData, Unavailable
from recsys.release.fetch import fetch
from recsys.release.manifest import DataWindow
from recsys.release.remote import RemoteStore
from recsys.release.s3 import s3_files
from recsys.release.store import ReleaseStore

_PUBLISH = """
import sys
from pathlib import Path
from recsys.release.manifest import DataWindow
from recsys.release.remote import open_store
store = open_store(sys.argv[1])
print("begin", flush=True)
store.publish(Path(sys.argv[2]), data=DataWindow(fingerprint="f", days=()), metrics={}, fingerprint="second")
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def url(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of an empty store."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    bucket = f"shop-{uuid.uuid4().hex}"
    s3_files(allow_bucket_creation=True).create_dir(bucket)
    return f"s3://{bucket}/releases"


def test_releases_are_published_shared_fetched_and_pruned(
    url: str, artefacts: Path, window: DataWindow, tmp_path: Path
) -> None:
    store = RemoteStore(url)
    assert store.numbers() == ()
    assert store.current() is None
    for content in (b"one", b"two", b"three"):
        (artefacts / "index.faiss").write_bytes(content)
        store.publish(artefacts, data=window, metrics={})
    store.set_current(2)
    assert len(store._fs.find(f"{store._root}/objects")) == 5  # two files are every release's
    assert fetch(url, tmp_path / "replica") == 2
    assert (ReleaseStore(tmp_path / "replica" / "releases").path(2) / "index.faiss").read_bytes() == b"two"
    assert store.prune(keep=1) == ()
    store.set_current(3)
    assert store.prune(keep=1) == (1,)
    for number in store.numbers():
        store.verify(number)


def test_damage_is_found(url: str, artefacts: Path, window: DataWindow) -> None:
    store = RemoteStore(url)
    store.publish(artefacts, data=window, metrics={})
    store._fs.pipe_file(store._object(store.show(1).files["index.faiss"].sha256), b"indez")
    with pytest.raises(BadData, match=r"index\.faiss of release 1"):
        store.verify(1)


@pytest.mark.parametrize("after_s", [0.0, 0.1])
def test_publisher_killed_while_it_uploads_leaves_all_or_nothing(
    url: str, artefacts: Path, window: DataWindow, after_s: float
) -> None:
    store = RemoteStore(url)
    store.publish(artefacts, data=window, metrics={}, fingerprint="first")
    store.set_current(1)
    for number in range(8):
        (artefacts / f"model{number}.bin").write_bytes(os.urandom(300_000))
    publisher = subprocess.Popen(
        [sys.executable, "-c", _PUBLISH, url, str(artefacts)], stdout=subprocess.PIPE, text=True
    )
    assert publisher.stdout is not None
    assert publisher.stdout.readline() == "begin\n"
    time.sleep(after_s)
    publisher.kill()
    published = publisher.communicate(timeout=30)[0] == "done\n"
    assert store.numbers() in ({(1, 2)} if published else {(1,), (1, 2)})
    for number in store.numbers():
        store.verify(number)
    assert store.current() == 1
    assert store.publish(artefacts, data=window, metrics={}, fingerprint="second") == 2
    store.verify(2)


def test_bucket_that_is_not_there_is_unavailable(url: str, artefacts: Path, window: DataWindow) -> None:
    with pytest.raises(Unavailable, match="Check the address and the rights to it"):
        RemoteStore("s3://nobodys-bucket/releases").publish(artefacts, data=window, metrics={})
