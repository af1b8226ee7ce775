"""MLflow beside the store of releases: runs to compare, and a registry whose aliases follow ours.

A release is a run (parameters, metrics, manifest, gate report) and a version of one registered model.
`champion` is the release that is current, `challenger` the newest one after it that passed its gate. Nothing
that serves asks MLflow: when it cannot be reached the store goes on without it, and the next hook that
reaches it brings it up to date.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.release.gate_page import gate_page
from recsys.release.manifest import Manifest
from recsys.release.releases import Releases
from recsys.release.tracked import metrics_of, parameters_of, tags_of
from recsys.settings import MlflowSettings, get_settings

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
_RELEASE: Final = "release"
_STORE: Final = "store"
_SQLITE: Final = "sqlite:///"
_MOST_VERSIONS: Final = 1_000


def on_publish(store: Releases, settings: MlflowSettings | None = None) -> str:
    """To be called when a release was published; see `on_promote`."""
    return on_promote(store, settings)


def on_promote(store: Releases, settings: MlflowSettings | None = None) -> str:
    """To be called when another release is current, after a promotion and after a rollback alike.

    Args:
        store: The releases; all of them that MLflow does not know are logged.
        settings: Where MLflow is; the process's own by default.

    Returns:
        Why MLflow is not up to date, in one line; empty when it is, or is not configured.
    """
    settings = settings or get_settings().mlflow
    if not settings.uri:
        return ""
    try:
        Tracker(settings).follow(store)
    except RecsysError as error:
        return f"{error.thing}: {error.cause}. {error.fix}"
    return ""


class Tracker:
    """A connection to MLflow.

    Args:
        settings: Where it is.

    Raises:
        BadUse: No address is configured, or MLflow is not installed.
    """

    def __init__(self, settings: MlflowSettings) -> None:
        if not settings.uri:
            raise BadUse("MLflow", "no address is configured", "Set RECSYS_MLFLOW__URI")
        self._settings = settings
        self._client = _client(settings)

    def follow(self, store: Releases) -> None:
        """Logs the releases that MLflow does not know and sets the aliases as the store has them.

        Raises:
            Unavailable: MLflow did not answer.
        """
        with _one_line(self._settings.uri):
            versions = self._versions(store)
            for manifest in store.list():
                if manifest.release not in versions:
                    versions[manifest.release] = self._log(store, manifest)
            self._alias(CHAMPION, versions.get(store.current() or 0))
            self._alias(CHALLENGER, versions.get(challenger(store) or 0))

    def _versions(self, store: Releases) -> dict[int, str]:
        """MLflow's version of each release of this store."""
        name = self._settings.model
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)
        found = self._client.search_model_versions(f"name = '{name}'", max_results=_MOST_VERSIONS)
        own = [one for one in found if one.tags.get(_STORE) == str(store)]
        return {int(one.tags[_RELEASE]): one.version for one in own}

    def _log(self, store: Releases, manifest: Manifest) -> str:
        """Makes the run and the version of a release; the version's number."""
        client, tags = self._client, {**tags_of(manifest), _STORE: str(store)}
        run = client.create_run(self._experiment(), run_name=f"release {manifest.release}", tags=tags).info
        for key, value in parameters_of(store, manifest).items():
            client.log_param(run.run_id, key, value)
        for key, number in metrics_of(manifest.metrics).items():
            client.log_metric(run.run_id, key, number)
        client.log_text(run.run_id, manifest.to_json(), "manifest.json")
        if manifest.gate.report:
            client.log_text(run.run_id, json.dumps(manifest.gate.report, indent=1), "gate.json")
            client.log_text(run.run_id, gate_page(manifest.gate.report), "gate.html")
        client.set_terminated(run.run_id)
        version = client.create_model_version(
            self._settings.model, source=run.artifact_uri, run_id=run.run_id, tags=tags
        )
        return str(version.version)

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._settings.experiment)
        if found is not None:
            return str(found.experiment_id)
        place = None
        if self._settings.uri.startswith(_SQLITE):
            # Else MLflow would write to the folder that the command happens to run in.
            place = (
                Path(self._settings.uri.removeprefix(_SQLITE)).resolve().with_suffix(".artifacts").as_uri()
            )
        return str(self._client.create_experiment(self._settings.experiment, artifact_location=place))

    def _alias(self, alias: str, version: str | None) -> None:
        name = self._settings.model
        held = self._client.get_registered_model(name).aliases.get(alias)
        if version is not None and str(held) != version:
            self._client.set_registered_model_alias(name, alias, version)
        elif version is None and held is not None:
            self._client.delete_registered_model_alias(name, alias)


def challenger(store: Releases) -> int | None:
    """The newest release after the current one that passed its gate; None where there is none."""
    current = store.current() or 0
    passed = [one.release for one in store.list() if one.release > current and one.gate.passed]
    return max(passed, default=None)


def _client(settings: MlflowSettings) -> Any:
    # Read by MLflow when it is imported and at each call: short waits, and no word to its makers.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(settings.timeout_s))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise BadUse(
            "RECSYS_MLFLOW__URI",
            f"MLflow is not installed ({error.name})",
            "Install mlflow-skinny, or unset it",
        ) from error
    with _one_line(settings.uri):
        return MlflowClient(tracking_uri=settings.uri, registry_uri=settings.uri)


@contextmanager
def _one_line(uri: str) -> Iterator[None]:
    try:
        yield
    except RecsysError:
        raise
    except Exception as error:  # MLflow lets through what its database and HTTP libraries raise
        cause = (str(error) or type(error).__name__).strip().splitlines()[0][:200]
        raise Unavailable(
            f"MLflow at {uri}", cause, "Nothing that serves needs it; the next run catches up"
        ) from error
