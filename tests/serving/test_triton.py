"""Starting Triton: ports, settings, and one line out of its log."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from recsys.errors import RecsysError
from recsys.serving import triton
from recsys.settings import ServingSettings, Settings, ValkeySettings

ANY_PORT = ServingSettings(http_port=0, grpc_port=0, metrics_port=0)

LOG = """\
I1122 04:05:06.000001 1 server.cc:100] "fine"
E1122 04:05:06.712345 1 model_lifecycle.cc:642] "failed to load 'dlrm_ranking' version 4: Internal: BadData: \
/r/4/dlrm.onnx: cannot be loaded (no such file). Export the model again\\n\\nAt:\\n  /a.py(45): load\\n"
E1122 04:05:07.000000 1 model_repository_manager.cc:703] "Invalid argument: ensemble 'ensemble_model' depends"
"""


def test_any_free_ports_differ() -> None:
    ports = triton.Ports.choose(Settings(serving=ANY_PORT))
    assert len({ports.http, ports.grpc, ports.metrics}) == 3
    assert ports.endpoints()["grpc"] == f"127.0.0.1:{ports.grpc}"


@pytest.mark.parametrize("service", ["http", "grpc", "metrics"])
def test_a_taken_port_is_named_with_its_setting(service: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        serving = ANY_PORT.model_copy(update={f"{service}_port": port})
        with pytest.raises(RecsysError, match=rf"port {port} .*RECSYS_SERVING__{service.upper()}_PORT"):
            triton.Ports.choose(Settings(serving=serving))


def test_the_server_listens_here_only_and_loads_when_told(tmp_path: Path) -> None:
    line = triton.command(tmp_path / "models", tmp_path, triton.Ports(1, 2, 3), ServingSettings())
    assert {"--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"} <= set(
        line
    )
    assert {"--http-port=1", "--grpc-port=2", "--metrics-port=3"} <= set(line)
    assert "--model-control-mode=explicit" in line


def test_the_stages_learn_the_settings_and_use_one_thread() -> None:
    settings = Settings(valkey=ValkeySettings(url="redis://h:1/2", timeout_s=0.25))
    variables = triton.environment(settings)
    assert variables["RECSYS_VALKEY__URL"] == "redis://h:1/2"
    assert variables["RECSYS_VALKEY__TIMEOUT_S"] == "0.25"
    assert variables["RECSYS_SEEN__CAPACITY"] == "1000"
    assert variables["OMP_NUM_THREADS"] == "1"


def test_settings_reach_the_server_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(valkey=ValkeySettings(url="redis://h:1/2", timeout_s=0.25))
    for name, value in triton.environment(settings).items():
        if name.startswith("RECSYS_"):
            monkeypatch.setenv(name, value)
    again = Settings()
    assert (again.valkey, again.seen) == (settings.valkey, settings.seen)


def test_why_it_ended_names_the_model_and_the_cause(tmp_path: Path) -> None:
    log = tmp_path / "triton.log"
    log.write_text(LOG)
    assert triton.why_it_ended(log) == (
        "dlrm_ranking of release 4 does not load: /r/4/dlrm.onnx: cannot be loaded (no such file). "
        "Export the model again"
    )
    log.write_text('E1122 04:05:06.000001 1 server.cc:1] "something else"\n')
    assert triton.why_it_ended(log) == "something else"
    log.write_text("before\n\nUsage: tritonserver\n")
    assert triton.why_it_ended(log) == "Usage: tritonserver"
    assert triton.why_it_ended(log, log.stat().st_size) == "ended without a word"


def test_shared_memory_of_a_killed_server_is_removed_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "_SHM", tmp_path / "shm")
    (tmp_path / "shm").mkdir()
    prefix = triton._new_shm_prefix(tmp_path)
    for name in (f"{prefix}1", f"{prefix}2", "recsys_other"):
        (tmp_path / "shm" / name).touch()
    triton._new_shm_prefix(tmp_path)
    assert [path.name for path in (tmp_path / "shm").iterdir()] == ["recsys_other"]
    (tmp_path / triton._SHM_PREFIX_FILE).write_text("")
    triton.remove_shared_memory(tmp_path)
    assert [path.name for path in (tmp_path / "shm").iterdir()] == ["recsys_other"]


def test_a_server_that_does_not_answer_is_not_ready() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
    assert not triton.is_ready(address)
    assert not triton.is_model_ready(address, "ensemble_model")
    assert len(triton.model_names()) == 15


def test_the_stages_backend_is_made_where_it_is_used(tmp_path: Path) -> None:
    for stages, wanted in (("processes", False), ("embedded", True)):
        triton.command(tmp_path, tmp_path, triton.Ports(1, 2, 3), ServingSettings(stages=stages))
        assert (tmp_path / "backends" / "stages" / "libtriton_stages.so").is_file() == wanted
