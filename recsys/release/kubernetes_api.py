"""Ready pods behind a Kubernetes service, from inside a pod: one question to the cluster's API server."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from recsys.errors import BadUse, RecsysError, Unavailable

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, the cluster's certificate authority and its namespace."""

_TIMEOUT_S: Final = 10.0
_API: Final = "Kubernetes' API"
_FIXES: Final[dict[int, str]] = {
    http.client.UNAUTHORIZED: "Mount a token of the pod's service account that has not run out",
    http.client.FORBIDDEN: "Bind a Role to the service account with verb list on endpointslices of"
    " discovery.k8s.io; the chart does with promotion.lookup=kubernetes",
}


def ready_addresses(service: str) -> set[str]:
    """IP addresses of the pods of a service in this pod's namespace that are ready.

    The token is read anew each time, for the kubelet renews it.

    Args:
        service: The service's name.

    Returns:
        One address a pod.

    Raises:
        BadUse: This is no pod with a service account's token, or there is no such service.
        Unavailable: The API server does not answer or refuses, or no pod is ready.
    """
    namespace, listing = _slices(service)
    slices = listing.get("items") or []
    asked = f"kubernetes:{service}"
    if not slices:
        cause = f"namespace {namespace} has no EndpointSlice of such a service"
        raise BadUse(asked, cause, "Name a service of this namespace, as `kubectl get services` lists it")
    found = endpoint_addresses(listing)
    if not found:
        raise Unavailable(asked, "none of its pods is ready", "See `kubectl describe pods`, wait and repeat")
    return found


def endpoint_addresses(listing: Any) -> set[str]:
    """Addresses in a list of EndpointSlices; of pods that are ready and do not end, one of each pod.

    A pod with an address of either family stands in two slices; the IPv4 one is taken.

    Args:
        listing: The API's answer.
    """
    found: dict[str, str] = {}
    slices = [each for each in listing.get("items") or [] if each.get("addressType", "IPv4") != "FQDN"]
    for piece in sorted(slices, key=lambda each: str(each.get("addressType", "IPv4"))):
        for endpoint in piece.get("endpoints") or []:
            if _is_up(endpoint.get("conditions") or {}):
                # All addresses of an endpoint are interchangeable; clients are to take the first.
                address = endpoint["addresses"][0]
                found.setdefault((endpoint.get("targetRef") or {}).get("uid", address), address)
    return set(found.values())


def _is_up(conditions: Any) -> bool:
    # The API leaves out what is not known, and says to take that as ready.
    return conditions.get("ready") is not False and not conditions.get("terminating")


def _slices(service: str) -> tuple[str, Any]:
    """The pod's namespace, and the EndpointSlices of a service in it."""
    try:
        namespace = (_ACCOUNT / "namespace").read_text().strip()
        token = (_ACCOUNT / "token").read_text().strip()
        trusted = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    except OSError as error:
        cause = f"no service account here ({error.strerror or error})"
        raise BadUse(f"kubernetes:{service}", cause, "Run it in a pod with a token, or use dns:") from error
    selector = quote(f"kubernetes.io/service-name={service}", safe="")
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector={selector}"
    status, text = _asked(path, token, trusted)
    if status != http.client.OK:
        raise _refusal(status, text)
    try:
        return namespace, json.loads(text)
    except ValueError as error:
        raise Unavailable(_API, "its answer is no JSON", "Is there a proxy between?") from error


def _asked(path: str, token: str, trusted: ssl.SSLContext) -> tuple[int, bytes]:
    """The API server's status and answer."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    port = int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=trusted)
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ssl.SSLCertVerificationError as error:
        fix = f"Mount the cluster's own certificate authority at {_ACCOUNT / 'ca.crt'}"
        raise Unavailable(_API, f"its certificate is not trusted ({error.verify_message})", fix) from error
    except (OSError, http.client.HTTPException) as error:
        cause = str(error) or type(error).__name__
        raise Unavailable(_API, cause, "Does a network policy let this pod out?") from error
    finally:
        connection.close()


def _refusal(status: int, text: bytes) -> RecsysError:
    """The API server's own words, and what helps."""
    try:
        said = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        said = "no reason given"
    fix = _FIXES.get(status, "See the API server's log")
    return Unavailable(_API, f"HTTP status {status}: {' '.join(str(said).split())[:300]}", fix)
