"""The gateway's OpenAPI document, made exact."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

_LIMITS: Final = ("minimum", "maximum")


def make_exact(app: FastAPI) -> None:
    """Have an application tell limits of integers as integers, and parameters as what a URL can say.

    FastAPI turns limits into floats, and 2**63 - 1 has none: the document would allow 2**63, which is
    refused. And where a parameter may be left out it writes that it may be null, for which a URL has no word.

    Args:
        app: The application.
    """
    inexact = app.openapi

    def exact() -> dict[str, Any]:
        document = inexact()
        _walk(document)
        for operation in (each for path in document["paths"].values() for each in path.values()):
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _without_null(parameter["schema"])
        return document

    app.openapi = exact  # type: ignore[method-assign]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | kinds[0]


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
