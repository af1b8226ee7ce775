"""The locks: hashed, free of addresses, in step with each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recsys.local.doctor import pins

FOLDER = Path(__file__).resolve().parents[1] / "requirements"
LOCKS = ("bootstrap", "base", "dev", "encoders", "serving", "serving-gpu", "worker", "triton-stub", "lint")
NOT_SERVED = re.compile(r"^(tensorflow|keras|merlin|nvtabular|dask|distributed|feast|torch|kfp|numba)\b")


def lock(name: str) -> Path:
    return FOLDER / f"{name}.lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash(name: str) -> None:
    entries = re.split(r"\n(?=\S)", lock(name).read_text().strip())
    assert entries
    for entry in entries:
        assert re.match(r"^[a-z0-9._-]+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", entry), entry[:80]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_file_names_a_registry_or_a_path(path: Path) -> None:
    assert not re.search(r"https?://|file:|index-url|find-links|\s/\w", path.read_text())


@pytest.mark.parametrize("name", ["dev", "encoders", "serving", "serving-gpu", "triton-stub"])
def test_what_two_locks_share_has_one_version(name: str) -> None:
    base, other = pins(lock("base")), pins(lock(name))
    shared = base.keys() & other.keys()
    assert shared
    assert {package: other[package] for package in shared} == {package: base[package] for package in shared}


def test_the_worker_computes_with_what_training_computes_with() -> None:
    base, worker = pins(lock("base")), pins(lock("worker"))
    for package in ("feast", "numpy", "pandas", "pyarrow", "redis", "protobuf", "pydantic"):
        assert worker[package] == base[package], package


@pytest.mark.parametrize("name", ["serving", "serving-gpu"])
def test_a_serving_image_holds_no_training_library(name: str) -> None:
    assert [package for package in pins(lock(name)) if NOT_SERVED.match(package)] == []


def test_all_that_is_asked_for_is_locked() -> None:
    for name in LOCKS:
        wanted = re.findall(r"^([A-Za-z0-9._-]+)", (FOLDER / f"{name}.in").read_text(), re.MULTILINE)
        locked = pins(lock(name))
        assert [package for package in wanted if package.lower().replace("_", "-") not in locked] == []


def test_torch_is_left_to_the_machine() -> None:
    assert not any("torch" in pins(lock(name)) for name in LOCKS)
    assert re.fullmatch(r"torch==[\d.]+\n", (FOLDER / "torch.txt").read_text())
