"""The services of the local system: how each is started and when it is ready."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from recsys.errors import BadUse, Unavailable
from recsys.local import valkey
from recsys.local.fill import fill_features
from recsys.local.ports import LOOPBACK, choose_port, is_taken
from recsys.local.service import Context, Launch, Service
from recsys.local.supervisor import Supervisor
from recsys.release.store import ReleaseStore
from recsys.settings import Settings


def supervisor(settings: Settings) -> Supervisor:
    """The local system of a home, serving its current release.

    Args:
        settings: Home, ports and addresses.

    Raises:
        BadData: The pointer to the current release is damaged.
    """
    store = ReleaseStore(settings.home.resolve() / "releases")
    current = store.current()
    release = None if current is None else (current, store.path(current))
    return Supervisor(SERVICES, settings, release)


def require_release(settings: Settings) -> Path:
    """Folder of the current release.

    Raises:
        BadUse: No release is current.
    """
    store = ReleaseStore(settings.home / "releases")
    current = store.current()
    if current is None:
        raise BadUse(
            str(settings.home), "no release yet", "Make one with `recsys pipeline run full --data DIR`"
        )
    return store.path(current)


def require_ready(at_work: Supervisor, name: str) -> dict[str, str]:
    """The addresses of a service that runs.

    Raises:
        Unavailable: It does not.
    """
    entry = at_work.status()[name]
    if entry["state"] != "ready":
        raise Unavailable(name.capitalize(), f"is {entry['state']}", "Start it with `recsys up`")
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


VALKEY = Service(
    "valkey", _plan_valkey, lambda found: valkey.is_ready(found["url"]), after_ready=fill_features
)
SERVICES = (VALKEY,)
