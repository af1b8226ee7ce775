"""Whether the wheel's server can run here, and its backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsys.errors import RecsysError
from recsys.serving import wheel


@pytest.mark.parametrize("version", ["2.31", "2.34", "1.99", ""])
def test_an_old_glibc_is_refused(version: str) -> None:
    with pytest.raises(RecsysError, match=r"needs glibc 2\.35 or newer, this machine has"):
        wheel.check_glibc(version)


@pytest.mark.parametrize("version", ["2.35", "2.36", "2.100", "3.0"])
def test_a_new_glibc_will_do(version: str) -> None:
    wheel.check_glibc(version)


def test_backends_are_our_own_copy_with_the_stub(tmp_path: Path) -> None:
    backends = wheel.prepare_backends(tmp_path)
    stub = backends / "python" / "triton_python_backend_stub"
    assert stub.stat().st_mode & 0o100
    assert (backends / "python" / "libtriton_python.so").is_file()
    stub.write_bytes(b"damaged")
    wheel.prepare_backends(tmp_path)
    assert stub.stat().st_size > 100_000


def test_a_python_without_its_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel.check_libpython()
    monkeypatch.setattr(wheel, "find_library", lambda name: None)
    with pytest.raises(RecsysError, match=r"needs libpython3\.11\.so\.1\.0"):
        wheel.check_libpython(str(tmp_path))
    (tmp_path / "libpython3.11.so.1.0").touch()
    wheel.check_libpython(str(tmp_path))


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "find_spec", lambda name: None)
    with pytest.raises(RecsysError, match="nvidia-pytriton is not installed"):
        wheel.server_folder()
