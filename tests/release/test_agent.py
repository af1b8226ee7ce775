"""The agent over real HTTP: what it brings, writes and refuses."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.release.agent import Agent, AgentServer
from recsys.release.agent_client import AgentFiles
from recsys.release.catch_up import look
from recsys.release.manifest import DataWindow, Verdict
from recsys.release.replica import Replica
from recsys.release.store import ReleaseStore
from recsys.serving.control import Control
from recsys.serving.graph import ENSEMBLE, MODELS
from recsys.serving.layout import CHALLENGER, Layout, only
from recsys.serving.repository import assemble
from recsys.settings import ServingSettings

KEY = "k" * 40


@pytest.fixture
def source(tmp_path: Path) -> ReleaseStore:
    """A store with two good releases and one that the gate refused."""
    store, staging = ReleaseStore(tmp_path / "store"), tmp_path / "staging"
    staging.mkdir()
    for number, passed in ((1, True), (2, True), (3, False)):
        (staging / "model").write_text(f"release {number}")
        verdict = Verdict(passed=passed, reason="" if passed else "too slow")
        store.publish(staging, data=DataWindow(fingerprint=str(number), days=(0,)), metrics={}, gate=verdict)
    store.set_current(1)
    return store


@pytest.fixture
def pod(tmp_path: Path, source: ReleaseStore) -> Agent:
    """The agent of a pod that started on release 1."""
    agent = Agent(str(source.root), tmp_path / "pod", ServingSettings())
    agent.bring(1)
    models = tmp_path / "pod" / "triton" / "models"
    models.parent.mkdir()
    assemble(models, tmp_path / "pod" / "releases", 1, ServingSettings())
    return agent


@pytest.fixture
def address(pod: Agent) -> Iterator[str]:
    with AgentServer(("127.0.0.1", 0), pod, KEY) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def files(address: str) -> AgentFiles:
    return AgentFiles(address, KEY, fetch_s=10)


def status(address: str, method: str, path: str, key: str | None = KEY, body: bytes = b"") -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_release_is_brought_and_laid_out_beside_the_old_one(files: AgentFiles, tmp_path: Path) -> None:
    assert files.read() == only(1)
    files.write(only(1).beside(2))
    assert files.read() == Layout((1, 2), 1, 2)
    assert (tmp_path / "pod" / "releases" / "2" / "model").read_text() == "release 2"
    assert (tmp_path / "pod" / "triton" / "models" / CHALLENGER / "config.pbtxt").is_file()
    files.write(only(2))
    files.clear()
    assert files.read() == only(2)
    assert not (tmp_path / "pod" / "triton" / "models" / MODELS[0].name / "1").exists()


@pytest.mark.parametrize(("number", "why"), [(3, "refused by its gate: too slow"), (9, "not in")])
def test_what_must_not_be_served_is_refused_with_the_reason(files: AgentFiles, number: int, why: str) -> None:
    with pytest.raises(RecsysError, match=why):
        files.bring(number)
    with pytest.raises(RecsysError, match=why):
        files.write(only(1).beside(number))
    assert files.read() == only(1)


def test_a_damaged_file_at_the_source_is_refused(files: AgentFiles, source: ReleaseStore) -> None:
    damaged = source._object(source.show(2).files["model"].sha256)
    damaged.chmod(0o644)
    damaged.write_text("something else")
    with pytest.raises(RecsysError, match="does not hash to its name"):
        files.bring(2)


@pytest.mark.parametrize("key", [None, "", "wrong", KEY[:-1], KEY + "k"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/layout"), ("PUT", "/layout"), ("POST", "/fetch"), ("POST", "/clear")]
)
def test_without_the_key_nothing_is_told_or_done(
    address: str, key: str | None, method: str, path: str
) -> None:
    assert status(address, method, path, key) == 401


def test_probes_need_no_key(address: str, pod: Agent) -> None:
    assert status(address, "GET", "/healthz", None) == 200
    assert status(address, "GET", "/readyz", None) == 503
    pod.ready.set()
    assert status(address, "GET", "/readyz", None) == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"release": "../../etc"}',
        b'{"release": true}',
        b'{"release": 0}',
        b'{"release": 1.5}',
        b"x" * 100_000,
    ],
)
def test_a_body_that_is_no_release_is_refused(address: str, body: bytes) -> None:
    assert status(address, "POST", "/fetch", body=body) == 409


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"versions": [], "ensemble": 1, "challenger": null}',
        b'{"versions": 5, "ensemble": 1, "challenger": null}',
        b'{"versions": ["1"], "ensemble": 1, "challenger": null}',
        b'{"versions": [1], "ensemble": 2, "challenger": null}',
    ],
)
def test_a_body_that_is_no_layout_is_refused(address: str, files: AgentFiles, body: bytes) -> None:
    assert status(address, "PUT", "/layout", body=body) == 409
    assert files.read() == only(1)


def test_a_gateways_pod_has_no_models(tmp_path: Path, source: ReleaseStore) -> None:
    agent = Agent(str(source.root), tmp_path / "gateway", ServingSettings())
    with AgentServer(("127.0.0.1", 0), agent, KEY) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        files = AgentFiles(f"127.0.0.1:{server.server_address[1]}", KEY)
        files.bring(2)
        with pytest.raises(RecsysError, match="/layout is not here"):
            files.read()
        server.shutdown()
        thread.join()
    assert (tmp_path / "gateway" / "releases" / "2" / "model").is_file()


def test_without_a_key_it_does_not_start(pod: Agent) -> None:
    with pytest.raises(BadUse, match="RECSYS_PROMOTION__ADMIN_KEY: not set"):
        AgentServer(("127.0.0.1", 0), pod, "")


def test_an_agent_that_is_away_is_one_line(address: str) -> None:
    del address
    with pytest.raises(Unavailable, match=r"release agent at 127\.0\.0\.1:1: "):
        AgentFiles("127.0.0.1:1", KEY).read()


def test_a_caller_that_went_away_is_one_line(pod: Agent, capsys: pytest.CaptureFixture[str]) -> None:
    with AgentServer(("127.0.0.1", 0), pod, KEY) as server:
        try:
            raise BrokenPipeError(32, "Broken pipe")
        except OSError:
            server.handle_error(None, ("10.0.0.7", 40_000))
    assert capsys.readouterr().err == "10.0.0.7 went away before the answer: [Errno 32] Broken pipe\n"


def test_an_agent_that_hangs_is_found_out_before_anything_is_brought() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        files = AgentFiles(f"127.0.0.1:{silent.getsockname()[1]}", KEY, fetch_s=600, answer_s=0.1)
        replica = Replica("silent", Control("127.0.0.1:1"), files)
        with pytest.raises(Unavailable, match=r"release agent at .*: timed out"):
            replica.add(2)


class Loading(Control):
    """A Triton that loads whatever the pod's repository says."""

    def __init__(self, pod: Agent) -> None:
        super().__init__("127.0.0.1:1")
        self._pod = pod

    def load(self, name: str) -> None:
        pass

    def unload(self, name: str) -> None:
        pass

    def states(self) -> dict[tuple[str, int], str]:
        layout = self._pod.read()
        found = {(model.name, number) for model in MODELS for number in layout.versions}
        return dict.fromkeys(found | {(ENSEMBLE, layout.ensemble)}, "READY")


def test_a_pod_that_started_on_the_old_release_catches_up(pod: Agent, source: ReleaseStore) -> None:
    replica = Replica("here", Loading(pod), pod)
    assert look(pod, replica, str(source.root))
    assert pod.read() == only(1)
    source.set_current(2)  # a promotion that did not see this pod
    assert look(pod, replica, str(source.root))
    assert pod.read() == only(2)


def test_a_pod_that_was_told_its_release_does_not_follow_the_pointer(
    pod: Agent, source: ReleaseStore
) -> None:
    source.set_current(2)
    assert look(pod, Replica("here", Loading(pod), pod), str(source.root), pinned=1)
    assert pod.read() == only(1)


def test_a_pod_that_a_promotion_has_spoken_to_leaves_it_in_charge(
    pod: Agent, address: str, source: ReleaseStore
) -> None:
    AgentFiles(address, KEY).write(Layout((1, 2), 2))  # switched, and the pointer not moved yet
    assert pod.told.is_set()
    assert not look(pod, Replica("here", Loading(pod), pod), str(source.root))
    assert pod.read() == Layout((1, 2), 2)
