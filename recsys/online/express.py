"""The plain way of the gateway's busiest route: a request that is in order, answered without a detour.

FastAPI resolves dependencies, collects errors and serialises models for every request, which takes about half
of the gateway's time. Nothing of that shows in the answer to a request that is in order. So such requests are
answered here, by the same functions; any other goes the usual way from the start, which says what is wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.errors import RecsysError
from recsys.online.api import RecommendationRequest
from recsys.online.auth import Scope as KeyScope
from recsys.online.routes import recommend

PATH: Final = "/v1/recommendations"
_BEARER: Final = "Bearer "
_JSON: Final = "application/json"


@dataclass(frozen=True)
class _Route:
    """What metrics and logs call the route."""

    path: str = PATH


_ROUTE: Final = _Route()


class Express:
    """Answers plain requests for recommendations itself, and hands on all others.

    Args:
        app: The gateway; its state holds the doorkeeper and the services.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; bodies have been read whole before it (`middleware.BodyLimit`)."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        message = await receive()
        asked = _understood(scope, message)
        if asked is None or not _admitted(scope):
            await self._app(scope, _again(message, receive), send)
            return
        scope["route"] = _ROUTE
        try:
            answer = await recommend(asked, Request(scope, receive))
        except RecsysError:
            # What becomes of it is the usual way's to say, which has a handler for each.
            await self._app(scope, _again(message, receive), send)
            return
        assert isinstance(answer, Response)  # noqa: S101 - only an explained answer is a model
        await answer(scope, receive, send)


def _understood(scope: Scope, message: Message) -> RecommendationRequest | None:
    """What is asked, if it is plain and in order."""
    if not Headers(scope=scope).get("content-type", "").startswith(_JSON) or message.get("more_body"):
        return None
    try:
        asked = RecommendationRequest.model_validate(json.loads(message.get("body", b"")))
    except (ValueError, ValidationError, RecursionError):
        return None
    return None if asked.explain else asked


def _admitted(scope: Scope) -> bool:
    """Whether the request bears a key that may do this; why not is said on the usual way."""
    bearer = Headers(scope=scope).get("authorization", "")
    if not bearer.startswith(_BEARER):
        return False
    try:
        scope["app"].state.doorkeeper.admit(bearer.removeprefix(_BEARER), KeyScope.READ)
    except RecsysError:
        return False
    return True


def _again(message: Message, receive: Receive) -> Receive:
    """Receives a message that was taken already, and then what follows."""
    waiting = [message]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
