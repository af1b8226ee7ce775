from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from recsys.errors import RecsysError, Unavailable
from recsys.local.ports import choose_port, is_taken
from recsys.local.process import Process, find
from recsys.local.service import Backoff, Context, Endpoints, Launch, Service
from recsys.local.state import StateFile
from recsys.local.supervisor import Supervisor
from recsys.settings import Settings

ECHO = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""


def echo_service(name: str, port: int = 0, needs: tuple[str, ...] = (), program: str = ECHO) -> Service:
    """A real process that listens on a port."""

    def plan(context: Context) -> Launch:
        previous = int(context.previous.get("url", ":0").rpartition(":")[2])
        chosen = choose_port(port or previous, name, "RECSYS_TEST__PORT")
        return Launch([sys.executable, "-c", program, str(chosen)], {"url": f"127.0.0.1:{chosen}"})

    return Service(name, plan, _answers, needs=needs, ready_timeout_s=10)


def _answers(endpoints: Endpoints) -> bool:
    host, _, port = endpoints["url"].rpartition(":")
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def pair(settings: Settings):
    supervisor = Supervisor([echo_service("store"), echo_service("server", needs=("store",))], settings)
    yield supervisor
    supervisor.down()


def pids(supervisor: Supervisor) -> dict[str, int]:
    return {name: entry["pid"] for name, entry in supervisor.status().items()}


def kill(pid: int) -> None:
    """`kill -9`, and wait until the process is gone."""
    killed = find(pid)
    assert killed is not None
    os.kill(pid, signal.SIGKILL)
    killed.wait(5)
    assert not killed.alive()


def test_before_up_all_is_stopped(pair: Supervisor) -> None:
    assert pair.status() == {"store": {"state": "stopped"}, "server": {"state": "stopped"}}


def test_up_makes_all_ready_and_another_process_sees_it(pair: Supervisor, settings: Settings) -> None:
    pair.up()
    status = Supervisor(pair.services, settings).status()
    assert [entry["state"] for entry in status.values()] == ["ready", "ready"]
    assert all(find(entry["pid"]) for entry in status.values())


def test_twice_is_once(pair: Supervisor) -> None:
    pair.up()
    first = pids(pair)
    events: list[tuple[str, str]] = []
    pair.up(lambda *event: events.append(event))
    assert pids(pair) == first
    assert events == [("store", "already ready"), ("server", "already ready")]


def test_down_stops_all_dependents_first_and_twice_is_once(pair: Supervisor) -> None:
    pair.up()
    ports = [int(entry["url"].rpartition(":")[2]) for entry in pair.status().values()]
    events: list[str] = []
    pair.down(lambda name, _: events.append(name))
    pair.down()
    assert events == ["server", "store"]
    assert not any(is_taken(port) for port in ports)
    assert {entry["state"] for entry in pair.status().values()} == {"stopped"}


def test_a_killed_service_is_failed_and_up_recovers_it_alone(pair: Supervisor) -> None:
    pair.up()
    before = pair.status()
    kill(before["server"]["pid"])
    assert pair.status()["server"]["state"] == "failed"
    pair.up()
    after = pair.status()
    assert after["store"] == before["store"]
    assert after["server"]["state"] == "ready"
    assert after["server"]["url"] == before["server"]["url"]


def test_what_needs_a_service_that_moved_is_restarted(settings: Settings, tmp_path: Path) -> None:
    supervisor = Supervisor([echo_service("store"), echo_service("server", needs=("store",))], settings)
    supervisor.up()
    before = pids(supervisor)
    state = StateFile(tmp_path)
    entries = state.read()
    entries.pop("store").process.stop()
    state.write(entries)
    supervisor.up()
    assert pids(supervisor)["server"] != before["server"]
    supervisor.down()


def test_a_taken_port_is_one_line_and_leaves_the_others_up(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        supervisor = Supervisor([echo_service("store"), echo_service("server", port)], settings)
        with pytest.raises(
            RecsysError, match=f"^port {port} of server: another process listens on it"
        ) as caught:
            supervisor.up()
    assert "\n" not in str(caught.value)
    assert supervisor.status()["store"]["state"] == "ready"
    supervisor.down()


def test_a_service_that_ends_at_once_tells_its_last_words(settings: Settings) -> None:
    supervisor = Supervisor([echo_service("server", program="raise SystemExit('no model found')")], settings)
    with pytest.raises(RecsysError, match=r"^server: no model found\. See .*server\.log"):
        supervisor.up()
    assert supervisor.status()["server"]["state"] == "failed"


def test_a_service_that_never_gets_ready_is_stopped(settings: Settings) -> None:
    asleep = echo_service("server", program="import time; time.sleep(60)")
    slow = Service("server", asleep.plan, lambda _: False, ready_timeout_s=0.3)
    supervisor = Supervisor([slow], settings)
    with pytest.raises(Unavailable, match=r"^server: not ready within 0\.3 s"):
        supervisor.up()
    assert supervisor.status()["server"]["state"] == "failed"


def test_down_leaves_a_pid_alone_that_is_somebody_elses_now(pair: Supervisor, settings: Settings) -> None:
    pair.up()
    state = StateFile(settings.home)
    entries = state.read()
    stranger = find(os.getpid())
    assert stranger is not None
    entry = entries["server"]
    entry.process.stop()
    entries["server"] = type(entry)(
        Process(stranger.pid, stranger.start_ticks - 1), entry.endpoints, entry.log
    )
    state.write(entries)
    assert pair.status()["server"]["state"] == "failed"
    pair.down()
    assert stranger.alive()


def test_after_ready_runs_at_every_up_and_knows_the_endpoints(settings: Settings) -> None:
    filled: list[str] = []

    def fill(context: Context, report: Callable[[str], None]) -> None:
        filled.append(context.endpoints["store"]["url"])
        report("filling")

    supervisor = Supervisor([replace(echo_service("store"), after_ready=fill)], settings)
    events: list[tuple[str, str]] = []
    supervisor.up(lambda *event: events.append(event))
    supervisor.up()
    assert filled == [supervisor.status()["store"]["url"]] * 2
    assert events == [("store", "starting"), ("store", "filling"), ("store", "ready")]
    supervisor.down()


def test_watch_restarts_what_was_killed(pair: Supervisor) -> None:
    pair.up()
    before = pids(pair)
    kill(before["store"])
    looks = iter(range(200))
    pair.watch(stop=lambda: next(looks) == 199 or _all_ready(pair))
    assert pids(pair)["store"] != before["store"]
    assert _all_ready(pair)


def _all_ready(supervisor: Supervisor) -> bool:
    return all(entry["state"] == "ready" for entry in supervisor.status().values())


def test_waits_double_up_to_the_ceiling() -> None:
    waits = [Backoff(first_s=1, ceiling_s=5).wait_s(failures) for failures in (1, 2, 3, 4, 100)]
    assert waits == [1, 2, 4, 5, 5]


def test_a_damaged_state_file_is_one_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "services.json").write_text('{"triton": 3}')
    with pytest.raises(RecsysError, match=r"services\.json: is damaged"):
        Supervisor([echo_service("triton")], settings).status()


def test_the_lock_is_waited_for_only_so_long(tmp_path: Path) -> None:
    with (
        StateFile(tmp_path).locked(),
        pytest.raises(RecsysError, match="another `recsys up` or `recsys down` is at work"),
        StateFile(tmp_path).locked(timeout_s=0.2),
    ):
        raise AssertionError("the lock was given twice")


def test_another_release_restarts_only_what_serves_it(settings: Settings) -> None:
    services = [echo_service("store"), replace(echo_service("server"), serves_release=True)]
    first = Supervisor(services, settings, release=1)
    first.up()
    before = pids(first)
    second = Supervisor(services, settings, release=2)
    second.up()
    assert pids(second)["store"] == before["store"]
    assert pids(second)["server"] != before["server"]
    second.down()


def test_which_release_is_current_is_asked_anew_at_every_up(settings: Settings) -> None:
    """A promotion may have moved the servers on since this supervisor was made."""
    current = [1]
    services = [replace(echo_service("server"), serves_release=True)]
    watching = Supervisor(services, settings, release=1, current=lambda: current[0])
    watching.up()
    before = pids(watching)
    running = watching.state.read()
    watching.state.write({name: replace(entry, release=2) for name, entry in running.items()})
    current[0] = 2
    watching.up()
    assert pids(watching) == before
    watching.down()


def test_up_stops_what_an_up_with_more_services_left(settings: Settings) -> None:
    services = [echo_service("one"), echo_service("two"), echo_service("door", needs=("one", "two"))]
    more, fewer = Supervisor(services, settings), Supervisor([services[0], services[2]], settings)
    more.up()
    before = pids(more)
    left = find(before["two"])
    fewer.up()
    assert left is not None
    assert not left.alive()
    after = pids(fewer)
    assert set(after) == {"one", "door"}
    assert after["one"] == before["one"]
    assert after["door"] != before["door"]  # it still knew the one that is gone
    fewer.down()
