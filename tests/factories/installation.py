"""The chart's containers on this machine: their commands, arguments and environment, as processes.

Only what a container would get from elsewhere is replaced: addresses and ports, since all share one host;
what Secrets hold; and what the images bring (where Python, Triton and its backends are).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from factories.chart import Object, containers, pods

from recsys.local.ports import free_port
from recsys.serving import triton
from recsys.serving.wheel import prepare_backends, server_folder
from recsys.settings import Settings

ADMIN_KEY = "only-for-this-test"
_USER = 1000  # as in the chart


@dataclass
class Installation:
    """Containers of rendered pods, by name, as processes of an unprivileged user.

    Attributes:
        objects: The rendered chart.
        home: Where logs go and what the containers own.
        valkey_url: What the Secret holds.
        keys_file: What the Secret with API keys holds.
    """

    objects: list[Object]
    home: Path
    valkey_url: str
    keys_file: Path

    def __post_init__(self) -> None:
        self.ports = {name: free_port() for name in ("http", "grpc", "metrics", "gateway", "worker")}
        self._backends = prepare_backends(self.home / "image")
        give_away(self.home)

    def run(self, pod: str, container: str) -> str:
        """Run a container that ends by itself.

        Returns:
            What it said.

        Raises:
            AssertionError: It failed.
        """
        line, environment = self._process(pod, container)
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serve(self, pod: str, container: str, ready: Callable[[], bool]) -> Iterator[None]:
        """Keep a container running until it is ready, and then until the block ends."""
        line, environment = self._process(pod, container)
        log = self.home / f"{container}.log"
        with ExitStack() as stack:
            stream = stack.enter_context(log.open("wb"))
            server = subprocess.Popen(
                line, env=environment, stdout=stream, stderr=stream, start_new_session=True
            )
            stack.callback(_stop, server)
            deadline = time.monotonic() + 120
            while not ready():
                assert server.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, log.read_text()[-2000:]
                time.sleep(0.1)
            yield

    def probe(self, pod: str, container: str) -> bool:
        """Whether the command of a container's liveness probe succeeds."""
        (template,) = (found for owner, found in pods(self.objects) if owner == pod)
        (wanted,) = (each for each in containers(template) if each["name"] == container)
        _, environment = self._process(pod, container)
        line = self._program(wanted["livenessProbe"]["exec"]["command"], [])
        done = subprocess.run([*_as_user(), *line], env=environment, timeout=60, check=False)
        return done.returncode == 0

    def _process(self, pod: str, container: str) -> tuple[list[str], dict[str, str]]:
        (template,) = (found for owner, found in pods(self.objects) if owner == pod)
        (wanted,) = (each for each in containers(template) if each["name"] == container)
        environment = {entry["name"]: self._value(entry) for entry in wanted.get("env", [])}
        for name, value in environment.items():
            environment[name] = _expand(value, environment)
        arguments = [_expand(each, environment) for each in wanted.get("args", [])]
        line = self._program(wanted["command"], arguments)
        return [*_as_user(), *line], {**_image_environment(), **environment, **self._addresses(environment)}

    def _value(self, entry: Object) -> str:
        if "value" in entry:
            return str(entry["value"])
        source = entry["valueFrom"]
        if "fieldRef" in source:
            return "this-pod"
        return {"key": ADMIN_KEY, "url": self.valkey_url}[source["secretKeyRef"]["key"]]

    def _program(self, command: list[str], arguments: list[str]) -> list[str]:
        if command[0] != "tritonserver":
            return [sys.executable, *command[1:], *arguments]
        here = {"8000": "http", "8001": "grpc", "8002": "metrics"}
        placed = [
            re.sub(r"port=(\d+)$", lambda found: f"port={self.ports[here[found[1]]]}", each)
            for each in arguments
        ]
        return [
            str(server_folder() / "bin" / "tritonserver"),
            *placed,
            f"--backend-directory={self._backends.resolve()}",
        ]

    def _addresses(self, environment: dict[str, str]) -> dict[str, str]:
        here = {
            "RECSYS_GATEWAY__HOST": "127.0.0.1",
            "RECSYS_GATEWAY__PORT": str(self.ports["gateway"]),
            "RECSYS_GATEWAY__TRITON": f"dns:///localhost:{self.ports['grpc']}",
            "RECSYS_GATEWAY__KEYS_FILE": str(self.keys_file),
            "RECSYS_WORKER__METRICS_HOST": "127.0.0.1",
            "RECSYS_WORKER__METRICS_PORT": str(self.ports["worker"]),
        }
        return {name: value for name, value in here.items() if name in environment}


def answers(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> bool:
    """Whether a URL answers 2xx."""
    try:
        request = urllib.request.Request(url, data=data, headers=headers or {})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="recsys-chart-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def give_away(folder: Path) -> None:
    """Make a folder the containers' user's, where this process may."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _USER, _USER, follow_symlinks=False)


def _image_environment() -> dict[str, str]:
    """What the images set."""
    needed = triton.environment(Settings())
    return {name: needed[name] for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "PATH")}


def _as_user() -> list[str]:
    """What to put before a command that root starts: another user, no new privileges.

    That user may still read what it could not otherwise: this Python may lie in root's own folder.
    """
    if os.geteuid() != 0:
        return []
    kept = "-all,+dac_read_search"
    identity = [f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *identity, f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"]


def _expand(text: str, environment: dict[str, str]) -> str:
    """Kubernetes' $(NAME)."""
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], text)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
