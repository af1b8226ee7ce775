"""Where replicas are: a list, all addresses behind a name, or the ready endpoints of a Kubernetes service."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from recsys.errors import BadUse, Unavailable
from recsys.release.kubernetes_api import ready_addresses

_FIX: Final = "Write host:port, dns:NAME:PORT or kubernetes:SERVICE:PORT"

Resolve = Callable[[str, int], Iterable[str]]
"""From a name and a port to IP addresses."""


def addresses(wanted: Sequence[str], resolve: Resolve | None = None) -> list[str]:
    """The replicas that there are now.

    Args:
        wanted: Each `host:port`; `dns:NAME:PORT`, for all addresses behind a name such as a headless
            service's; or `kubernetes:SERVICE:PORT`, for the ready addresses in the service's EndpointSlices,
            which takes a service account that may list them.
        resolve: How names are looked up; the system's way when not given.

    Returns:
        `host:port` of each, sorted, none twice.

    Raises:
        BadUse: An address is none, or there is no such service.
        Unavailable: A name cannot be looked up, the API server does not answer, or no pod is ready.
    """
    found: set[str] = set()
    for each in wanted:
        kind, _, rest = each.partition(":")
        if kind == "dns":
            name, port = _split(rest, each)
            found |= {_joined(ip, port) for ip in (resolve or _look_up)(name, port)}
        elif kind == "kubernetes":
            name, port = _split(rest, each)
            found |= {_joined(ip, port) for ip in ready_addresses(name)}
        else:
            found.add(_joined(*_split(each, each)))
    return sorted(found)


def beside(address: str, port: int) -> str:
    """Another port of the same host."""
    return f"{address.rpartition(':')[0]}:{port}"


def _split(text: str, whole: str) -> tuple[str, int]:
    name, _, port = text.rpartition(":")
    if not name or not port.isdigit() or not 0 < int(port) < 65_536:
        raise BadUse(f"replica {whole!r}", "no address", _FIX)
    return name, int(port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _look_up(name: str, port: int) -> set[str]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"name {name}", str(error), "Is it the name of a headless service?") from error
    return {str(entry[4][0]) for entry in found}
