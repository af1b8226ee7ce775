"""What things cost on AWS: a table with a source and a date for every line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recsys.errors import BadData, BadUse

TABLE: Final = Path(__file__).parents[2] / "infra" / "prices.json"
"""The table of a clone; an installed wheel holds none."""


@dataclass(frozen=True)
class Price:
    """One price.

    Attributes:
        usd: US dollars an hour.
        source: Where it was read, or who gave it.
        read: Date of the reading, ISO 8601; empty where the user gave it.
    """

    usd: float
    source: str
    read: str = ""

    def __str__(self) -> str:
        return f"{self.usd:g} USD an hour ({self.source}{', ' if self.read else ''}{self.read})"


def load_price(name: str, path: Path = TABLE) -> Price:
    """The price of a node.

    Args:
        name: Key of the table, such as `g5.xlarge`.
        path: The table.

    Raises:
        BadUse: There is no table, or no such line in it.
        BadData: The line lacks its price, source or date.
    """
    if not path.is_file():
        raise BadUse(f"price of {name}", f"there is no table at {path}", "Give --node-price in USD an hour")
    lines = json.loads(path.read_text())["prices"]
    if name not in lines:
        raise BadUse(f"price of {name}", f"{path.name} does not have it", "Give --node-price in USD an hour")
    line = lines[name]
    try:
        return Price(float(line["usd_per_hour"]), line["source"], line["read"])
    except KeyError as error:
        raise BadData(f"{path}, {name}", f"lacks {error}", "Every price has a source and a date") from error
