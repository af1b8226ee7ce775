"""Compiles the backend with the machine's own C compiler."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Final

from recsys.errors import RecsysError

BACKEND: Final = "stages"
"""What models of this backend say in their configuration."""

_FOLDER: Final = Path(__file__).parent
_SOURCES: Final = sorted(_FOLDER.glob("*.c"))
_HEADERS: Final = sorted(_FOLDER.glob("*.h"))
_LIMIT_S: Final = 120.0
_FIX: Final = "Install a C compiler and Python's headers, or set RECSYS_SERVING__STAGES=processes"


def place(backends: Path) -> Path:
    """Make the backend's library, unless it is there and of this source.

    Args:
        backends: Triton's backend directory.

    Returns:
        The library.

    Raises:
        RecsysError: There is no C compiler, no header of Python's, or it does not compile.
    """
    library = backends / BACKEND / f"libtriton_{BACKEND}.so"
    line = _command()
    read = [path.read_bytes() for path in (*_SOURCES, *_HEADERS)]
    mark = hashlib.sha256(b"\0".join([*read, *(word.encode() for word in line)])).hexdigest()
    note = library.with_suffix(".sha256")
    if library.is_file() and note.is_file() and note.read_text(encoding="utf-8") == mark:
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    scratch = library.with_suffix(".tmp")
    done = subprocess.run(
        [*line, "-o", str(scratch)], capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        words = next(
            (line.strip() for line in lines if re.search(r": (fatal )?error:", line)), "it says nothing"
        )
        raise RecsysError("stages' backend", f"does not compile ({words})", _FIX)
    scratch.replace(library)
    note.write_text(mark, encoding="utf-8")
    return library


def _command() -> list[str]:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RecsysError("stages' backend", "this machine has no C compiler", _FIX)
    include, folder = sysconfig.get_path("include"), sysconfig.get_config_var("LIBDIR")
    version = sysconfig.get_config_var("LDVERSION") or sysconfig.get_python_version()
    return [
        compiler,
        *("-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"),
        f"-I{include}",
        f'-DLIBPYTHON="{sysconfig.get_config_var("INSTSONAME")}"',
        *map(str, _SOURCES),
        f"-L{folder}",
        f"-lpython{version}",
        "-ldl",
        "-lpthread",
    ]
