"""Bad input to every command: one line on stderr, nothing on stdout, the right exit code."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from recsys.cli import services
from recsys.cli.failures import explain
from recsys.errors import BadUse, RecsysError
from recsys.schema import DEVICES

BAD = [
    (["recommend", "--top", "-1"], 2, "--top"),
    (["recommend", "--top", "0"], 2, "--top"),
    (["recommend", "--top", "101"], 2, "--top: 101 is more than the ensemble returns. Ask for 100 at most"),
    (["recommend", "--top", "ten"], 2, "--top"),
    (["recommend", "--user", "you"], 2, "--user"),
    (["recommend", "--user", str(2**63)], 2, "--user: 9223372036854775808 does not fit into 64 bits"),
    (["recommend", "--user", str(-(2**63) - 1)], 2, "--user: -9223372036854775809 does not fit"),
    (["recommend", "--device", "watch"], 2, "--device"),
    (["recommend", "--at", "yesterday"], 2, "--at: 'yesterday' is not a time. Write it like"),
    (["recommend", "--at", "1950-01-01"], 2, "--at: '1950-01-01' lies before 1970"),
    (["recommend"], 1, "Triton: does not answer (stopped). Start it with `recsys up`"),
    (["recommend", "--colour", "red"], 2, "--colour"),
    (["recomend"], 2, "recomend"),
    (["event", "--user", "1"], 2, "--item"),
    (["event", "--user", "1", "--item", str(2**64)], 2, "--item: 18446744073709551616 does not fit"),
    (["event", "--user", "1", "--item", "2"], 1, "Valkey: does not answer (stopped)"),
    (
        ["event", "--user", "1", "--item", "2", "--type", "stare"],
        2,
        "event's event_type: 'stare'. Use one of",
    ),
    (["up"], 1, "no release yet. Make one with `recsys pipeline run full --data DIR`"),
    (["evaluate"], 1, "no release yet"),
    (["pipeline", "run", "full"], 2, "--data"),
    (["pipeline", "run", "full", "--data", "/no/such/folder"], 1, "/no/such/folder: there is no such folder"),
    (["data", "describe", "/no/such/folder"], 1, "/no/such/folder"),
    (["data", "validate", "/no/such/folder", "--out", "/tmp/out"], 1, "/no/such/folder"),
    (["data", "generate", "--out", "shop", "--users", "0"], 2, "--users"),
    (["release", "show", "7"], 2, "release 7: not in"),
    (["release", "show", "0"], 2, "release"),
    (["release", "promote", "7"], 2, "release 7: not in"),
    (["release", "rollback"], 1, "no release yet"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "text"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else None
)
def test_bad_use_is_one_line(run, arguments: list[str], code: int, text: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == code
    assert "Traceback" not in outcome.err
    *progress, line = outcome.err.splitlines()
    assert not any(earlier.startswith("recsys: ") for earlier in progress)
    assert line.startswith("recsys: ")
    assert text in line
    assert outcome.out == ""


BAD_SETTINGS = [
    ("RECSYS_SERVING__RANKED", "many", "RECSYS_SERVING__RANKED: "),
    ("RECSYS_SERVING__RETURNED", "900", "widths must narrow"),
    ("RECSYS_SERVING__HTTP_PORT", "70000", "RECSYS_SERVING__HTTP_PORT: "),
    ("RECSYS_PROFILE", "moon", "RECSYS_PROFILE: "),
    ("RECSYS_SERVING", "{", "RECSYS_SERVING"),
]


@pytest.mark.parametrize(("name", "value", "text"), BAD_SETTINGS)
def test_a_bad_setting_is_one_line(
    run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    monkeypatch.setenv(name, value)
    outcome = run("status")
    assert (outcome.code, outcome.out) == (2, "")
    assert text in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_home_that_is_a_file_is_one_line(run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = run("down", "--home", tmp_path / "file")
    assert outcome.code == 1
    assert f"{tmp_path / 'file'}" in outcome.err
    assert "Not a directory" in outcome.err or "File exists" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_damaged_state_file_is_one_line(run, home: Path) -> None:
    (home / "run").mkdir(parents=True)
    (home / "run" / "services.json").write_text("{")
    outcome = run("status", "--json")
    assert (outcome.code, outcome.out) == (1, "")
    assert "services.json: is damaged" in outcome.err


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    def tiny_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    command = [
        sys.executable,
        "-m",
        "recsys.cli",
        "data",
        "generate",
        "--out",
        tmp_path / "shop",
        "--no-images",
    ]
    done = subprocess.run(
        command, preexec_fn=tiny_files, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("recsys: ")
    assert "too large" in done.stderr


def test_debug_shows_the_traceback(home: Path) -> None:
    from recsys.cli import main

    with pytest.raises(RecsysError):
        main(["up", "--debug"])


def test_a_fault_of_ours_says_so(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "document", lambda: 1 / 0)
    outcome = run("status")
    assert outcome.code == 1
    assert outcome.err == (
        "recsys: ZeroDivisionError: division by zero. This is a fault of recsys; --debug shows where\n"
    )


def test_ctrl_c_is_clean(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "document", interrupted)
    outcome = run("status")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "recsys: interrupted\n")


def test_a_reader_that_left_is_told_nothing(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "recsys.cli", "--home", str(tmp_path), "status", "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_several_lines_become_one() -> None:
    assert explain(RecsysError("a", "b\n  c", "d")) == ("a: b c. d", 1)
    assert explain(BadUse("a", "b", "d"))[1] == 2


def test_memory_is_one_line() -> None:
    assert explain(MemoryError()) == ("memory: exhausted. Stop other programs or use less data", 1)


def test_every_device_of_the_schema_can_be_named() -> None:
    from recsys.cli.options import Device

    assert {device.value for device in Device} == set(DEVICES)


def test_help_of_every_command_names_it(run) -> None:
    for command in ("up", "down", "status", "recommend", "event", "evaluate", "doctor", "demo"):
        outcome = run(command, "--help")
        assert outcome.code == 0
        assert f"recsys {command}" in outcome.out


def test_status_json_is_one_document(run) -> None:
    outcome = run("status", "--json")
    assert json.loads(outcome.out)["release"] is None
    assert outcome.err == ""
