"""The real Triton server of the `nvidia-pytriton` wheel: started, probed and stopped as a plain process."""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import recsys
from recsys import tracing
from recsys.errors import RecsysError, Unavailable
from recsys.local import process
from recsys.local.ports import LOOPBACK, choose_port
from recsys.serving.embedded import build
from recsys.serving.gently import VARIABLE as LOAD_NICE
from recsys.serving.graph import ENSEMBLE, steps
from recsys.serving.wheel import prepare_backends, server_folder
from recsys.settings import ServingSettings, Settings

_POLL_S: Final = 0.05
_PROBE_TIMEOUT_S: Final = 1.0
_SHM: Final = Path("/dev/shm")  # noqa: S108 - where Triton's Python backend keeps its tensors
_SHM_PREFIX_FILE: Final = "shm_prefix"
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Ports:
    """Where a server listens, TCP ports on one address."""

    http: int
    grpc: int
    metrics: int

    @classmethod
    def choose(cls, settings: Settings) -> Ports:
        """The ports of the settings, any free one where they say 0.

        Raises:
            RecsysError: One is taken; names the port and its setting.
        """
        serving = settings.serving
        chosen: list[int] = []
        for name in ("http", "grpc", "metrics"):
            wanted = getattr(serving, f"{name}_port")
            port = choose_port(wanted, f"Triton ({name})", f"RECSYS_SERVING__{name.upper()}_PORT")
            while wanted == 0 and port in chosen:
                port = choose_port(0, f"Triton ({name})", "")
            chosen.append(port)
        return cls(*chosen)

    def endpoints(self) -> dict[str, str]:
        """`host:port` of http, grpc and metrics."""
        return {name: f"{LOOPBACK}:{getattr(self, name)}" for name in ("http", "grpc", "metrics")}


def command(models_dir: Path, run_dir: Path, ports: Ports, serving: ServingSettings) -> list[str]:
    """The command line of a server on the loopback address.

    Models are loaded at the start and on request only (`--model-control-mode=explicit`), so that a file
    which changes never changes an answer by itself.

    Args:
        models_dir: The model repository.
        run_dir: Folder of the server's own for backends and notes.
        ports: Where it listens.
        serving: Where the stages run.

    Raises:
        RecsysError: The wheel is missing or does not fit this machine.
    """
    backends = prepare_backends(run_dir)
    if serving.stages == "embedded":
        build.place(backends)
    options = {
        "model-repository": models_dir.resolve(),
        "backend-directory": backends.resolve(),
        "model-control-mode": "explicit",
        "load-model": "*",
        "strict-readiness": "true",
        "exit-timeout-secs": "5",
        "backend-config": f"python,shm-region-prefix-name={_new_shm_prefix(run_dir)}",
        "http-address": LOOPBACK,
        "grpc-address": LOOPBACK,
        "metrics-address": LOOPBACK,
        "http-port": ports.http,
        "grpc-port": ports.grpc,
        "metrics-port": ports.metrics,
        "log-verbose": "0",
    }
    server = server_folder() / "bin" / "tritonserver"
    flags = [f"--{name}={value}" for name, value in options.items()]
    if url := tracing.endpoint():
        flags += tracing.triton_options(url)
    return [str(server), "--disable-auto-complete-config", *flags]


def environment(settings: Settings) -> dict[str, str]:
    """What the server's process needs beside this process's own environment.

    Args:
        settings: How the stages reach Valkey and what the seen filter is like.
    """
    libraries = [sysconfig.get_config_var("LIBDIR"), server_folder().parent.parent / "nvidia_pytriton.libs"]
    library_path = [str(path) for path in libraries] + os.environ.get("LD_LIBRARY_PATH", "").split(":")
    # The stub is an embedded Python: it finds packages by PYTHONPATH, and no .pth file is read there.
    packages = [str(Path(recsys.__file__).parent.parent), sysconfig.get_path("purelib")]
    return {
        "LD_LIBRARY_PATH": ":".join(filter(None, library_path)),
        "PYTHONPATH": os.pathsep.join(packages),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        **dict.fromkeys(_ONE_THREAD, "1"),
        LOAD_NICE: str(settings.serving.load_nice),
        **_settings_variables(settings),
    }


def is_ready(http: str) -> bool:
    """Whether a server answers that it and all its models are ready.

    Args:
        http: `host:port` of its HTTP service.
    """
    return _get(http, "/v2/health/ready")


def is_model_ready(http: str, name: str) -> bool:
    """Whether one model answers that it is ready.

    Args:
        http: `host:port` of the HTTP service.
        name: The model's name.
    """
    return _get(http, f"/v2/models/{name}/ready")


def model_names(variant: str = "ensemble") -> list[str]:
    """The models that a server of a variant runs, the ensemble among them.

    Args:
        variant: `ServingSettings.variant`.
    """
    return [*(model.name for model in steps(variant)), ENSEMBLE]


class TritonServer:
    """One server on this machine.

    Args:
        models_dir: The model repository.
        run_dir: Folder of the server's own.
        settings: Ports, and what the stages need.
        log_file: Its log; `run_dir`/triton.log when not given.
    """

    def __init__(
        self, models_dir: Path, run_dir: Path, settings: Settings, log_file: Path | None = None
    ) -> None:
        self._models_dir = models_dir
        self._run_dir = run_dir
        self._settings = settings
        self.log_file = log_file or run_dir / "triton.log"
        self.process: process.Process | None = None
        self.endpoints: dict[str, str] = {}

    def start(self, timeout_s: float = 60.0) -> TritonServer:
        """Start the server and wait until all models are ready.

        Args:
            timeout_s: How long it may take, in seconds.

        Returns:
            This object.

        Raises:
            RecsysError: A port is taken, a model does not load, or the machine does not fit.
            Unavailable: It was not ready in time; it is stopped again.
        """
        ports = Ports.choose(self._settings)
        line = command(self._models_dir, self._run_dir, ports, self._settings.serving)
        variables = {**os.environ, **environment(self._settings)}
        begun = self.log_file.stat().st_size if self.log_file.is_file() else 0
        self.process = process.spawn(line, self.log_file, variables)
        self.endpoints = ports.endpoints()
        deadline = time.monotonic() + timeout_s
        while not is_ready(self.endpoints["http"]):
            if not self.process.alive():
                self.stop()
                raise RecsysError("Triton", why_it_ended(self.log_file, begun), f"See {self.log_file}")
            if time.monotonic() > deadline:
                self.stop()
                raise Unavailable("Triton", f"not ready within {timeout_s:g} s", f"See {self.log_file}")
            time.sleep(_POLL_S)
        return self

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop the server and its model processes; nothing happens when it does not run.

        Args:
            timeout_s: How long it may take before it is killed, in seconds.
        """
        if self.process is not None:
            self.process.stop(timeout_s)
            self.process = None
        remove_shared_memory(self._run_dir)

    def __enter__(self) -> TritonServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def why_it_ended(log_file: Path, offset: int = 0) -> str:
    """One line out of a server's log: why a model did not load, or its last words.

    Args:
        log_file: The log.
        offset: Byte from which on it is this server's.
    """
    with log_file.open("rb") as log:
        log.seek(offset)
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
    errors = [_message(line) for line in lines if re.match(r"^E\d{4} ", line)]
    for error in errors:
        if failed := re.match(r"failed to load '(\w+)' version (\d+): (?:Internal: )?(?:\w+: )?(.*)", error):
            return f"{failed[1]} of release {failed[2]} does not load: {failed[3]}"
    return next((line for line in reversed(errors or lines) if line), "ended without a word")


def _message(line: str) -> str:
    """A log line's own words: no time and place before them, no quotes, no Python stack after them."""
    words = line.partition("] ")[2] or line
    return words.strip('"').partition("\\n")[0]


def remove_shared_memory(run_dir: Path) -> None:
    """Remove the shared memory that a killed server left behind; only what carries its own prefix."""
    note = run_dir / _SHM_PREFIX_FILE
    if note.is_file() and (prefix := note.read_text().strip()):
        for region in _SHM.glob(f"{prefix}*"):
            region.unlink(missing_ok=True)


def _new_shm_prefix(run_dir: Path) -> str:
    """A prefix of this server's own, noted so that the next start can clear up after a kill -9."""
    remove_shared_memory(run_dir)
    prefix = f"recsys_{os.getpid()}_{time.monotonic_ns()}_"
    (run_dir / _SHM_PREFIX_FILE).write_text(prefix)
    return prefix


def _settings_variables(settings: Settings) -> dict[str, str]:
    values: Mapping[str, Mapping[str, object]] = {
        "VALKEY": settings.valkey.model_dump(),
        "SEEN": settings.seen.model_dump(),
        "POPULARITY": settings.popularity.model_dump(),
    }
    return {
        f"RECSYS_{section}__{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for section, fields in values.items()
        for name, value in fields.items()
    }


def _get(address: str, path: str) -> bool:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
