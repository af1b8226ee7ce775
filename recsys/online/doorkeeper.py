"""Who may enter: the API key of a request, its scope and its rate."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from recsys.errors import BadUse
from recsys.online.auth import ApiKey, KeyStore, Scope
from recsys.online.limits import RateLimiter

_BEARER = HTTPBearer(auto_error=False, description="an API key")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="an API key")

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
Header = Annotated[str | None, Depends(_HEADER)]


class TooManyRequests(BadUse):
    """A key that is used more often than agreed."""

    retry_after_s = 1


class Doorkeeper:
    """Checks keys and rates.

    Args:
        keys: Who may call.
        limiter: How often.
    """

    def __init__(self, keys: KeyStore, limiter: RateLimiter) -> None:
        self._keys = keys
        self._limiter = limiter

    def admit(self, token: str | None, scope: Scope) -> ApiKey:
        """Let a request in.

        Args:
            token: The key that it bears.
            scope: What it wants to do.

        Raises:
            WrongKey: The key is missing, unknown or revoked.
            Forbidden: It may not do that.
            TooManyRequests: It is used too often.
        """
        key = self._keys.check(token, scope)
        wait_s = self._limiter.wait_s(key.id)
        if wait_s:
            error = TooManyRequests(f"API key {key.id}", "is used too often", "Wait, then send it again")
            error.retry_after_s = max(1, math.ceil(wait_s))
            raise error
        return key


def needs(scope: Scope) -> Callable[..., Awaitable[ApiKey]]:
    """A dependency that lets in only requests whose key has a scope.

    Args:
        scope: What the route does.
    """

    async def admitted(request: Request, bearer: Bearer, header: Header) -> ApiKey:
        doorkeeper: Doorkeeper = request.app.state.doorkeeper
        return doorkeeper.admit(bearer.credentials if bearer else header, scope)

    return admitted
