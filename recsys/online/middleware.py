"""What happens around every request: an id, a limit on its body, metrics and one line of log."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.online.logs import request_id
from recsys.online.metrics import GatewayMetrics
from recsys.online.problems import problem
from recsys.tracing import TRACEPARENT, Tracer

_log = logging.getLogger("recsys.gateway")

REQUEST_ID: Final = "x-request-id"
_PROBES: Final = ("/healthz", "/readyz", "/metrics")
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observed:
    """Gives each request an id, counts it, times it and logs it.

    Args:
        app: What answers.
        metrics: Where to count.
        tracer: Makes a span of each request, within the caller's trace if there is one.
    """

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics, tracer: Tracer) -> None:
        self._app = app
        self._metrics = metrics
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        # A caller's id is kept if it is harmless in a log.
        name = given if _ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(name)
        began, status, started = time.monotonic(), 500, False

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                MutableHeaders(scope=message)[REQUEST_ID] = name
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._traced(scope, receive, answer)
        except Exception:  # noqa: BLE001
            # Nothing that goes wrong inside may reach a caller as more than its id.
            _log.exception("unexpected")
            if not started:
                refusal = problem(500, "Unexpected", "The log has the cause under this request's id")
                await refusal(scope, receive, answer)
        finally:
            self._metrics.in_flight.dec()
            self._record(scope, status, time.monotonic() - began)
            request_id.reset(token)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within a span; probes would only be noise among them."""
        if scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        method = _method(scope)
        caller = {TRACEPARENT: Headers(scope=scope).get(TRACEPARENT, "")}
        with self._tracer.span(method, "server", caller) as span:
            await self._app(scope, receive, answer)
            route = getattr(scope.get("route"), "path", "none")
            span.rename(f"{method} {route}")
            told = {"http.request.method": method, "http.route": route, "http.response.status_code": status}
            for name, value in (told | {"recsys.request_id": request_id.get()}).items():
                span.note(name, value)
            if status >= 500:
                span.fail(f"answered {status}")

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, not the path: paths hold users' ids and are without number.
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(route, _method(scope), status).inc()
        self._metrics.latency.labels(route).observe(seconds)
        level = logging.WARNING if status >= 500 else logging.INFO
        if route not in _PROBES:
            _log.log(
                level,
                "%s %s %d",
                scope["method"],
                route,
                status,
                extra={"ms": round(seconds * 1000, 2), **scope.get("state", {}).get("log", {})},
            )


class BodyLimit:
    """Refuses bodies that are too long, whether or not they say so.

    Args:
        app: What answers.
        max_bytes: Longest body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        declared = Headers(scope=scope).get("content-length", "0")
        too_long = declared.isdigit() and int(declared) > self._max_bytes
        while more and not too_long:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            too_long = len(body) > self._max_bytes
        if too_long:
            refusal = problem(413, "Body too long", f"At most {self._max_bytes} bytes are taken")
            await refusal(scope, receive, send)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)


def _method(scope: Scope) -> str:
    known = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH")
    return scope["method"] if scope["method"] in known else "other"
