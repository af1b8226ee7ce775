"""Options and arguments that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from recsys.errors import BadUse

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]
DataDir = Annotated[Path, typer.Option("--data", help="Folder of a data set.", show_default=False)]
ItemId = Annotated[int, typer.Option("--item", help="The shop's item id.", show_default=False)]
UserId = Annotated[int, typer.Option("--user", help="The shop's user id.", show_default=False)]


class Device(StrEnum):
    """What `--device` takes; the keys of `recsys.schema.DEVICES`."""

    MOBILE = "mobile"
    DESKTOP = "desktop"
    TABLET = "tablet"


DeviceName = Annotated[Device | None, typer.Option("--device", help="Left out: unknown.", show_default=False)]
At = Annotated[
    str | None,
    typer.Option("--at", help="Time, such as 2025-08-10T19:00; UTC unless it says otherwise. Left out: now.",
                 show_default=False),
]  # fmt: skip

Days = Annotated[
    str,
    typer.Option("--days", help="Days, such as 0-10 or 11,12.", show_default=False),
]


def parse_days(text: str) -> list[int]:
    """Days from a text such as 0-10 or 11,12, ascending; none of an empty one.

    Raises:
        BadUse: It is something else.
    """
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if not first.strip().isdecimal() or not (last or first).strip().isdecimal():
            raise BadUse("--days", f"{text!r} are not days", "Write them like 0-10 or 11,12")
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found)


def check_id(value: int, option: str) -> int:
    """The id itself.

    Raises:
        BadUse: It does not fit into 64 bits.
    """
    if not -(2**63) <= value < 2**63:
        raise BadUse(option, f"{value} does not fit into 64 bits", "Give the shop's own id")
    return value


def unix_seconds(text: str | None) -> int | None:
    """Seconds since 1970 of a time in ISO 8601, UTC where it names no zone.

    Args:
        text: The time; None is handed through.

    Raises:
        BadUse: It is not a time, or one before 1970.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadUse("--at", f"{text!r} is not a time", "Write it like 2025-08-10T19:00") from None
    seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if seconds <= 0:
        raise BadUse("--at", f"{text!r} lies before 1970", "Give a later time")
    return seconds
