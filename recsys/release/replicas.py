"""Where replicas are: a list, all addresses behind a name, or the ready endpoints of a Kubernetes service."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from recsys.errors import BadUse, Unavailable

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_S: Final = 10.0
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
        BadUse: An address is none.
        Unavailable: A name cannot be looked up, or the API server does not answer.
    """
    found: set[str] = set()
    for each in wanted:
        kind, _, rest = each.partition(":")
        if kind == "dns":
            name, port = _split(rest, each)
            found |= {_joined(ip, port) for ip in (resolve or _look_up)(name, port)}
        elif kind == "kubernetes":
            name, port = _split(rest, each)
            found |= {_joined(ip, port) for ip in _endpoints(name)}
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


def _endpoints(service: str) -> set[str]:
    """Addresses of a service in this pod's namespace, out of its EndpointSlices."""
    try:
        namespace = (_ACCOUNT / "namespace").read_text().strip()
        token = (_ACCOUNT / "token").read_text().strip()
        trusted = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    except OSError as error:
        cause = f"no service account here ({error.strerror})"
        raise BadUse(f"kubernetes:{service}", cause, "Run it in a pod with a token, or use dns:") from error
    path = (
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        f"?labelSelector=kubernetes.io%2Fservice-name%3D{service}"
    )
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    port = int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=trusted)
    try:
        connection.request("GET", path, headers={"authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable("Kubernetes' API", str(error), "Does a network policy let this pod out?") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        cause = f"HTTP status {answer.status}"
        raise Unavailable("Kubernetes' API", cause, "May the service account list endpointslices?")
    return endpoint_addresses(json.loads(text))


def endpoint_addresses(listing: Any) -> set[str]:
    """Addresses in a list of EndpointSlices; of pods that are ready and do not end.

    Args:
        listing: The API's answer.
    """
    return {
        address
        for piece in listing.get("items", [])
        for endpoint in piece.get("endpoints") or []
        if _is_up(endpoint.get("conditions") or {})
        for address in endpoint.get("addresses", [])
    }


def _is_up(conditions: Any) -> bool:
    # The API leaves out what is not known, and says to take that as ready.
    return conditions.get("ready") is not False and not conditions.get("terminating")
