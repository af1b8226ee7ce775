"""API keys: who may do what, from a file of hashes that is read again when it changes.

A key is `rk_<id>_<secret>`, the secret 256 random bits, so one SHA-256 is all the stretching it needs.
The file holds the hash and never the key:

    {"keys": [{"id": "…", "sha256": "…", "scopes": ["read", "write"], "name": "shop", "revoked": false}]}

To rotate: add a key, let the callers change over, revoke the old one. No process is restarted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys.errors import BadData, BadUse

_log = logging.getLogger(__name__)

_RECHECK_S: Final = 1.0
_NOBODY: Final = "0" * 64


class Scope(StrEnum):
    """What a key may be used for."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class ApiKey(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    name: str = Field("", max_length=100)
    revoked: bool = False


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: list[ApiKey]


class WrongKey(BadUse):
    """No key, one that does not exist, or one that was revoked."""


class Forbidden(BadUse):
    """A key that may not do this."""


class KeyStore:
    """The keys of a file.

    A file that becomes unreadable leaves the keys that were read before in force, and says so in the log: a
    slip of an editor must not lock every shop out.

    Args:
        path: The file.
        clock: Monotonic seconds.

    Raises:
        BadData: The file is missing or not a file of keys.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp = _stamp(path)
        self._keys = _read(path)
        self._recheck_at = clock() + _RECHECK_S

    def check(self, token: str | None, scope: Scope) -> ApiKey:
        """The key that a caller shows.

        Args:
            token: What the caller sent; None if nothing.
            scope: What the caller wants to do.

        Raises:
            WrongKey: It is missing, unknown or revoked.
            Forbidden: It may not do that.
        """
        self._refresh()
        parts = (token or "").split("_")
        known = self._keys.get(parts[1]) if len(parts) == 3 else None
        # Hashed and compared also when there is no such key, so that time tells nothing.
        digest = hashlib.sha256((token or "").encode("utf-8", "replace")).hexdigest()
        same = hmac.compare_digest(digest, known.sha256 if known else _NOBODY)
        if known is None or not same or known.revoked:
            raise WrongKey("API key", "missing, wrong or revoked", "Send Authorization: Bearer <key>")
        if scope not in known.scopes:
            raise Forbidden(f"API key {known.id}", f"has no scope {scope}", "Use a key that has it")
        return known

    def _refresh(self) -> None:
        with self._lock:
            if self._clock() < self._recheck_at:
                return
            self._recheck_at = self._clock() + _RECHECK_S
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self._keys = _read(self._path)
                _log.info("read %d API keys", len(self._keys))
            except BadData as error:
                _log.error("%s; the keys read before stay in force", error)


def create_key(path: Path, scopes: Sequence[Scope] = tuple(Scope), name: str = "") -> str:
    """Add a key to a file, which is made if it is missing.

    Args:
        path: The file; only its owner may read it afterwards.
        scopes: What the key may be used for.
        name: Whose it is.

    Returns:
        The key: this is the only time it is seen.

    Raises:
        BadData: There is a file and it is not one of keys.
    """
    known = list(_read(path).values()) if path.exists() else []
    key_id = secrets.token_hex(6)
    token = f"rk_{key_id}_{secrets.token_hex(32)}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    _write(path, [*known, ApiKey(id=key_id, sha256=digest, scopes=frozenset(scopes), name=name)])
    return token


def read_keys(path: Path) -> list[ApiKey]:
    """The keys of a file, revoked ones among them.

    Raises:
        BadData: The file is missing or not one of keys.
    """
    return list(_read(path).values())


def revoke_key(path: Path, key_id: str) -> None:
    """Make a key useless from now on.

    Args:
        path: The file.
        key_id: The middle part of the key.

    Raises:
        BadData: The file is missing or not one of keys.
        BadUse: It holds no such key.
    """
    known = _read(path)
    if key_id not in known:
        raise BadUse(f"key {key_id}", f"not in {path}", "Name the middle part of the key")
    known[key_id] = known[key_id].model_copy(update={"revoked": True})
    _write(path, list(known.values()))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> dict[str, ApiKey]:
    try:
        found = _KeyFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadData(str(path), error.strerror or "cannot be read", "Make a key first") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadData(str(path), f"{where} {first['msg']}".strip(), "Restore the file") from error
    return {key.id: key for key in found.keys}


def _write(path: Path, keys: Sequence[ApiKey]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**key.model_dump(mode="json"), "scopes": sorted(key.scopes)} for key in keys]
    # Readers see the old file or the new one; nobody else may read either.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"keys": rows}, file, indent=2)
    part.replace(path)
