"""Refusals in one form (RFC 9457), without tracebacks and without repeating what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import JSONResponse

from recsys.online.api import Problem
from recsys.online.logs import request_id

MEDIA_TYPE: Final = "application/problem+json"


def documented(**titles: str) -> dict[int | str, dict[str, Any]]:
    """Refusals for the OpenAPI document.

    Args:
        titles: `_<status>` and when it is given.
    """
    schema = Problem.model_json_schema()
    return {
        int(status.lstrip("_")): {"description": title, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, title in titles.items()
    }


def problem(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal.

    Args:
        status: HTTP status.
        title: The kind of refusal.
        detail: What was wrong and what to do.
        headers: Further headers.
    """
    body = Problem(title=title, status=status, detail=detail, request_id=request_id.get())
    return JSONResponse(body.model_dump(), status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def invalid(errors: Sequence[Mapping[str, Any]]) -> JSONResponse:
    """A refusal of input that does not fit the schema.

    Args:
        errors: As pydantic reports them. Only places and messages are told: what was sent may be anything.
    """
    told = []
    for error in errors[:5]:
        place = ".".join(str(part) for part in error["loc"] if part != "body")
        if not place and error.get("type") == "missing":
            place = "body"
        told.append(f"{place}: {error['msg']}" if place else str(error["msg"]))
    detail = "; ".join(told).encode("utf-8", "replace").decode()
    return problem(422, "Input does not fit", detail)
