"""What a user's seen filter costs: memory and false positives, measured on a server.

    python -m recsys.online.seen_cost [--url redis://HOST:PORT/N] [--json]

Without a URL it starts a Valkey of its own. A server that is given may be in use: all that is written there
is of users with ids of its own, and is deleted at the end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import redis

from recsys import valkey
from recsys.local.valkey import ValkeyServer
from recsys.online.clock import wall_ms
from recsys.online.seen import SeenFilter
from recsys.online.seen_forms import BitmapForm, NativeForm, SeenForm, has_bloom_commands
from recsys.settings import SeenSettings, ValkeySettings

CLICKED: Final = (1, 60, 250, 1_000, 2_000, 10_000)
_USERS: Final = 20
_UNSEEN: Final = 20_000
_FIRST_USER: Final = 8_000_000_000_000_000_000
_ADDED_AT_ONCE: Final = 50
_ASKED_AT_ONCE: Final = 400
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True)
class Cost:
    """Of the filters of users who clicked so much.

    Attributes:
        form: bitmap or native.
        clicked: Items a user, within one generation.
        memory_bytes: Mean `MEMORY USAGE` of a filter.
        false_positives: Share of unseen items that a filter calls seen.
    """

    form: str
    clicked: int
    memory_bytes: float
    false_positives: float


def measure(  # noqa: PLR0917 - what is measured, and how much of it
    client: redis.Redis,
    settings: SeenSettings,
    forms: Sequence[str],
    clicked: Sequence[int] = CLICKED,
    users: int = _USERS,
    unseen: int = _UNSEEN,
) -> list[Cost]:
    """Measure filters on a server.

    Args:
        client: Client of the server.
        settings: Capacity and error rate; the form is passed over.
        forms: bitmap, and native where the server has the module.
        clicked: Numbers of items to try.
        users: Filters each.
        unseen: Items asked of each filter.

    Raises:
        Unavailable: The server did not answer in time.
    """
    return [
        _cost(client, settings, form, count, users=users, unseen=unseen)
        for form in forms
        for count in clicked
    ]


def _cost(
    client: redis.Redis, settings: SeenSettings, form: str, clicked: int, *, users: int, unseen: int
) -> Cost:
    seen = SeenFilter(client, settings.model_copy(update={"form": form}))
    own: SeenForm = NativeForm(1, 0.5) if form == "native" else BitmapForm(1, 0.5)  # for the keys alone
    generation = wall_ms() // (settings.rotation_s * 1000)
    ids = np.arange(_FIRST_USER, _FIRST_USER + users)
    try:
        for at in range(0, clicked, _ADDED_AT_ONCE):  # as clicks come: a few at a time
            for user in ids.tolist():
                seen.add(user, np.arange(at, min(at + _ADDED_AT_ONCE, clicked)))
        strangers = np.arange(10**9, 10**9 + unseen).reshape(-1, min(_ASKED_AT_ONCE, unseen))
        wrong = [seen.contains(ids, np.broadcast_to(row, (users, len(row)))).mean() for row in strangers]
        sizes = [
            cast(Any, client.memory_usage(own.key(user, generation), samples=0)) for user in ids.tolist()
        ]
    finally:
        for user in ids.tolist():
            client.delete(own.key(user, generation))
    return Cost(form, clicked, float(np.mean([size for size in sizes if size])), float(np.mean(wrong)))


def table(costs: Sequence[Cost]) -> str:
    """The costs as a Markdown table."""
    rows = [
        f"| {each.form} | {each.clicked:,} | {each.memory_bytes:,.0f} | {each.false_positives:.2%} |"
        for each in costs
    ]
    return "\n".join(["| form | clicked | bytes | false positives |", "|---|--:|--:|--:|", *rows])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Memory and false positives of seen filters.")
    parser.add_argument("--url", help="server to measure on; one of its own if left out")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    given = parser.parse_args()
    with ExitStack() as stack:
        url = given.url
        if url is None:
            scratch = stack.enter_context(tempfile.TemporaryDirectory())
            url = stack.enter_context(ValkeyServer(Path(scratch))).url
        limits = ValkeySettings(url=url, timeout_s=_TIMEOUT_S, connect_timeout_s=_TIMEOUT_S)
        client = valkey.connect(limits)
        forms = ["bitmap", *(["native"] if has_bloom_commands(client) else [])]
        costs = measure(client, SeenSettings(), forms)
    print(json.dumps([asdict(each) for each in costs], indent=2) if given.json else table(costs))


if __name__ == "__main__":
    main()
