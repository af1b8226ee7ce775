"""What this machine lacks to run the system, and what to do about it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from recsys.compiler import can_embed_python, find_compiler
from recsys.errors import RecsysError
from recsys.local import valkey
from recsys.local.ports import is_taken
from recsys.settings import Settings

_GIB = 1 << 30
_MEMORY_GIB = 6.0
_DISK_GIB = 5.0
_GLIBC = (2, 35)
_IMPORT_TIMEOUT_S = 120
_IMPORTS = (
    "numpy, pandas, pyarrow, scipy",
    "faiss, onnxruntime",
    "redis, fastapi, tritonclient.http",
    "feast, kfp",
    "tensorflow, nvtabular, merlin.models.tf",
)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ]+)", re.MULTILINE)
_LOCK = Path(__file__).resolve().parents[2] / "requirements" / "base.lock"


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: What.
        ok: Whether it will do.
        found: What was found.
        fix: What to do when it will not.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""


def examine(
    settings: Settings, ours: Iterable[int] = (), note: Callable[[str], None] = lambda _: None
) -> list[Check]:
    """Look at everything the local system needs.

    Args:
        settings: Home and ports.
        ours: Ports that services of this home hold.
        note: Told what is being looked at.

    Returns:
        All checks, good and bad.
    """
    checks = [_python(), _platform(), _glibc(), _memory(), _disk(settings.home)]
    checks += [_valkey_server(), _compiler()]
    checks += _ports(settings, set(ours))
    checks.append(_lock())
    for names in _IMPORTS:
        note(f"import {names}")
        checks.append(_import(names))
    return checks


def _python() -> Check:
    found = platform.python_version()
    fix = "Install Python 3.11 and run scripts/setup"
    return Check("Python", sys.version_info[:2] == (3, 11), found, fix)


def _platform() -> Check:
    found = f"{platform.system()} {platform.machine()}"
    return Check("platform", found == "Linux x86_64", found, "Use Linux on x86-64")


def _glibc() -> Check:
    found = platform.libc_ver()[1] or "none"
    version = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    return Check("glibc", version >= _GLIBC, found, "Triton needs 2.35: use Debian 12, Ubuntu 22.04 or later")


def _memory() -> Check:
    match = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    gib = int(match[1]) * 1024 / _GIB if match else 0.0
    return Check(
        "memory",
        gib >= _MEMORY_GIB,
        f"{gib:.1f} GiB available",
        f"Free some: training needs {_MEMORY_GIB:g} GiB",
    )


def _disk(home: Path) -> Check:
    place = home.absolute()
    while not place.exists():
        place = place.parent
    gib = shutil.disk_usage(place).free / _GIB
    writable = os.access(place, os.W_OK)
    found = f"{gib:.1f} GiB free in {place}" if writable else f"{place} is not writable"
    fix = f"Choose a place with {_DISK_GIB:g} GiB with --home"
    return Check("disk", writable and gib >= _DISK_GIB, found, fix)


def _compiler() -> Check:
    found = find_compiler() if can_embed_python() else None
    without = "none, or no headers of Python: a process for each model, slower and larger"
    return Check("C compiler", True, found or without)


def _valkey_server() -> Check:
    try:
        done = subprocess.run(
            [valkey.binary(), "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (RecsysError, OSError, subprocess.SubprocessError) as error:
        return Check("valkey-server", False, " ".join(str(error).split()), "Run scripts/setup")
    version = re.search(r"v=(\S+)", done.stdout)
    return Check("valkey-server", True, version[1] if version else "runs")


def _ports(settings: Settings, ours: set[int]) -> list[Check]:
    serving = settings.serving
    wanted = {
        "Valkey": (valkey.port_of(settings.valkey.url), "RECSYS_VALKEY__URL"),
        "Triton HTTP": (serving.http_port, "RECSYS_SERVING__HTTP_PORT"),
        "Triton gRPC": (serving.grpc_port, "RECSYS_SERVING__GRPC_PORT"),
        "Triton metrics": (serving.metrics_port, "RECSYS_SERVING__METRICS_PORT"),
        "the gateway": (settings.gateway.port, "RECSYS_GATEWAY__PORT"),
    }
    return [_port(name, port, setting, ours) for name, (port, setting) in wanted.items()]


def _port(name: str, port: int, setting: str, ours: set[int]) -> Check:
    fix = f"Stop what listens there, or choose another port with {setting} (0: any free one)"
    if port == 0:
        return Check(f"port of {name}", True, "any free one")
    if port in ours:
        return Check(f"port of {name}", True, f"{port}, held by our own service")
    taken = is_taken(port)
    return Check(f"port of {name}", not taken, f"{port} {'taken' if taken else 'free'}", fix)


def _lock() -> Check:
    if not _LOCK.is_file():
        return Check("packages", False, f"{_LOCK} is not there", "Run from a checkout of the project")
    wrong = [
        f"{name} {_installed(name)}, not {pin}"
        for name, pin in pins(_LOCK).items()
        if _installed(name) != pin
    ]
    found = f"{len(wrong)} not as locked: {', '.join(wrong[:3])}" if wrong else "as locked"
    return Check("packages", not wrong, found, "Run scripts/setup")


def pins(lock: Path) -> dict[str, str]:
    """The packages of a lock file and their versions."""
    return dict(_PIN.findall(lock.read_text()))


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _import(names: str) -> Check:
    """In a process of its own: a library that crashes the interpreter must not take this one along."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-W", "ignore", "-c", f"import {names}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_IMPORT_TIMEOUT_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return Check(
            f"import {names}", False, f"took over {_IMPORT_TIMEOUT_S} s", "Try again on an idle machine"
        )
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return Check(
        f"import {names}",
        done.returncode == 0,
        "works" if done.returncode == 0 else last,
        "Run scripts/setup",
    )
