"""The services of the local system, in the order of their start, and what commands ask of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from recsys.errors import RecsysError, Unavailable
from recsys.local import plans, valkey
from recsys.local.fill import fill_features
from recsys.local.service import Context, Launch, Service
from recsys.local.supervisor import Supervisor
from recsys.release.releases import Releases
from recsys.release.store import ReleaseStore
from recsys.serving import triton
from recsys.settings import MOST_REPLICAS, Settings


def supervisor(settings: Settings) -> Supervisor:
    """The local system of a home, serving its current release.

    Args:
        settings: Home, ports and addresses.

    Raises:
        BadData: The pointer to the current release is damaged.
    """
    store = ReleaseStore(settings.home.resolve() / "releases")
    return Supervisor(services(settings.serving.replicas), settings, store.current(), store.current)


def require_release(settings: Settings) -> int:
    """The number of the current release.

    Raises:
        RecsysError: No release is current.
    """
    return require_current(ReleaseStore(settings.home / "releases"))


def require_current(store: Releases) -> int:
    """The number of a store's current release.

    Raises:
        RecsysError: No release is current.
    """
    current = store.current()
    if current is None:
        raise RecsysError(str(store), "no release yet", plans.NO_RELEASE_FIX)
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


VALKEY = Service(
    "valkey",
    plans.plan_valkey,
    is_ready=lambda found: valkey.is_ready(found["url"]),
    after_ready=fill_features,
)
TRITON = Service(
    "triton",
    plans.plan_triton,
    is_ready=lambda found: triton.is_ready(found["http"]),
    last_words=triton.why_it_ended,
    needs=("valkey",),
    serves_release=True,
    ready_timeout_s=120,
)
WORKER = Service("worker", plans.plan_worker, is_ready=plans.worker_lives, needs=("valkey",))


def services(replicas: int = 1) -> tuple[Service, ...]:
    """The services in the order of their start.

    Args:
        replicas: Triton servers; the second is called triton-2.
    """
    tritons = [replace(TRITON, name=name, plan=_plan_named(name)) for name in triton_names(replicas)]
    # Of every Triton that there may be: it restarts when one is added, and when one is taken away.
    needs = ("valkey", *triton_names(MOST_REPLICAS))
    gateway = Service("gateway", plans.plan_gateway, is_ready=plans.gateway_is_ready, needs=needs)
    return (VALKEY, *tritons, WORKER, gateway)


def triton_names(replicas: int) -> list[str]:
    """Names of the Triton servers: triton, triton-2 and so on."""
    return ["triton", *(f"triton-{number}" for number in range(2, replicas + 1))]


def _plan_named(name: str) -> Callable[[Context], Launch]:
    return lambda context: plans.plan_triton(context, name)
