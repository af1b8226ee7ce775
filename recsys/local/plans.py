"""How each service of the local system is started: its ports, files, command and environment."""

from __future__ import annotations

import http.client
import sys
from contextlib import closing

import redis

from recsys.errors import BadUse, Unavailable
from recsys.local import valkey
from recsys.local.fill import settings_at
from recsys.local.ports import LOOPBACK, choose_port, is_taken
from recsys.local.service import Context, Endpoints, Launch
from recsys.online.worker_process import forget_signs_of_life, is_alive
from recsys.serving import triton
from recsys.serving.repository import assemble
from recsys.settings import Settings

NO_RELEASE_FIX = "Make one with `recsys pipeline run full --data DIR`"
_PROBE_TIMEOUT_S = 1.0


def plan_valkey(context: Context) -> Launch:
    """Valkey on the port of its URL, its append-only file under the home.

    Raises:
        BadUse: The URL is not on this machine.
        RecsysError: The port is taken.
    """
    wanted = valkey.port_of(context.settings.valkey.url)
    if wanted == 0 and "url" in context.previous:
        # The same port again, so that what was told the address finds it there.
        wanted = _free_or_any(valkey.port_of(context.previous["url"]))
    port = choose_port(wanted, "Valkey", "RECSYS_VALKEY__URL=redis://127.0.0.1:<port>/0")
    data_dir = context.settings.home / "valkey"
    data_dir.mkdir(parents=True, exist_ok=True)
    return Launch(valkey.command(port, data_dir), {"url": f"redis://{LOOPBACK}:{port}/0"})


def _free_or_any(port: int) -> int:
    return 0 if is_taken(port) else port


def plan_triton(context: Context, name: str = "triton") -> Launch:
    """Triton with a model repository that is assembled anew from the release.

    Args:
        context: What is known.
        name: Which of the replicas; all but the first take any free ports.

    Raises:
        BadUse: There is no release.
        RecsysError: A port is taken, or the server does not fit this machine.
    """
    if context.release is None:
        raise BadUse("Triton", "there is no release to serve", NO_RELEASE_FIX)
    settings = settings_at(context.settings, context.endpoints["valkey"]["url"])
    folder = settings.home / name
    models = folder / "models"
    assemble(models, context.releases, context.release, settings.serving)
    if name != "triton":
        settings = _with_any_ports(settings)
    ports = triton.Ports.choose(_with_previous_ports(settings, context.previous))
    line = triton.command(models, folder, ports, settings.serving)
    return Launch(line, ports.endpoints(), triton.environment(settings))


def plan_worker(context: Context) -> Launch:
    """The behaviour worker on this home's Valkey.

    Raises:
        RecsysError: The port of its metrics is taken.
        Unavailable: Valkey does not answer.
    """
    url, worker = context.endpoints["valkey"]["url"], context.settings.worker
    with closing(_valkey(url)) as client:
        try:
            forget_signs_of_life(client)
        except redis.RedisError as error:
            raise Unavailable("Valkey", str(error), "Start it with `recsys up`") from error
    wanted = worker.metrics_port
    if wanted == 0 and "metrics" in context.previous:
        wanted = _free_or_any(_port(context.previous["metrics"]))
    port = choose_port(wanted, "the worker", "RECSYS_WORKER__METRICS_PORT", worker.metrics_host)
    variables = {
        "RECSYS_HOME": str(context.settings.home),
        "RECSYS_VALKEY__URL": url,
        "RECSYS_WORKER__METRICS_PORT": str(port),
    }
    found = {"valkey": url, "metrics": f"{worker.metrics_host}:{port}"}
    return Launch([sys.executable, "-m", "recsys.online.worker"], found, variables)


def plan_gateway(context: Context) -> Launch:
    """The gateway in front of this home's Triton and Valkey.

    Raises:
        RecsysError: The port is taken.
    """
    gateway = context.settings.gateway
    wanted = gateway.port
    if wanted == 0 and "http" in context.previous:
        wanted = _free_or_any(_port(context.previous["http"]))
    port = choose_port(wanted, "the gateway", "RECSYS_GATEWAY__PORT", gateway.host)
    variables = {
        "RECSYS_HOME": str(context.settings.home),
        "RECSYS_VALKEY__URL": context.endpoints["valkey"]["url"],
        "RECSYS_GATEWAY__TRITON": ",".join(
            found["grpc"] for name, found in context.endpoints.items() if name.startswith("triton")
        ),
        "RECSYS_GATEWAY__PORT": str(port),
        "RECSYS_GATEWAY__DEADLINE_S": str(gateway.deadline_s),
    }
    command = [sys.executable, "-m", "recsys.online.gateway"]
    return Launch(command, {"http": f"{gateway.host}:{port}"}, variables)


def gateway_is_ready(found: Endpoints) -> bool:
    """Whether the gateway can answer, be it from memory."""
    host, port = found["http"].rpartition(":")[::2]
    connection = http.client.HTTPConnection(host, int(port), timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def worker_lives(found: Endpoints) -> bool:
    """Whether a worker gave a sign of life at this Valkey within the last seconds."""
    with closing(_valkey(found["valkey"])) as client:
        try:
            return is_alive(client)
        except redis.RedisError:
            return False


def _valkey(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_PROBE_TIMEOUT_S, socket_connect_timeout=_PROBE_TIMEOUT_S)


def _with_any_ports(settings: Settings) -> Settings:
    any_port = {"http_port": 0, "grpc_port": 0, "metrics_port": 0}
    return settings.model_copy(update={"serving": settings.serving.model_copy(update=any_port)})


def _with_previous_ports(settings: Settings, previous: Endpoints) -> Settings:
    """The settings with the ports that it had before where any would do."""
    before = {
        f"{name}_port": _free_or_any(_port(address))
        for name, address in previous.items()
        if getattr(settings.serving, f"{name}_port") == 0
    }
    return settings.model_copy(update={"serving": settings.serving.model_copy(update=before)})


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
