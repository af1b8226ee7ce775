"""The shops' door: recommendations and events over HTTP.

python -m recsys.online.gateway
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from recsys import valkey
from recsys.errors import Unavailable
from recsys.online import routes
from recsys.online.api import Health
from recsys.online.auth import Forbidden, KeyStore, WrongKey
from recsys.online.balance import open_ensemble
from recsys.online.catalogue import Catalogues
from recsys.online.doorkeeper import Doorkeeper, TooManyRequests
from recsys.online.express import Express
from recsys.online.fallback import Fallback, PopularShelf
from recsys.online.forget import Forgetter
from recsys.online.limits import RateLimiter
from recsys.online.metrics import GatewayMetrics
from recsys.online.middleware import BodyLimit, Observed
from recsys.online.open_log import open_log
from recsys.online.openapi import make_exact
from recsys.online.popularity import Popularity
from recsys.online.problems import invalid, problem
from recsys.online.recommender import Recommender
from recsys.online.services import Services
from recsys.online.trial_metrics import TrialMetrics
from recsys.online.trial_service import TrialService
from recsys.online.writer import Writer
from recsys.serving.layout import CHALLENGER
from recsys.settings import Settings
from recsys.tracing import open_tracer

_log = logging.getLogger(__name__)

_READY_TIMEOUT_S: Final = 0.3


def create_app(settings: Settings, keys: KeyStore) -> FastAPI:
    """The gateway as an ASGI application.

    Args:
        settings: Where everything is, limits and deadlines.
        keys: Who may call.
    """
    metrics, tracer = GatewayMetrics(), open_tracer("recsys-gateway")
    app = FastAPI(
        title="Recommendations",
        version="1",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.tracer = tracer
    app.state.doorkeeper = Doorkeeper(keys, RateLimiter(settings.gateway.rate_per_s, settings.gateway.burst))
    app.include_router(routes.router)
    _add_probes(app)
    _add_problems(app)
    make_exact(app)
    app.add_middleware(Express)
    app.add_middleware(BodyLimit, max_bytes=settings.gateway.max_body_bytes)
    app.add_middleware(Observed, metrics=metrics, tracer=tracer)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    client = valkey.connect(settings.valkey)
    catalogues = Catalogues(settings.home / "releases")
    shelf = PopularShelf(catalogues, Popularity(client, settings.popularity))
    ensemble = TrialService(
        open_ensemble(settings),
        open_ensemble(settings, CHALLENGER),
        client,
        settings.trial,
        metrics=TrialMetrics(app.state.metrics.registry),
    )
    fallback = Fallback(client, settings, catalogues, shelf)
    app.state.services = Services(
        recommender=Recommender(ensemble, fallback, catalogues, settings.gateway, app.state.tracer),
        catalogues=catalogues,
        shelf=shelf,
        writer=Writer(open_log(settings, client), Forgetter(client, settings.seen)),
        ensemble=ensemble,
        client=client,
    )
    await asyncio.to_thread(shelf.refresh)
    ensemble.start()
    refreshing = asyncio.create_task(_refresh(shelf, settings.gateway.popular_refresh_s))
    yield
    refreshing.cancel()
    await ensemble.close()
    app.state.services.writer.close()
    app.state.services.recommender.close()
    client.close()
    app.state.tracer.close()


async def _refresh(shelf: PopularShelf, every_s: float) -> None:
    while True:
        # Until a release is there, the first `recsys up` may be seconds away from one.
        await asyncio.sleep(every_s if shelf.items() else min(1.0, every_s))
        try:
            await asyncio.to_thread(shelf.refresh)
        except Exception:  # noqa: BLE001
            # The list in memory is the last rung of the ladder: it must outlive whatever breaks its refresh.
            _log.exception("popular items stay as they were")


def _add_probes(app: FastAPI) -> None:
    @app.get("/healthz", tags=["probes"])
    async def healthz() -> Health:
        """Whether the process answers."""
        return Health(status="ok")

    @app.get("/readyz", tags=["probes"], responses={503: {"model": Health}})
    async def readyz(request: Request, response: Response) -> Health:
        """Whether recommendations can be answered, if need be from memory; `parts` says what is up."""
        services: Services = request.app.state.services
        triton = await services.ensemble.is_ready(_READY_TIMEOUT_S)
        valkey_up = await asyncio.to_thread(services.valkey_answers)
        parts = {"triton": _word(triton), "valkey": _word(valkey_up)}
        if not triton and services.shelf.items() is None:
            response.status_code = 503
            return Health(status="starting", parts=parts)
        return Health(status="ok" if triton and valkey_up else "degraded", parts=parts)

    @app.get("/metrics", tags=["probes"], response_class=Response)
    async def read_metrics(request: Request) -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _word(up: bool) -> str:
    return "up" if up else "down"


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def wrong_input(_: Request, error: RequestValidationError) -> Response:
        return invalid(error.errors())

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), "See /openapi.json", error.headers)

    @app.exception_handler(WrongKey)
    async def wrong_key(_: Request, error: WrongKey) -> Response:
        return problem(401, "Who is there?", str(error), {"www-authenticate": "Bearer"})

    @app.exception_handler(Forbidden)
    async def forbidden(_: Request, error: Forbidden) -> Response:
        return problem(403, "Not with this key", str(error))

    @app.exception_handler(TooManyRequests)
    async def too_many(_: Request, error: TooManyRequests) -> Response:
        return problem(429, "Too many requests", str(error), {"retry-after": str(error.retry_after_s)})

    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, error: Unavailable) -> Response:
        _log.warning("not now: %s", error)
        detail = f"{error.thing} is not available: nothing is lost, send it again"
        return problem(503, "Not now", detail, {"retry-after": "1"})


if __name__ == "__main__":
    from recsys.online.gateway_process import main

    main()
