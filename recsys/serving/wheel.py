"""The `nvidia-pytriton` wheel: whether its Triton server can run here, and its backend made ready to."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import sysconfig
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from recsys.errors import RecsysError

OLDEST_GLIBC: Final = (2, 35)


def server_folder() -> Path:
    """Folder of `tritonserver` in the installed wheel.

    Raises:
        RecsysError: The wheel is not installed, or this machine or its Python does not fit it.
    """
    found = find_spec("pytriton")
    if found is None or found.origin is None:
        raise RecsysError("tritonserver", "the package nvidia-pytriton is not installed", "Run scripts/setup")
    check_glibc()
    check_libpython()
    return Path(found.origin).parent / "tritonserver"


def check_glibc(version: str | None = None) -> None:
    """Refuse a machine on which the server's binary cannot start.

    Args:
        version: glibc's version; this machine's when not given.

    Raises:
        RecsysError: It is older than the binary needs, or there is no glibc.
    """
    library, mine = platform.libc_ver() if version is None else ("glibc", version)
    needed = ".".join(map(str, OLDEST_GLIBC))
    numbers = tuple(int(part) for part in re.findall(r"\d+", mine)[:2])
    if library != "glibc" or numbers < OLDEST_GLIBC:
        raise RecsysError(
            "tritonserver",
            f"needs glibc {needed} or newer, this machine has {mine or 'none'}",
            "Use Ubuntu 22.04, Debian 12 or newer",
        )


def check_libpython(folder: str | None = None) -> None:
    """Refuse a Python without its shared library, which Triton's Python backend embeds.

    Args:
        folder: Where to look first; this Python's own library folder when not given.

    Raises:
        RecsysError: The library is neither there nor among the system's.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"libpython{version}.so.1.0"
    own = Path(folder if folder is not None else sysconfig.get_config_var("LIBDIR") or "")
    if not (own / name).is_file() and find_library(f"python{version}") is None:
        raise RecsysError(
            "tritonserver",
            f"needs {name}, which this Python was built without",
            f"Use uv's Python, or install libpython{version}",
        )


def prepare_backends(folder: Path) -> Path:
    """Copy the wheel's Python backend and this Python's stub into a folder of our own.

    Args:
        folder: Made if absent; copied again when the wheel's version differs.

    Returns:
        The backend directory for `--backend-directory`.

    Raises:
        RecsysError: The wheel is missing or has no stub for this Python.
    """
    source = server_folder()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = source / "python_backend_stubs" / python / "triton_python_backend_stub"
    if not stub.is_file():
        raise RecsysError("tritonserver", f"the wheel has no backend for Python {python}", "Use Python 3.11")
    backends = folder / "backends"
    target = backends / "python" / stub.name
    if not target.is_file() or target.stat().st_size != stub.stat().st_size:
        shutil.rmtree(backends, ignore_errors=True)
        shutil.copytree(source / "backends", backends)
        shutil.copy(stub, target)
    return backends
