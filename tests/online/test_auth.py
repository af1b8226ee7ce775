from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from recsys.errors import BadData, BadUse
from recsys.online.auth import Forbidden, KeyStore, Scope, WrongKey, create_key, revoke_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.json"


def key_id(token: str) -> str:
    return token.split("_")[1]


class Ticks:
    """A monotonic clock on which each look is two seconds after the last."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 2
        return self.now


def test_a_key_opens_what_its_scopes_say(path: Path) -> None:
    token = create_key(path, [Scope.READ], "shop")
    store = KeyStore(path)
    assert store.check(token, Scope.READ).name == "shop"
    with pytest.raises(Forbidden):
        store.check(token, Scope.ADMIN)


def test_the_file_holds_no_key_and_only_its_owner_reads_it(path: Path) -> None:
    token = create_key(path)
    assert token.split("_")[2] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        lambda token: None,
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token + "0",
        lambda token: token.replace("rk", "xx"),
        lambda token: "rk_" + "0" * 12 + "_" + "0" * 64,
        lambda token: "a_b_c_d",
        lambda token: "\udcff",
    ],
)
def test_no_other_key_opens_anything(path: Path, change) -> None:
    token = create_key(path)
    with pytest.raises(WrongKey):
        KeyStore(path).check(change(token), Scope.READ)


def test_keys_change_without_a_restart(path: Path) -> None:
    old = create_key(path)
    store = KeyStore(path, Ticks())
    new = create_key(path)
    assert store.check(new, Scope.READ).id == key_id(new)
    revoke_key(path, key_id(old))
    with pytest.raises(WrongKey):
        store.check(old, Scope.READ)
    assert store.check(new, Scope.READ)
    with pytest.raises(BadUse):
        revoke_key(path, "nobody")


@pytest.mark.parametrize("content", ["", "{", '{"keys": [{}]}', '{"keys": [], "more": 1}'])
def test_a_damaged_file_is_refused_at_the_start_and_survived_later(path: Path, content: str) -> None:
    token = create_key(path)
    store = KeyStore(path, Ticks())
    path.write_text(content)
    assert store.check(token, Scope.READ)
    with pytest.raises(BadData, match=r"keys\.json"):
        KeyStore(path)


def test_a_file_that_vanishes_leaves_the_keys(path: Path) -> None:
    token = create_key(path)
    store = KeyStore(path, Ticks())
    path.unlink()
    assert store.check(token, Scope.READ)


def test_an_unknown_scope_is_refused(path: Path) -> None:
    create_key(path)
    document = json.loads(path.read_text())
    document["keys"][0]["scopes"] = ["root"]
    path.write_text(json.dumps(document))
    with pytest.raises(BadData, match="scopes"):
        KeyStore(path)
