"""Feast's `FeatureStore` of this project, opened from `feature_repo/` and the settings."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from string import Template
from types import ModuleType
from urllib.parse import unquote, urlsplit

import dask.config
import pandas as pd
import redis
import yaml
from google.protobuf.message import DecodeError

from recsys.errors import BadUse, RecsysError
from recsys.settings import Settings
from recsys.valkey import unavailable

# Feast imports dask.dataframe, which greets every process with a page about its next version.
dask.config.set({"dataframe.query-planning-warning": False})

from feast import FeatureStore, RepoConfig  # noqa: E402
from feast.errors import FeastObjectNotFoundException  # noqa: E402

_CHECKOUT = Path(__file__).resolve().parents[2]


def repository() -> Path:
    """The folder `feature_repo`: beside the package, or else in the working directory.

    Raises:
        BadUse: It is in neither place.
    """
    for parent in (_CHECKOUT, Path.cwd()):
        folder = parent / "feature_repo"
        if (folder / "features.py").is_file():
            return folder
    raise BadUse(
        "feature_repo", f"not in {_CHECKOUT} nor {Path.cwd()}", "Run from a checkout of the project."
    )


def definitions() -> ModuleType:
    """The module `feature_repo/features.py`, loaded afresh."""
    spec = importlib.util.spec_from_file_location("feature_repo_features", repository() / "features.py")
    if spec is None or spec.loader is None:
        raise BadUse(str(repository() / "features.py"), "not a Python file", "Restore it.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def feast_home(settings: Settings) -> Path:
    """Where the local registry and the offline rows lie."""
    return settings.home.resolve() / "feast"


def config_text(settings: Settings) -> str:
    """`feature_store.<profile>.yaml` with its variables filled in.

    `RECSYS_FEAST_REGISTRY` and `RECSYS_FEAST_REDIS` follow from the settings unless the environment sets
    them.

    Raises:
        BadUse: A variable that the file names is not set.
    """
    path = repository() / f"feature_store.{settings.profile}.yaml"
    variables = {"RECSYS_FEAST_REDIS": connection_string(settings.valkey.url)}
    if settings.profile == "local":
        variables["RECSYS_FEAST_REGISTRY"] = str(feast_home(settings) / "registry.db")
    variables.update(os.environ)
    try:
        return Template(path.read_text(encoding="utf-8")).substitute(variables)
    except KeyError as error:
        raise BadUse(
            str(path), f"the variable {error.args[0]} is not set", f"Set {error.args[0]} and run again."
        ) from error


def connection_string(url: str) -> str:
    """Feast's way to write a `redis://[user:password@]host:port/db` URL; `rediss://` adds TLS.

    Raises:
        BadUse: It has no host, or a password with a comma, which Feast cannot express.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise BadUse("RECSYS_VALKEY__URL", f"not a Redis URL: {url}", "Write redis://host:port/0.")
    words = [f"{parts.hostname}:{parts.port or 6379}", f"db={parts.path.strip('/') or 0}"]
    for name, value in (("username", parts.username), ("password", parts.password)):
        if value and "," in unquote(value):
            raise BadUse(f"{name} of RECSYS_VALKEY__URL", "it holds a comma", "Choose one without.")
        if value:
            words.append(f"{name}={unquote(value)}")
    if parts.scheme == "rediss":
        words.append("ssl=true")
    return ",".join(words)


def open_store(settings: Settings) -> FeatureStore:
    """Opens the store; the same object comes back while settings and environment stay the same.

    Args:
        settings: Profile, home folder and Valkey's URL.

    Raises:
        BadUse: The repository or a variable of its YAML is missing.
    """
    return _open(config_text(settings), feast_home(settings))


def forget_stores() -> None:
    """Makes the next `open_store` read the registry again."""
    _open.cache_clear()


@contextmanager
def one_line_errors(settings: Settings) -> Iterator[None]:
    """Turns what Feast and the Redis client raise into errors that a user can act on.

    Raises:
        Unavailable: Valkey refused the connection or did not answer in time.
        RecsysError: The registry is missing, unreadable, or does not hold what is asked for.
    """
    try:
        yield
    except redis.RedisError as error:
        raise unavailable(error) from error
    except (DecodeError, FeastObjectNotFoundException, FileNotFoundError) as error:
        cause = " ".join(str(error).split()) or "it cannot be read"
        raise RecsysError(
            f"Feast registry under {feast_home(settings)}", cause, "Run the full pipeline to write it again."
        ) from error


def check_columns(thing: str, frame: pd.DataFrame, needed: Sequence[str]) -> None:
    """Looks for the columns that a call needs.

    Args:
        thing: What the frame is, for the error.
        frame: What was given.
        needed: Column names.

    Raises:
        BadUse: One is missing.
    """
    missing = [name for name in needed if name not in frame]
    if missing:
        raise BadUse(thing, f"no column {', '.join(missing)}", f"Give the columns {', '.join(needed)}.")


@lru_cache(maxsize=4)
def _open(text: str, repo_path: Path) -> FeatureStore:
    return FeatureStore(config=RepoConfig(**yaml.safe_load(text), repo_path=repo_path))
