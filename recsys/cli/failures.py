"""One line for whatever went wrong: the thing, the cause and the fix."""

from __future__ import annotations

import errno
import os
import re

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from recsys.errors import RecsysError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def explain(error: Exception) -> tuple[str, int]:
    """What to tell the user and the exit code.

    Args:
        error: What a command raised.

    Returns:
        One line, and 1 (failed) or 2 (bad use).
    """
    if isinstance(error, RecsysError):
        return _one_line(str(error)), error.exit_code
    if isinstance(error, typer.TyperException):
        return _bad_use(error), 2
    if isinstance(error, (ValidationError, SettingsError)):
        return _bad_setting(error), 2
    if isinstance(error, OSError):
        return _system(error), 1
    if isinstance(error, MemoryError):
        return "memory: exhausted. Stop other programs or use less data", 1
    cause = _one_line(str(error)) or "no message"
    return f"{type(error).__name__}: {cause}. This is a fault of recsys; --debug shows where", 1


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _bad_use(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "recsys"
    message = _one_line(getattr(error, "format_message", lambda: str(error))()).rstrip(".")
    return f"{message}. See `{command} --help`"


def _bad_setting(error: ValidationError | SettingsError) -> str:
    if isinstance(error, SettingsError):  # it names the field only in its text
        field = re.search(r'field "(\w+)"', str(error))
        return f"RECSYS_{field[1].upper() if field else '*'}: is not JSON. Set it right or unset it"
    first = error.errors()[0]
    parts = [str(part).upper() for part in first["loc"]]
    if error.title != "Settings":
        return _one_line(f"{error.title}.{'.'.join(parts).lower()}: {first['msg']}. Mend the value")
    name = "RECSYS_" + "__".join(parts)
    return _one_line(f"{name}: {first['msg']}, not {first['input']!r}. Set it right or unset it")


def _system(error: OSError) -> str:
    thing = str(error.filename or "disk")
    if error.errno in _DISK_FULL:
        return f"{thing}: no space left. Free some or choose another place with --home"
    cause = os.strerror(error.errno) if error.errno else _one_line(str(error))
    return f"{thing}: {cause}. Check that it is there and that you may use it"
