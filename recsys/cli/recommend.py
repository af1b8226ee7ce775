"""`recsys recommend`: ask the running ensemble."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from recsys.cli.options import At, Device, DeviceName, Json, check_id, unix_seconds
from recsys.cli.output import messages, print_json, results, table
from recsys.errors import BadUse
from recsys.schema import UNKNOWN, Degraded
from recsys.settings import get_settings


def recommend(
    user: Annotated[
        int, typer.Option(help="The shop's user id; left out: an anonymous visitor.", show_default=False)
    ] = UNKNOWN,
    device: DeviceName = None,
    at: At = None,
    top: Annotated[int, typer.Option(min=1, help="How many items.")] = 10,
    json: Json = False,
) -> None:
    """Recommend items to a user, on a device, at a time."""
    answer = ask(check_id(user, "--user"), device, at, top)
    if json:
        print_json(answer)
    else:
        show(answer, headline(user, device, at))


def ask(user: int, device: Device | None = None, at: str | None = None, top: int = 10) -> dict[str, Any]:
    """One user's recommendations with what is to be shown of each item.

    Args:
        user: The shop's id; one that is not known is an anonymous visitor.
        device: Left out: unknown.
        at: Time in ISO 8601; left out: now.
        top: How many items, at most what the ensemble returns.

    Returns:
        The document that `recsys recommend --json` prints.

    Raises:
        BadUse: `top` is more than the ensemble returns, or `at` is no time.
        Unavailable: Triton does not run or did not answer in time.
    """
    from recsys.local.cards import ItemCards
    from recsys.local.services import require_ready, supervisor
    from recsys.serving.client import RecommendClient

    settings = get_settings()
    limit = settings.serving.returned
    if top > limit:
        raise BadUse("--top", f"{top} is more than the ensemble returns", f"Ask for {limit} at most")
    seconds = unix_seconds(at)
    address = require_ready(supervisor(settings), "triton")["grpc"]
    with RecommendClient(address, settings.serving.request_timeout_s) as client:
        [answer] = client.recommend([user], device and device.value, seconds, top)
    cards = ItemCards.load(settings.home / "releases" / str(answer.release))
    return {
        "user_id": user,
        "release": answer.release,
        "degraded": answer.degraded,
        "items": [
            {"item_id": item, **cards.describe(item), "score": score}
            for item, score in zip(answer.ids, answer.scores, strict=True)
        ],
    }


def headline(user: int, device: Device | None, at: str | None) -> str:
    """Who is asked for, in words."""
    who = "An anonymous visitor" if user == UNKNOWN else f"User {user}"
    return f"{who} on {device.value if device else 'an unknown device'}, {at or 'now'}"


def show(answer: dict[str, Any], title: str) -> None:
    """Print recommendations as a table.

    Args:
        answer: What `ask` returned.
        title: Heading.
    """
    rows = [
        (
            str(rank),
            str(item["item_id"]),
            escape(item["title"] or ""),
            escape(item["category"] or ""),
            "" if item["price"] is None else f"{item['price']:,.2f}",
            f"{item['score']:.4f}",
        )
        for rank, item in enumerate(answer["items"], start=1)
    ]
    columns = ("#", "item", "title", "category", "price", "score")
    results.print(table(title, columns, rows, right=("#", "item", "price", "score"), elastic="title"))
    if answer["degraded"]:
        parts = ", ".join(
            flag.name.lower().replace("_", " ") for flag in Degraded(answer["degraded"]) if flag.name
        )
        messages.print(f"[yellow]Served from a fallback: {parts}[/]")
