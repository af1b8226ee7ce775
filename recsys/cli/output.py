"""What commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import render
from rich.table import Table

_GAP = 2  # blanks between two columns
_NARROWEST = 8  # what is left at least of a column that is cut

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
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Iterable[str] = (),
    elastic: str = "",
) -> Table:
    """A table for the terminal.

    Args:
        title: Heading.
        columns: Names of the columns.
        rows: Texts, as many a row as there are columns.
        right: The columns that are aligned to the right.
        elastic: The column that is cut where the terminal is too narrow; the others keep their width.

    Returns:
        Something for `Console.print`.
    """
    texts = [tuple(row) for row in rows]
    widths = {
        name: max(cell_len(name), *(cell_len(render(row[place]).plain) for row in texts), 0)
        for place, name in enumerate(columns)
    }
    spare = results.width - sum(widths.values()) - _GAP * len(columns)
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in set(right) else "left",
            overflow="ellipsis" if name == elastic else "fold",
            no_wrap=name == elastic,
            max_width=max(_NARROWEST, widths[name] + min(spare, 0)) if name == elastic else None,
        )
    for row in texts:
        made.add_row(*row)
    return made
