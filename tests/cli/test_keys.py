"""API keys from the command line: made, shown without the secret, revoked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recsys.online.auth import KeyStore, Scope, WrongKey


def test_a_key_is_made_shown_and_revoked(run: Any, home: Path) -> None:
    made = run("keys", "add", "--name", "shop", "--scope", "read", "--scope", "write", "--json")
    assert made.code == 0
    token, name = json.loads(made.out)["key"], json.loads(made.out)["id"]
    path = home / "gateway" / "keys.json"
    assert KeyStore(path).check(token, Scope.READ).scopes == {Scope.READ, Scope.WRITE}
    shown = run("keys", "list", "--json")
    assert json.loads(shown.out) == {
        "keys": [{"id": name, "name": "shop", "scopes": ["read", "write"], "state": "valid"}]
    }
    assert token.split("_")[2] not in shown.out + path.read_text()
    assert run("keys", "revoke", name).code == 0
    with pytest.raises(WrongKey):
        KeyStore(path).check(token, Scope.READ)
    assert "revoked" in run("keys", "list").out


def test_a_key_alone_on_its_line_is_for_scripts(run: Any, home: Path, tmp_path: Path) -> None:
    other = tmp_path / "keys.json"
    made = run("keys", "add", "--file", other)
    assert KeyStore(other).check(made.out.strip(), Scope.ADMIN).scopes == set(Scope)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "list"), "cannot be read|No such file"),
        (("keys", "revoke", "abcdef123456"), "No such file"),
        (("keys", "add", "--scope", "root"), "root"),
    ],
)
def test_what_cannot_be_is_one_line(run: Any, arguments: tuple[str, ...], words: str) -> None:
    found = run(*arguments)
    assert found.code in (1, 2)
    assert any(word in found.err for word in words.split("|"))
    assert "Traceback" not in found.err
