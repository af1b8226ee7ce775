"""Runs of compiled pipelines on a Kubeflow Pipelines server, through its v2beta1 API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from recsys.errors import BadUse, RecsysError, Unavailable

_TIMEOUT_S: Final = (5.0, 30.0)  # to connect, to answer
_PAUSE_S: Final = 5.0
_OUTAGE_S: Final = 120.0  # how long a server may be away while a run is waited for
_OVER: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})


@dataclass(frozen=True)
class Submission:
    """A run that the server has accepted.

    Attributes:
        run_id: The server's name for it.
        url: Its page in Kubeflow's web interface.
    """

    run_id: str
    url: str


class PipelineServer:
    """A Kubeflow Pipelines server; every call has a time limit and is made once.

    Args:
        endpoint: Address of its API, such as http://ml-pipeline.kubeflow:8888.
        token: For `Authorization: Bearer`; empty where none is asked for.
        namespace: Of a multi-user installation; empty else.
    """

    def __init__(self, endpoint: str, token: str = "", namespace: str = "") -> None:
        import kfp_server_api as api  # type: ignore[import-untyped]

        if not endpoint.startswith(("http://", "https://")):
            raise BadUse(
                f"endpoint {endpoint!r}", "is not a URL", "Write it like https://kubeflow.example/pipeline"
            )
        self.endpoint = endpoint.rstrip("/")
        self.namespace = namespace
        configuration = api.Configuration(host=self.endpoint)
        configuration.retries = False  # a run must not be created twice
        if token:
            configuration.api_key = {"authorization": token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        client = api.ApiClient(configuration)
        self._api = api
        self._experiments = api.ExperimentServiceApi(client)
        self._runs = api.RunServiceApi(client)

    def submit(
        self,
        package: dict[str, Any],
        arguments: dict[str, Any],
        *,
        name: str,
        experiment: str,
        service_account: str = "",
    ) -> Submission:
        """Start a run.

        Args:
            package: What `recsys.kubeflow.arguments.read_package` returned.
            arguments: By parameter name.
            name: Shown for the run.
            experiment: Runs are grouped by it; made where it is not there.
            service_account: That the steps run as; the server's default when empty.

        Raises:
            Unavailable: The server did not answer in time, or not at all.
            RecsysError: It refused.
        """
        api = self._api
        with _told(self.endpoint):
            body = api.V2beta1Run(
                experiment_id=self._experiment(experiment),
                display_name=name,
                pipeline_spec=package,
                runtime_config=api.V2beta1RuntimeConfig(parameters=arguments),
                service_account=service_account or None,
            )
            run = self._runs.run_service_create_run(body=body, _request_timeout=_TIMEOUT_S)
        return Submission(run.run_id, f"{self.endpoint}/#/runs/details/{run.run_id}")

    def wait(
        self, run_id: str, limit_s: float, note: Callable[[str], None], pause_s: float = _PAUSE_S
    ) -> None:
        """Return when a run has succeeded.

        Args:
            run_id: Of a submission.
            limit_s: Longest wait in seconds; the run itself goes on after it.
            note: Told the run's state.
            pause_s: Between two questions, in seconds.

        Raises:
            RecsysError: The run failed, was cancelled, or is not over within the limit.
            Unavailable: The server was away for too long.
        """
        end = time.monotonic() + limit_s
        away_since: float | None = None
        while True:
            try:
                state = self._state(run_id)
                away_since = None
            except Unavailable:
                # A server that restarts must not make a run of hours look failed.
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since + pause_s > min(_OUTAGE_S, limit_s):
                    raise
                state = "server does not answer"
            note(state.lower())
            if state in _OVER:
                break
            if time.monotonic() + pause_s > end:
                cause = f"is not over after {limit_s:g} s ({state.lower()})"
                raise RecsysError(f"run {run_id}", cause, "It goes on; look at its page")
            time.sleep(pause_s)
        if state != "SUCCEEDED":
            raise RecsysError(f"run {run_id}", f"ended as {state.lower()}", "Look at its steps on its page")

    def _state(self, run_id: str) -> str:
        with _told(self.endpoint):
            run = self._runs.run_service_get_run(run_id=run_id, _request_timeout=_TIMEOUT_S)
        return str(run.state or "PENDING")

    def _experiment(self, name: str) -> str:
        named = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        found = self._experiments.experiment_service_list_experiments(
            filter=json.dumps({"predicates": [named]}),
            namespace=self.namespace,
            page_size=1,
            _request_timeout=_TIMEOUT_S,
        )
        if found.experiments:
            return str(found.experiments[0].experiment_id)
        body = self._api.V2beta1Experiment(display_name=name, namespace=self.namespace or None)
        made = self._experiments.experiment_service_create_experiment(body=body, _request_timeout=_TIMEOUT_S)
        return str(made.experiment_id)


def read_token(path: Path | None) -> str:
    """A bearer token from a file, such as the one that Kubernetes mounts; empty without a file."""
    return path.read_text().strip() if path else ""


@contextmanager
def _told(endpoint: str) -> Iterator[None]:
    """The client's errors as the project's."""
    from kfp_server_api.exceptions import ApiException  # type: ignore[import-untyped]
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        if error.status in {401, 403}:
            raise RecsysError(
                endpoint, f"refused with {error.status}", "Give --token-file with a valid token"
            ) from error
        if error.status in {502, 503, 504}:
            raise Unavailable(
                endpoint, f"answered {error.status}", "Try again when the server is up"
            ) from error
        raise RecsysError(
            endpoint, f"answered {error.status}: {_message(error)}", "Mend what it names"
        ) from error
    except (HTTPError, OSError) as error:
        cause = f"did not answer ({type(error).__name__})"
        raise Unavailable(
            endpoint, cause, "Check the address and that it can be reached from here"
        ) from error


def _message(error: Any) -> str:
    """What the server says, of an error whose body is JSON or not."""
    try:
        body = json.loads(error.body)
    except (TypeError, ValueError):
        return str(error.reason)
    return (
        str(body.get("message") or body.get("error") or error.reason)
        if isinstance(body, dict)
        else str(error.reason)
    )
