"""The services of the local system: how each is started and when it is ready."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import redis

from recsys.errors import BadUse, RecsysError, Unavailable
from recsys.local import valkey
from recsys.local.fill import fill_features, settings_at
from recsys.local.ports import LOOPBACK, choose_port, is_taken
from recsys.local.service import Context, Endpoints, Launch, Service
from recsys.local.supervisor import Supervisor
from recsys.online.worker_process import is_alive
from recsys.release.store import ReleaseStore
from recsys.serving import triton
from recsys.serving.repository import assemble
from recsys.settings import Settings

_PROBE_TIMEOUT_S = 1.0
_NO_RELEASE_FIX = "Make one with `recsys pipeline run full --data DIR`"


def supervisor(settings: Settings) -> Supervisor:
    """The local system of a home, serving its current release.

    Args:
        settings: Home, ports and addresses.

    Raises:
        BadData: The pointer to the current release is damaged.
    """
    store = ReleaseStore(settings.home.resolve() / "releases")
    return Supervisor(SERVICES, settings, store.current())


def require_release(settings: Settings) -> int:
    """The number of the current release.

    Raises:
        RecsysError: No release is current.
    """
    store = ReleaseStore(settings.home / "releases")
    current = store.current()
    if current is None:
        raise RecsysError(str(settings.home), "no release yet", _NO_RELEASE_FIX)
    return current


def require_ready(at_work: Supervisor, name: str) -> dict[str, str]:
    """The addresses of a service that runs.

    Raises:
        Unavailable: It does not.
    """
    entry = at_work.status()[name]
    if entry["state"] != "ready":
        cause = f"does not answer ({entry['state']})"
        raise Unavailable(name.capitalize(), cause, "Start it with `recsys up`")
    return entry


def held_ports(settings: Settings) -> set[int]:
    """The ports that running services of this home listen on."""
    held = set()
    for entry in supervisor(settings).status().values():
        for key, address in entry.items():
            if key not in ("state", "pid", "log"):
                held.add(urlsplit(address if "://" in address else f"//{address}").port or 0)
    return held


def _plan_valkey(context: Context) -> Launch:
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


def _plan_triton(context: Context) -> Launch:
    if context.release is None:
        raise BadUse("Triton", "there is no release to serve", _NO_RELEASE_FIX)
    settings = settings_at(context.settings, context.endpoints["valkey"]["url"])
    folder = settings.home / "triton"
    models = folder / "models"
    assemble(models, context.releases, context.release, settings.serving)
    ports = triton.Ports.choose(_with_previous_ports(settings, context.previous))
    return Launch(triton.command(models, folder, ports), ports.endpoints(), triton.environment(settings))


def _plan_worker(context: Context) -> Launch:
    url = context.endpoints["valkey"]["url"]
    variables = {"RECSYS_HOME": str(context.settings.home), "RECSYS_VALKEY__URL": url}
    program = "from recsys.online.worker_process import main; main()"
    return Launch([sys.executable, "-c", program], {"valkey": url}, variables)


def _worker_lives(found: Endpoints) -> bool:
    client = redis.Redis.from_url(
        found["valkey"], socket_timeout=_PROBE_TIMEOUT_S, socket_connect_timeout=_PROBE_TIMEOUT_S
    )
    try:
        return is_alive(client)
    except redis.RedisError:
        return False
    finally:
        client.close()


def _with_previous_ports(settings: Settings, previous: Endpoints) -> Settings:
    """The settings with the ports that it had before where any would do."""
    before = {
        f"{name}_port": _free_or_any(int(address.rpartition(":")[2]))
        for name, address in previous.items()
        if getattr(settings.serving, f"{name}_port") == 0
    }
    return settings.model_copy(update={"serving": settings.serving.model_copy(update=before)})


VALKEY = Service(
    "valkey",
    _plan_valkey,
    is_ready=lambda found: valkey.is_ready(found["url"]),
    after_ready=fill_features,
)
TRITON = Service(
    "triton",
    _plan_triton,
    is_ready=lambda found: triton.is_ready(found["http"]),
    last_words=triton.why_it_ended,
    needs=("valkey",),
    serves_release=True,
    ready_timeout_s=120,
)
WORKER = Service("worker", _plan_worker, is_ready=_worker_lives, needs=("valkey",))
SERVICES = (VALKEY, TRITON, WORKER)
