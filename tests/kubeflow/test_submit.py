from __future__ import annotations

import socket

import pytest
from factories.kubeflow import FakeKubeflow, fake_kubeflow

from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.kubeflow import submit
from recsys.kubeflow.submit import PipelineServer

PACKAGE = {"pipeline_spec": {"pipelineInfo": {"name": "p"}}, "platform_spec": {"platforms": {}}}


@pytest.fixture
def kubeflow():
    with fake_kubeflow() as fake:
        yield fake


def _send(fake: FakeKubeflow, token: str = "", **changes):
    options = {"name": "n", "experiment": "shop", "service_account": "runner", **changes}
    return PipelineServer(fake.url, token).submit(PACKAGE, {"data": "s3://b"}, **options)


def test_a_run_has_its_pipeline_arguments_and_account(kubeflow) -> None:
    sent = _send(kubeflow)
    (run,) = kubeflow.runs
    assert sent.run_id == "run-1"
    assert sent.url == f"{kubeflow.url}/#/runs/details/run-1"
    assert run["pipeline_spec"] == PACKAGE
    assert run["runtime_config"]["parameters"] == {"data": "s3://b"}
    assert (run["service_account"], run["experiment_id"]) == ("runner", "experiment-1")


def test_an_experiment_is_made_once(kubeflow) -> None:
    _send(kubeflow)
    _send(kubeflow)
    assert kubeflow.experiments == {"shop": "experiment-1"}


def test_the_token_goes_along(kubeflow) -> None:
    _send(kubeflow, token="abc")
    assert set(kubeflow.tokens) == {"Bearer abc"}


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [(400, RecsysError, "bad pipeline"), (403, RecsysError, "--token-file"), (503, Unavailable, "503")],
)
def test_a_refusal_is_told(kubeflow, status: int, kind: type, said: str) -> None:
    kubeflow.fail_with = (status, "bad pipeline")
    with pytest.raises(kind, match=said):
        _send(kubeflow)
    assert kubeflow.runs == []


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(Unavailable, match="did not answer"):
            _send(FakeKubeflow(url=f"http://127.0.0.1:{taken.getsockname()[1]}"))


def test_a_server_that_hangs_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(submit, "_TIMEOUT_S", (0.5, 0.5))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unavailable, match="did not answer"):
            _send(FakeKubeflow(url=f"http://127.0.0.1:{silent.getsockname()[1]}"))


def test_waiting_tells_states_and_outlasts_a_restart(kubeflow) -> None:
    kubeflow.states, kubeflow.away = ["PENDING", "RUNNING", "SUCCEEDED"], 2
    told: list[str] = []
    PipelineServer(kubeflow.url).wait("run-1", 60, told.append, pause_s=0.01)
    assert told == ["server does not answer"] * 2 + ["pending", "running", "succeeded"]


@pytest.mark.parametrize(("states", "said"), [(["FAILED"], "ended as failed"), (["RUNNING"], "is not over")])
def test_waiting_ends_badly(kubeflow, states: list[str], said: str) -> None:
    kubeflow.states = states
    with pytest.raises(RecsysError, match=said):
        PipelineServer(kubeflow.url).wait("run-1", 0.05, lambda _: None, pause_s=0.01)


def test_an_address_that_is_none() -> None:
    with pytest.raises(BadUse, match="is not a URL"):
        PipelineServer("kubeflow:8888")
