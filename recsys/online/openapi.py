"""The gateway's OpenAPI document, made exact."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

_LIMITS: Final = ("minimum", "maximum")


def make_exact(app: FastAPI) -> None:
    """Have an application tell limits of integers as integers.

    FastAPI turns them into floats, and 2**63 - 1 has none: the document would allow 2**63, which is refused.

    Args:
        app: The application.
    """
    inexact = app.openapi

    def exact() -> dict[str, Any]:
        document = inexact()
        _walk(document)
        return document

    app.openapi = exact  # type: ignore[method-assign]


def _walk(part: Any) -> None:
    if isinstance(part, dict):
        for name in _LIMITS:
            limit = part.get(name)
            if part.get("type") == "integer" and isinstance(limit, float):
                part[name] = min(int(limit), 2**63 - 1)
        for value in part.values():
            _walk(value)
    elif isinstance(part, list):
        for value in part:
            _walk(value)
