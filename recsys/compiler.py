"""This machine's C compiler, and whether it can build what embeds Python."""

from __future__ import annotations

import shutil
import sysconfig
from functools import cache
from pathlib import Path


def find_compiler() -> str | None:
    """Path of the C compiler; None if there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@cache
def can_embed_python() -> bool:
    """Whether there are a C compiler, this Python's headers and the shared library that one links with."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    folder, name = (str(sysconfig.get_config_var(each)) for each in ("LIBDIR", "LDLIBRARY"))
    library = Path(folder, name)
    return find_compiler() is not None and header.is_file() and ".so" in library.name and library.is_file()
