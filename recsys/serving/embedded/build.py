"""Compiles the backend with the machine's own C compiler.

python -m recsys.serving.embedded.build BACKENDS
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from recsys.compiler import find_compiler
from recsys.errors import RecsysError

BACKEND: Final = "stages"
"""What models of this backend say in their configuration."""

_FOLDER: Final = Path(__file__).parent
_SOURCES: Final = sorted(_FOLDER.glob("*.c"))
_HEADERS: Final = sorted(_FOLDER.glob("*.h"))
_LIMIT_S: Final = 120.0
_FIX: Final = "Install a C compiler and Python's headers, or set RECSYS_SERVING__STAGES=processes"


def library(backends: Path) -> Path:
    """Where the backend's library is in Triton's backend directory, if it is there."""
    return backends / BACKEND / f"libtriton_{BACKEND}.so"


def place(backends: Path) -> Path:
    """Make the backend's library, unless it is there and of this source.

    Args:
        backends: Triton's backend directory.

    Returns:
        The library.

    Raises:
        RecsysError: There is no C compiler, no header of Python's, or it does not compile.
    """
    made = library(backends)
    line = _command()
    read = [path.read_bytes() for path in (*_SOURCES, *_HEADERS)]
    mark = hashlib.sha256(b"\0".join([*read, *(word.encode() for word in line)])).hexdigest()
    note = made.with_suffix(".sha256")
    if made.is_file() and note.is_file() and note.read_text(encoding="utf-8") == mark:
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    scratch = made.with_suffix(".tmp")
    done = subprocess.run(
        [*line, "-o", str(scratch)], capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        words = next(
            (line.strip() for line in lines if re.search(r": (fatal )?error:", line)), "it says nothing"
        )
        raise RecsysError("stages' backend", f"does not compile ({words})", _FIX)
    scratch.replace(made)
    note.write_text(mark, encoding="utf-8")
    return made


def _command() -> list[str]:
    compiler = find_compiler()
    if compiler is None:
        raise RecsysError("stages' backend", "this machine has no C compiler", _FIX)
    include, folder = sysconfig.get_path("include"), sysconfig.get_config_var("LIBDIR")
    version = sysconfig.get_config_var("LDVERSION") or sysconfig.get_python_version()
    return [
        compiler,
        *("-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"),
        f"-I{include}",
        f'-DLIBPYTHON="{sysconfig.get_config_var("INSTSONAME")}"',
        *map(str, _SOURCES),
        f"-L{folder}",
        f"-lpython{version}",
        "-ldl",
        "-lpthread",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the library for an image; says where it is, or in one line why there is none."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    try:
        sys.stdout.write(f"{place(Path(folder))}\n")
    except RecsysError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
