from __future__ import annotations

import socket
from collections import namedtuple
from pathlib import Path

import pytest

from recsys.local import doctor
from recsys.local.doctor import Check, examine, pins
from recsys.settings import ServingSettings, Settings, ValkeySettings

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def no_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_IMPORTS", ("json",))


def look(tmp_path: Path, ours: tuple[int, ...] = (), **ports: int) -> dict[str, Check]:
    settings = Settings(
        home=tmp_path / "not" / "there",
        valkey=ValkeySettings(url="redis://127.0.0.1:0/0"),
        serving=ServingSettings(**{"http_port": 0, "grpc_port": 0, "metrics_port": 0, **ports}),
    )
    return {check.name: check for check in examine(settings, ours)}


def test_this_machine_will_do(tmp_path: Path) -> None:
    found = look(tmp_path)
    for name in ("Python", "platform", "glibc", "valkey-server", "import json", "port of Valkey"):
        assert found[name].ok, found[name]


def test_a_taken_port_is_told_unless_it_is_ours(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stranger = look(tmp_path, http_port=port)["port of Triton HTTP"]
        ours = look(tmp_path, (port,), http_port=port)["port of Triton HTTP"]
    assert not stranger.ok
    assert "RECSYS_SERVING__HTTP_PORT" in stranger.fix
    assert ours.ok


def test_too_little_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(10, 9, 1 << 30))
    found = look(tmp_path)["disk"]
    assert (found.ok, found.found) == (False, f"1.0 GiB free in {tmp_path}")


def test_an_old_glibc_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "libc_ver", lambda: ("glibc", "2.31"))
    found = look(tmp_path)["glibc"]
    assert (found.ok, found.found) == (False, "2.31")


def test_glibc_versions_are_numbers_not_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "libc_ver", lambda: ("glibc", "2.4"))
    assert not look(tmp_path)["glibc"].ok
    monkeypatch.setattr(doctor.platform, "libc_ver", lambda: ("glibc", "2.100"))
    assert look(tmp_path)["glibc"].ok


def test_a_package_that_is_not_as_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "base.lock"
    lock.write_text("numpy==0.0.1 \\\n    --hash=sha256:00\nno-such-package==3 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(doctor, "_LOCK", lock)
    found = look(tmp_path)["packages"]
    assert not found.ok
    assert "2 not as locked: numpy " in found.found
    assert "no-such-package None, not 3" in found.found


def test_an_import_that_fails_is_told_by_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_IMPORTS", ("no_such_module",))
    found = look(tmp_path)["import no_such_module"]
    assert (found.ok, found.found) == (False, "ModuleNotFoundError: No module named 'no_such_module'")


def test_pins_of_the_lock_are_read() -> None:
    known = pins(doctor._LOCK)
    assert known["numpy"] == "1.23.5"
    assert len(known) > 100


def test_a_machine_without_a_compiler_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "can_embed_python", lambda: False)
    check = doctor._compiler()
    assert check.ok
    assert "a process for each model" in check.found
