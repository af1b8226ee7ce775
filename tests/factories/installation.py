"""The chart's containers on this machine: their commands, arguments and environment, as processes.

Only what a container would get from elsewhere is replaced: addresses and ports, since all share one host;
volumes, which are folders of the pod's own; what Secrets hold; and what the images bring (where Python,
Triton, its backends and compiled pipelines are).
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
from dataclasses import dataclass, field
from functools import cache
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
        home: Where logs go and what the containers own; `home / "pod"` is the chart's `release.home`.
        valkey_url: What the Secret holds.
        keys_file: What the Secret with API keys holds.
        replaced: Addresses outside of the chart, and what stands for them.
    """

    objects: list[Object]
    home: Path
    valkey_url: str
    keys_file: Path
    replaced: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = ("http", "grpc", "metrics", "gateway", "worker", "triton-agent", "gateway-agent")
        self.ports = {name: free_port() for name in names}
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
    def serve(self, pod: str, container: str, ready: Callable[[], bool]) -> Iterator[int]:
        """Keep a container running until it is ready, and then until the block ends; gives its process id."""
        line, environment = self._process(pod, container)
        log = self.home / f"{pod.replace('/', '-')}-{container}.log"
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
            yield server.pid

    def probe(self, pod: str, container: str) -> bool:
        """Whether the command of a container's liveness probe succeeds."""
        (template,) = (found for owner, found in pods(self.objects) if owner == pod)
        (wanted,) = (each for each in containers(template) if each["name"] == container)
        _, environment = self._process(pod, container)
        line = self._program(wanted["livenessProbe"]["exec"]["command"], [])
        done = subprocess.run([*self._contained(), *line], env=environment, timeout=60, check=False)
        return done.returncode == 0

    def python(self, code: str) -> str:
        """What Python says to some code, contained as all containers are."""
        line = [*self._contained(), sys.executable, "-c", code]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    def _process(self, pod: str, container: str) -> tuple[list[str], dict[str, str]]:
        (template,) = (found for owner, found in pods(self.objects) if owner == pod)
        (wanted,) = (each for each in containers(template) if each["name"] == container)
        environment = {entry["name"]: self._value(entry) for entry in wanted.get("env", [])}
        for name, value in environment.items():
            environment[name] = self._own(pod, _expand(value, environment))
        arguments = [self._own(pod, _expand(each, environment)) for each in wanted.get("args", [])]
        command = wanted.get("command", []) or [arguments.pop(0)]  # an image without an entry point
        if command[-1] == "recsys.release.agent":
            arguments.append(f"--triton=127.0.0.1:{self.ports['http']}")
        line = self._program(command, arguments)
        addresses = self._addresses(environment, "gateway" if pod.endswith("gateway") else "triton")
        return [*self._contained(), *line], {**_image_environment(), **environment, **addresses}

    def _own(self, pod: str, text: str) -> str:
        """A volume of this pod alone, and where its peers are."""
        volume = self.home / "volumes" / pod.rpartition("/")[2]
        if not volume.is_dir():
            volume.mkdir(parents=True)
            give_away(volume)
        text = text.replace(str(self.home / "pod"), str(volume))
        text = text.replace("/opt/recsys/ir", str(self.home / "image" / "ir"))
        for address, instead in self.replaced.items():
            text = text.replace(address, instead)
        here = {"triton.shop.svc:8000": "http", "gateway-agents.shop.svc:8003": "gateway-agent"}
        for name, port in here.items():
            text = re.sub(rf"dns:[a-z-]+-{re.escape(name)}", f"dns:127.0.0.1:{self.ports[port]}", text)
        return text

    def _value(self, entry: Object) -> str:
        if "value" in entry:
            return str(entry["value"])
        source = entry["valueFrom"]
        if "fieldRef" in source:
            return "1" if "pod-index" in source["fieldRef"]["fieldPath"] else "this-pod"
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

    def _addresses(self, environment: dict[str, str], component: str) -> dict[str, str]:
        here = {
            "RECSYS_GATEWAY__HOST": "127.0.0.1",
            "RECSYS_GATEWAY__PORT": str(self.ports["gateway"]),
            "RECSYS_GATEWAY__TRITON": f"dns:///localhost:{self.ports['grpc']}",
            "RECSYS_GATEWAY__KEYS_FILE": str(self.keys_file),
            "RECSYS_WORKER__METRICS_HOST": "127.0.0.1",
            "RECSYS_WORKER__METRICS_PORT": str(self.ports["worker"]),
            "RECSYS_PROMOTION__AGENT_PORT": str(self.ports[f"{component}-agent"]),
        }
        return {name: value for name, value in here.items() if name in environment}

    def _contained(self) -> list[str]:
        """What to put before a command that root starts: another user, no privileges, files only to be read.

        That user may still read what it could not otherwise: this Python may lie in root's own folder. Only
        the containers' folder and `/tmp` can be written, which in the chart are volumes.
        """
        if os.geteuid() != 0:
            return []
        kept = "-all,+dac_read_search"
        capabilities = [f"--{name}={kept}" for name in ("inh-caps", "ambient-caps", "bounding-set")]
        identity = [f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--no-new-privs"]
        user = ["setpriv", *identity, *capabilities]
        if not may_mount():
            return user
        kept_open = " && ".join(f"mount --bind {folder} {folder}" for folder in ("/tmp", self.home))
        script = f'{kept_open} && mount -o remount,bind,ro / && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "container", *user]


@cache
def may_mount() -> bool:
    """Whether this process may give another a file system that cannot be written."""
    line = ["unshare", "--mount", "sh", "-c", "mount --bind /tmp /tmp && mount -o remount,bind,ro /"]
    done = subprocess.run(line, capture_output=True, timeout=30, check=False)
    return os.geteuid() == 0 and done.returncode == 0


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
    found = {name: needed[name] for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "PATH")}
    return found | {"RECSYS_SERVING__STAGES": "processes"}


def _expand(text: str, environment: dict[str, str]) -> str:
    """Kubernetes' $(NAME)."""
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], text)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(60)  # on a busy machine; a container that does not stop at all fails
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
