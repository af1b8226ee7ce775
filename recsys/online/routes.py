"""The gateway's routes."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from typing import Annotated, Final

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from recsys.online import api
from recsys.online.answer_json import written
from recsys.online.auth import Scope
from recsys.online.clock import wall_ms
from recsys.online.doorkeeper import needs
from recsys.online.events import Event
from recsys.online.logs import request_id
from recsys.online.problems import documented
from recsys.online.question import Question
from recsys.online.recommender import Answer, Wish
from recsys.online.rules import Rules
from recsys.online.services import Services
from recsys.schema import DEVICES, NO_ITEM, UNKNOWN
from recsys.tracing import TRACEPARENT

router = APIRouter(prefix="/v1")

_PROBLEM: Final = documented(
    _400="The body cannot be read",
    _401="The key is missing, wrong or revoked",
    _403="The key may not do this",
    _413="The body is too long",
    _422="The input does not fit",
    _429="The key is used too often",
    _503="Something this needs is away; send it again",
)


@router.post(
    "/recommendations",
    dependencies=[Depends(needs(Scope.READ))],
    responses=_PROBLEM,
    response_model=api.Recommendations,
)
async def recommend(asked: api.RecommendationRequest, request: Request) -> api.Recommendations | Response:
    """Recommend items to a user or an anonymous visitor."""
    question = Question(
        UNKNOWN if asked.user_id is None else asked.user_id,
        None if asked.device_type is None else DEVICES[asked.device_type],
        asked.timestamp,
        sampling=asked.sampling,
        diversity=asked.diversity,
        seed=_seed(request_id.get()) if asked.sampling == "weighted" or asked.explore else None,
        diversity_by=asked.diversity_by,
        max_per_category=asked.max_per_category,
        explore=asked.explore,
    )
    rules = Rules(asked.category, asked.in_stock_only, tuple(asked.exclude))
    deadline_s = None if asked.deadline_ms is None else asked.deadline_ms / 1000
    wish = Wish(question, rules, asked.top_k, deadline_s)
    answer = await _services(request).recommender.recommend(wish)
    _observe(request, answer)
    _expose(request, question, answer)
    if not asked.explain:
        plain = written(answer, request_id.get(), asked.user_id)
        return Response(plain, media_type="application/json")
    return api.Recommendations(
        request_id=request_id.get(),
        user_id=asked.user_id,
        release=answer.catalogue.release if answer.catalogue else None,
        degraded=int(answer.degraded),
        fallbacks=[str(rung.name).lower() for rung in answer.degraded],
        items=_items(answer),
        timings_ms=answer.timings_ms,
    )


@router.post("/events", status_code=202, dependencies=[Depends(needs(Scope.WRITE))], responses=_PROBLEM)
async def accept(asked: api.EventBody, request: Request) -> api.EventsAccepted:
    """Take one event or many; they are in the log when this answers 202."""
    given = asked.events if isinstance(asked, api.EventBatch) else [asked]
    traceparent = request.app.state.tracer.headers().get(TRACEPARENT, "")
    events = [_event(each, traceparent) for each in given]
    metrics = request.app.state.metrics.events
    try:
        await _services(request).writer.append(events)
    except Exception:
        metrics.labels("refused").inc(len(events))
        raise
    metrics.labels("accepted").inc(len(events))
    return api.EventsAccepted(
        request_id=request_id.get(), accepted=len(events), event_ids=[event.event_id for event in events]
    )


@router.delete("/users/{user_id}/history", dependencies=[Depends(needs(Scope.ADMIN))], responses=_PROBLEM)
async def forget(user_id: Annotated[api.UserId, api.Written, Path()], request: Request) -> api.Forgotten:
    """Forget what a user did: seen and recent items, behaviour features, and what a replay would bring."""
    until_ms = await _services(request).writer.forget(user_id)
    return api.Forgotten(request_id=request_id.get(), user_id=user_id, until_ms=until_ms)


async def _given_once(request: Request) -> None:
    """Refuse a page that is asked for in two ways at once, of which one would be passed over in silence."""
    names = [name for name, _ in request.query_params.multi_items() if name in {"category", "after", "limit"}]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RequestValidationError([{"loc": ("query", name), "msg": "given twice"} for name in twice])


@router.get("/items", dependencies=[Depends(needs(Scope.READ)), Depends(_given_once)], responses=_PROBLEM)
async def items(
    request: Request,
    *,
    ids: Annotated[list[Annotated[api.ItemId, api.Written]] | None, Query(max_length=api.MAX_TOP_K)] = None,
    category: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    after: Annotated[
        int, Query(ge=0, le=2**63 - 1, description="`next` of the page before"), api.Written
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=api.MAX_TOP_K), api.Written] = 100,
) -> api.ItemPage:
    """The shop's items: some by id, or page by page."""
    catalogue = await asyncio.to_thread(_services(request).catalogues.current)
    if catalogue is None:
        return api.ItemPage(release=None, items=[], next=None)
    rows = np.arange(len(catalogue.item_ids))
    if ids is not None:
        rows = catalogue.indexes(np.array(ids, dtype=np.int64))
        rows = rows[rows != NO_ITEM]
    if category is not None:
        number = int(category) if category.lstrip("-").isascii() and category.lstrip("-").isdigit() else None
        rows = rows[catalogue.category_mask(category if number is None else number)[rows]]
    page = rows[after : after + limit]
    more = after + limit if after + limit < len(rows) else None
    cards = [api.ItemCard(**catalogue.card(row)) for row in page.tolist()]
    return api.ItemPage(release=catalogue.release, items=cards, next=more)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _event(given: api.EventIn, traceparent: str) -> Event:
    now = wall_ms()
    at_ms = now if given.timestamp is None else given.timestamp * 1000
    return Event(
        event_id=given.event_id or uuid.uuid4().hex,
        user_id=given.user_id,
        item_id=given.item_id,
        # A clock that is ahead must not put an event beyond the reach of "forget me".
        at_ms=min(at_ms, now),
        device_type=UNKNOWN if given.device_type is None else DEVICES[given.device_type],
        event_type=given.event_type,
        traceparent=traceparent,
    )


def _seed(name: str) -> int:
    """A request's seed: the same id, the same sample."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)


def _items(answer: Answer) -> list[api.RecommendedItem]:
    if answer.catalogue is None:
        return []
    items = []
    for place, (index, score) in enumerate(zip(answer.indexes, answer.scores, strict=True)):
        item = api.RecommendedItem(**answer.catalogue.card(index), score=score)
        item.source = answer.sources[place]
        item.candidate_of = [str(each.name).lower() for each in answer.candidate_of[place]]
        item.propensity = answer.propensities[place] if answer.propensities else None
        items.append(item)
    return items


def _expose(request: Request, question: Question, answer: Answer) -> None:
    """Note what was shown to a user of a trial, or in an answer that explored."""
    catalogue = answer.catalogue
    if catalogue is not None:
        items = catalogue.item_ids[answer.indexes].tolist()
        device = UNKNOWN if question.device_type is None else question.device_type
        _services(request).ensemble.expose(
            question.user_id, catalogue.release, items, answer.propensities, device
        )


def _observe(request: Request, answer: Answer) -> None:
    metrics = request.app.state.metrics
    metrics.count_degraded(answer.degraded)
    for stage, milliseconds in answer.timings_ms.items():
        metrics.stage.labels(stage).observe(milliseconds / 1000)
    request.state.log = {"degraded": int(answer.degraded)}
