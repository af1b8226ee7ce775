#!/usr/bin/env python3
"""Print what scripts/eks-up starts costs, from prices.json; needs nothing but Python."""

from __future__ import annotations

import json
from pathlib import Path


def main() -> None:
    """Print each part with its price, source and date, and the sum."""
    table = json.loads((Path(__file__).parent / "prices.json").read_text())
    hourly = 0.0
    print(f"Prices of {table['region']}, USD an hour. {table['note']}\n")
    for name, count in table["eks_up"].items():
        line = table["prices"][name]
        cost = count * line["usd_per_hour"]
        hourly += cost
        print(f"  {cost:7.3f}  {count} x {line['what']} ({name})")
        print(f"           read {line['read']}: {line['source']}")
    print(f"\n  {hourly:7.3f}  an hour while nothing scales up,")
    print(f"           {24 * hourly:.2f} a day, {730 * hourly:.0f} a month.")
    print("           Not in it: traffic, storage, logs, queries, and nodes that Karpenter adds under load.")


if __name__ == "__main__":
    main()
