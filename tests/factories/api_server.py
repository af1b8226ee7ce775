"""A stand-in for Kubernetes' API server: it stores what it is sent, and refuses what a real one would.

Every object is validated strictly against the schemas of one Kubernetes version, fields that a real server
holds fast (selectors, a Job's template) may not change, and kinds that it does not know are not found. There
are no controllers.
"""

from __future__ import annotations

import asyncio
import copy
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from aiohttp import web
from factories.api_discovery import KINDS, OF_THE_CLUSTER, add_discovery, api_version

from recsys.local.ports import free_port

Object = dict[str, Any]
Middleware = Callable[[web.Request, Callable[[web.Request], Awaitable[web.StreamResponse]]], Any]

_CUSTOM = "monitoring.coreos.com/v1"
_FAST = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "volumeClaimTemplates"),
    "Job": ("selector", "template", "completions"),
    "Service": ("clusterIP",),
}


@dataclass
class ApiServer:
    """The server's state.

    Attributes:
        version: Kubernetes' version, such as 1.34.
        objects: What is stored, by kind and name.
        refusals: What was refused, and why.
        writes: Method, kind and name of every change.
        url: Its address.
        trusted: Certificate of the authority to trust, where it speaks https.
    """

    version: str
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    writes: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""
    trusted: Path | None = None

    def names(self, kind: str) -> set[str]:
        """The stored objects of a kind."""
        return {name for found, name in self.objects if found == kind}

    def kubeconfig(self) -> str:
        """How a client reaches it."""
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": {"server": self.url}}],
                "users": [{"name": "test", "user": {}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "current-context": "test",
            }
        )

    def application(self) -> web.Application:
        """The API as an aiohttp application."""
        app = web.Application(client_max_size=16 * 1024**2)
        add_discovery(app, self.version)
        in_namespace = "namespaces/{namespace}/{plural}"
        for place in (
            f"/api/{{version}}/{in_namespace}",
            f"/apis/{{group}}/{{version}}/{in_namespace}",
            "/apis/{group}/{version}/{plural}",
        ):
            app.router.add_get(place, self._list)
            app.router.add_post(place, self._create)
            app.router.add_get(f"{place}/{{name}}", self._get)
            app.router.add_put(f"{place}/{{name}}", self._replace)
            app.router.add_patch(f"{place}/{{name}}", self._patch)
            app.router.add_delete(f"{place}/{{name}}", self._delete)
        app.router.add_get("/api/v1/namespaces/{name}", self._namespace)
        return app

    async def _namespace(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    async def _list(self, request: web.Request) -> web.Response:
        kind = self._kind(request)
        wanted = dict(
            part.split("=", 1)
            for part in request.query.get("labelSelector", "").replace("==", "=").split(",")
            if part
        )
        items = [
            found
            for (stored, _), found in self.objects.items()
            if stored == kind and wanted.items() <= found["metadata"].get("labels", {}).items()
        ]
        return web.json_response({"kind": f"{kind}List", "apiVersion": api_version(request), "items": items})

    async def _get(self, request: web.Request) -> web.Response:
        found = self.objects.get((self._kind(request), request.match_info["name"]))
        return web.json_response(found) if found else _not_found(request)

    async def _create(self, request: web.Request) -> web.Response:
        sent = yaml.safe_load(await request.text())
        if (self._kind(request), sent["metadata"]["name"]) in self.objects:
            return _status(409, "AlreadyExists", f"{sent['metadata']['name']} already exists")
        return self._store(request, sent)

    async def _replace(self, request: web.Request) -> web.Response:
        if (self._kind(request), request.match_info["name"]) not in self.objects:
            return _not_found(request)
        return self._store(request, yaml.safe_load(await request.text()))

    async def _patch(self, request: web.Request) -> web.Response:
        sent = yaml.safe_load(await request.text())
        if request.content_type == "application/apply-patch+yaml":
            return self._store(request, sent)
        before = self.objects.get((self._kind(request), request.match_info["name"]))
        return self._store(request, _merged(before, sent)) if before else _not_found(request)

    async def _delete(self, request: web.Request) -> web.Response:
        key = (self._kind(request), request.match_info["name"])
        if key not in self.objects:
            return _not_found(request)
        del self.objects[key]
        self.writes.append(("DELETE", *key))
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _store(self, request: web.Request, sent: Object) -> web.Response:
        kind, name = self._kind(request), sent["metadata"]["name"]
        before = self.objects.get((kind, name))
        reason = self._why_not(sent, before)
        if reason:
            self.refusals.append(f"{kind} {name}: {reason}")
            return _status(422, "Invalid", f"{kind} {name}: {reason}")
        stored = copy.deepcopy(sent)
        stored["metadata"] |= {"uid": f"{kind}-{name}"}
        if kind not in OF_THE_CLUSTER:
            stored["metadata"]["namespace"] = request.match_info["namespace"]
        stored["metadata"]["resourceVersion"] = str(len(self.writes) + 1)
        self.objects[kind, name] = stored
        self.writes.append((request.method, kind, name))
        return web.json_response(stored, status=200 if before else 201)

    def _why_not(self, sent: Object, before: Object | None) -> str:
        """Why a real server would refuse an object; empty when it would not."""
        if sent["apiVersion"] not in KINDS or sent["kind"] not in KINDS[sent["apiVersion"]].values():
            return "is of no kind that is known"
        if sent["apiVersion"] != _CUSTOM:
            plain = copy.deepcopy(sent)
            plain["metadata"].pop("managedFields", None)
            try:
                kubernetes_validate.validate(plain, self.version, strict=True)
            except kubernetes_validate.ValidationError as error:
                return str(error)
        for name in _FAST.get(sent["kind"], ()) if before else ():
            if name in before["spec"] and before["spec"][name] != sent["spec"].get(name):
                return f"spec.{name} is immutable"
        return ""

    def _kind(self, request: web.Request) -> str:
        kind = KINDS.get(api_version(request), {}).get(request.match_info["plural"])
        if kind is None or (kind in OF_THE_CLUSTER) == ("namespace" in request.match_info):
            raise web.HTTPNotFound(text=json.dumps({"kind": "Status", "status": "Failure", "code": 404}))
        return kind


@contextmanager
def api_server(
    version: str, certificate: ssl.SSLContext | None = None, guard: Middleware | None = None
) -> Iterator[ApiServer]:
    """A running server; it listens on this machine only.

    Args:
        version: Kubernetes' version, such as 1.34.
        certificate: The server's, for https.
        guard: Sees each request first; see `factories.api_guard`.
    """
    server, loop, port = ApiServer(version), asyncio.new_event_loop(), free_port()
    app = server.application()
    if guard is not None:
        app.middlewares.append(guard)
    runner = web.AppRunner(app)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=certificate).start()

    loop.run_until_complete(start())
    server.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{port}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def _status(code: int, reason: str, message: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return web.json_response({**status, "code": code}, status=code)


def _not_found(request: web.Request) -> web.Response:
    return _status(404, "NotFound", f"{request.match_info['plural']} {request.match_info['name']} not found")


def _merged(under: Any, over: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(over, dict):
        return over
    under = dict(under) if isinstance(under, dict) else {}
    for key, value in over.items():
        if value is None:
            under.pop(key, None)
        else:
            under[key] = _merged(under.get(key), value)
    return under
