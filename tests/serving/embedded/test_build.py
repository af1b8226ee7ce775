"""The backend is compiled once, and a machine that cannot says what it lacks."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

from recsys.errors import RecsysError
from recsys.serving.embedded import build


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    # A compiler that warns of more than this one must not keep a server from starting.
    assert "-Werror" not in build._command()
    subprocess.run([*build._command(), "-Werror", "-o", tmp_path / "library.so"], check=True, timeout=120)


def test_it_is_compiled_once(tmp_path: Path) -> None:
    library = build.place(tmp_path)
    assert library == tmp_path / "stages" / "libtriton_stages.so"
    first = library.stat().st_mtime_ns
    assert build.place(tmp_path).stat().st_mtime_ns == first
    library.with_suffix(".sha256").write_text("of another source")
    assert build.place(tmp_path).stat().st_mtime_ns > first


def test_an_image_is_given_it_by_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build.main([str(tmp_path)])
    assert capsys.readouterr().out == f"{build.library(tmp_path)}\n"
    # As docker/triton/Dockerfile tries it: nothing but Triton's own functions is missing.
    ctypes.CDLL(str(build.library(tmp_path)), mode=os.RTLD_LAZY)


def test_it_exports_what_triton_calls_and_nothing_else(tmp_path: Path) -> None:
    names = build.place(tmp_path).read_bytes()
    for each in ("Initialize", "ModelInstanceInitialize", "ModelInstanceExecute", "ModelInstanceFinalize"):
        assert f"TRITONBACKEND_{each}\0".encode() in names
    with pytest.raises(OSError, match="undefined symbol: TRITON"):  # which only the server has
        ctypes.CDLL(str(tmp_path / "stages" / "libtriton_stages.so"))


def test_a_machine_without_a_compiler_is_told_the_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "find_compiler", lambda: None)
    with pytest.raises(RecsysError, match=r"no C compiler.*RECSYS_SERVING__STAGES=processes"):
        build.place(tmp_path)


def test_the_compilers_first_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "backend.c"
    source.write_text("int main(void) { return nonsense; }")
    monkeypatch.setattr(build, "_SOURCES", [source])
    with pytest.raises(RecsysError, match=r"does not compile .*nonsense"):
        build.place(tmp_path / "backends")
    assert not (tmp_path / "backends" / "stages" / "libtriton_stages.so").exists()
