"""What a Kubernetes API server tells of itself: its version, the kinds that it knows, and where they are."""

from __future__ import annotations

from aiohttp import web

KINDS = {
    "v1": {
        "configmaps": "ConfigMap",
        "secrets": "Secret",
        "services": "Service",
        "serviceaccounts": "ServiceAccount",
    },
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "discovery.k8s.io/v1": {"endpointslices": "EndpointSlice"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy", "ingresses": "Ingress"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "rbac.authorization.k8s.io/v1": {"roles": "Role", "rolebindings": "RoleBinding"},
    "scheduling.k8s.io/v1": {"priorityclasses": "PriorityClass"},
    "monitoring.coreos.com/v1": {"servicemonitors": "ServiceMonitor", "prometheusrules": "PrometheusRule"},
}
"""Resources by API version and plural."""

OF_THE_CLUSTER = {"PriorityClass"}
"""Kinds that live in no namespace."""


def add_discovery(app: web.Application, version: str) -> None:
    """Have a server answer what clients ask before they send anything.

    Args:
        app: The server.
        version: Kubernetes' version, such as 1.34.
    """

    async def about(_: web.Request) -> web.Response:
        major, minor = version.split(".")
        return web.json_response({"major": major, "minor": minor, "gitVersion": f"v{version}.0"})

    app.router.add_get("/version", about)
    app.router.add_get("/api", _core)
    app.router.add_get("/apis", _groups)
    app.router.add_get("/api/v1", _resources)
    app.router.add_get("/apis/{group}/{version}", _resources)
    app.router.add_get("/openapi/v3", _documents)
    app.router.add_get("/openapi/v3/apis/{group}/{version}", _document)
    app.router.add_get("/openapi/v3/api/{version}", _document)


async def _core(_: web.Request) -> web.Response:
    return web.json_response({"kind": "APIVersions", "versions": ["v1"]})


async def _groups(_: web.Request) -> web.Response:
    named = [name.split("/") for name in KINDS if "/" in name]
    versions = {group: {"groupVersion": f"{group}/{version}", "version": version} for group, version in named}
    groups = [{"name": group, "versions": [one], "preferredVersion": one} for group, one in versions.items()]
    return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


async def _resources(request: web.Request) -> web.Response:
    known = KINDS.get(api_version(request))
    if known is None:
        return web.json_response({"kind": "Status", "status": "Failure", "code": 404}, status=404)
    verbs = ["create", "delete", "get", "list", "patch", "update"]
    resources = [
        {
            "name": plural,
            "singularName": kind.lower(),
            "namespaced": kind not in OF_THE_CLUSTER,
            "kind": kind,
            "verbs": verbs,
        }
        for plural, kind in known.items()
    ]
    if api_version(request) == "v1":
        namespaces = {"name": "namespaces", "singularName": "", "namespaced": False, "kind": "Namespace"}
        resources.append({**namespaces, "verbs": ["get"]})
    found = {"kind": "APIResourceList", "groupVersion": api_version(request), "resources": resources}
    return web.json_response(found)


async def _documents(_: web.Request) -> web.Response:
    paths = {_path(name): {"serverRelativeURL": f"/openapi/v3/{_path(name)}"} for name in KINDS}
    return web.json_response({"paths": paths})


async def _document(request: web.Request) -> web.Response:
    """Says of each kind that the server validates fields itself, so that Helm leaves it to the server."""
    group, _, version = api_version(request).rpartition("/")
    operations = {
        f"/{_path(api_version(request))}/{_place(kind)}{plural}/{{name}}": {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query"}],
                "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
                "responses": {},
            }
        }
        for plural, kind in KINDS[api_version(request)].items()
    }
    info = {"title": "Kubernetes", "version": "v3"}
    return web.json_response({"openapi": "3.0.0", "info": info, "paths": operations})


def api_version(request: web.Request) -> str:
    group = request.match_info.get("group")
    version = request.match_info.get("version", "v1")
    return f"{group}/{version}" if group else version


def _path(api_version: str) -> str:
    return f"apis/{api_version}" if "/" in api_version else f"api/{api_version}"


def _place(kind: str) -> str:
    return "" if kind in OF_THE_CLUSTER else "namespaces/{namespace}/"
