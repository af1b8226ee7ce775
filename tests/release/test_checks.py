"""Each fault of a release is refused for its own reason, and the pointer stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from factories.release import make_release

from recsys import schema
from recsys.errors import RecsysError
from recsys.local.promotion import promote_here
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.store import ReleaseStore
from recsys.settings import Settings

Publish = Callable[..., int]


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


@pytest.fixture
def publish(store: ReleaseStore, tmp_path: Path) -> Publish:
    """Publishes a tiny release after something was done to it."""

    def publish(
        break_it: Callable[[Path], object] = lambda _: None, verdict: Verdict | None = None, seed: int = 0
    ) -> int:
        staging = make_release(tmp_path / f"staging-{seed}", items=20, seed=seed)
        break_it(staging)
        return store.publish(
            staging, data=DataWindow(fingerprint=str(seed), days=(0,)), metrics={}, gate=verdict
        )

    return publish


@pytest.fixture
def settings(store: ReleaseStore, publish: Publish) -> Settings:
    store.set_current(publish())
    return Settings(home=store.root.parent)


def refused(settings: Settings, store: ReleaseStore, number: int, why: str) -> None:
    with pytest.raises(RecsysError, match=why):
        promote_here(settings, number)
    assert store.current() == 1


def test_a_good_release_is_promoted(settings: Settings, store: ReleaseStore, publish: Publish) -> None:
    promote_here(settings, publish(seed=1))
    assert store.current() == 2


@pytest.mark.parametrize("reason", ["chain.ndcg@10 0.0213, at least 0.0871", "latency 1.20 of release 1's"])
def test_what_the_gate_refused_is_not_served(
    settings: Settings, store: ReleaseStore, publish: Publish, reason: str
) -> None:
    number = publish(verdict=Verdict(passed=False, reason=reason), seed=1)
    refused(settings, store, number, f"release 2: refused by its gate: {reason.split(maxsplit=1)[0]}")


@pytest.mark.parametrize("name", [schema.DLRM_ONNX, schema.QUERY_TOWER_ONNX, schema.CANDIDATE_TOWER_ONNX])
def test_a_truncated_model_does_not_load_though_its_hash_is_right(
    settings: Settings, store: ReleaseStore, publish: Publish, name: str
) -> None:
    def truncate(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    refused(settings, store, publish(truncate, seed=1), rf"{name}: does not load")


def test_a_file_that_is_not_what_the_manifest_says(
    settings: Settings, store: ReleaseStore, publish: Publish
) -> None:
    number = publish(seed=1)
    path = store.path(number) / schema.POPULARITY_FILE
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    refused(settings, store, number, "sha256 differs from the manifest's")


def test_a_manifest_whose_hash_is_wrong(settings: Settings, store: ReleaseStore, publish: Publish) -> None:
    number = publish(seed=1)
    path = store.path(number) / schema.MANIFEST_FILE
    right = store.show(number).files[schema.INDEX_FILE].sha256
    path.write_text(path.read_text().replace(right, "0" * 64))
    refused(settings, store, number, rf"{schema.INDEX_FILE}: sha256 differs")


def test_a_release_that_is_not_there(settings: Settings, store: ReleaseStore) -> None:
    refused(settings, store, 9, "release 9: not in")
