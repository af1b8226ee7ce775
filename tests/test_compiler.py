"""Where stages run by default depends on what this machine can build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys import compiler
from recsys.settings import ServingSettings


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    """What was found for one test is not another's."""
    compiler.can_embed_python.cache_clear()
    yield
    compiler.can_embed_python.cache_clear()


def found(monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], include: Path, library: Path) -> None:
    """Makes a machine that holds these compilers, headers and this library of Python."""
    monkeypatch.setattr(compiler.shutil, "which", lambda name: f"/bin/{name}" if name in names else None)
    monkeypatch.setattr(compiler.sysconfig, "get_path", lambda name: str(include))
    place = {"LIBDIR": str(library.parent), "LDLIBRARY": library.name}
    monkeypatch.setattr(compiler.sysconfig, "get_config_var", place.__getitem__)


@pytest.mark.parametrize(
    ("compilers", "there", "stages"),
    [
        (("cc",), ("Python.h", "libpython3.11.so"), "embedded"),
        (("clang",), ("Python.h", "libpython3.11.so"), "embedded"),
        ((), ("Python.h", "libpython3.11.so"), "processes"),
        (("cc",), ("other.h", "libpython3.11.so"), "processes"),
        (("cc",), ("Python.h", "libpython3.11.a"), "processes"),
    ],
)
def test_stages_are_embedded_where_their_backend_can_be_built(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    compilers: tuple[str, ...],
    there: tuple[str, str],
    stages: str,
) -> None:
    for name in there:
        (tmp_path / name).touch()
    found(monkeypatch, compilers, tmp_path, tmp_path / there[1])
    assert ServingSettings().stages == stages


def test_what_is_asked_for_is_not_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found(monkeypatch, (), tmp_path, tmp_path / "none.so")
    assert ServingSettings(stages="embedded").stages == "embedded"
