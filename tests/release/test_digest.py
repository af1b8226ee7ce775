from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from recsys.release.digest import code_sha256, file_sha256, json_sha256, tree_sha256


def test_file_digest_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 17)
    (tmp_path / "blob").write_bytes(content)
    assert file_sha256(tmp_path / "blob") == hashlib.sha256(content).hexdigest()


def test_tree_digest_ignores_place_and_times(artefacts: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(artefacts, copy)
    os.utime(copy / "dlrm.onnx", (1, 1))
    assert tree_sha256(copy) == tree_sha256(artefacts)


@pytest.mark.parametrize("change", ["content", "name", "added", "moved between files"])
def test_tree_digest_sees_every_change(artefacts: Path, change: str) -> None:
    before = tree_sha256(artefacts)
    if change == "content":
        (artefacts / "index.faiss").write_bytes(b"indez")
    elif change == "name":
        (artefacts / "index.faiss").rename(artefacts / "index2.faiss")
    elif change == "added":
        (artefacts / "empty").write_bytes(b"")
    else:
        (artefacts / "dlrm.onnx").write_bytes(b"ranker" * 100 + b"i")
        (artefacts / "index.faiss").write_bytes(b"ndex")
    assert tree_sha256(artefacts) != before


def test_json_digest_ignores_the_order_of_keys() -> None:
    assert json_sha256({"a": 1, "b": [1, 2]}) == json_sha256({"b": [1, 2], "a": 1})
    assert json_sha256({"a": 1}) != json_sha256({"a": 2})


def test_code_digest_follows_what_a_release_depends_on(tmp_path: Path) -> None:
    package = tmp_path / "recsys"
    for name in ("models/dlrm.py", "serving/chain.py", "cli/main.py", "models/notes.txt"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recsys.__file__", str(package / "__init__.py"))
        digests = [_code_after(package / name) for name in ("models/dlrm.py", "serving/chain.py")]
        assert len({*digests}) == 2
        assert _code_after(package / "cli" / "main.py") == digests[-1]
        assert _code_after(package / "models" / "notes.txt") == digests[-1]


def _code_after(changed: Path) -> str:
    changed.write_text(changed.read_text() + " changed")
    return code_sha256.__wrapped__()
