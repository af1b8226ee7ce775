"""What commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

results = Console(highlight=False)
"""For the answer itself."""
messages = Console(stderr=True, highlight=False)
"""For progress, hints and warnings: with `--json`, stdout holds the document alone."""


def print_json(document: Any) -> None:
    """Print one JSON document, numbers of NumPy included.

    Args:
        document: Dicts, lists, strings, numbers and None.
    """
    print(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    """What json does not know: NumPy's numbers and arrays, else its text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()
) -> Table:
    """A table for the terminal.

    Args:
        title: Heading.
        columns: Names of the columns.
        rows: Texts, as many a row as there are columns.
        right: The columns that are aligned to the right.

    Returns:
        Something for `Console.print`.
    """
    made = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False
    )
    for name in columns:
        made.add_column(
            name, justify="right" if name in set(right) else "left", overflow="ellipsis", no_wrap=True
        )
    for row in rows:
        made.add_row(*row)
    return made
