"""A self-contained HTML page of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_STYLE = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{padding:4px 14px;text-align:right;border-bottom:1px solid #ddd}td:first-child{text-align:left}"
)


def evaluation_page(metrics: Mapping[str, Any]) -> str:
    """The ranking metrics of retrieval, chain and baselines side by side.

    Args:
        metrics: The evaluation: wherever a group holds numbers under `hit@10` and the like, it is a row.
    """
    groups = list(_groups(metrics, ""))
    columns = list(dict.fromkeys(name for _, numbers in groups for name in numbers))
    rows = [(title, *(_number(numbers.get(name, math.nan)) for name in columns)) for title, numbers in groups]
    return _page("Evaluation", f"{metrics.get('rows', 0):,} rows", ("", *columns), rows)


def _groups(metrics: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, dict[str, float]]]:
    """Every group of numbers, outer ones first, by its path in words."""
    for name, value in metrics.items():
        if not isinstance(value, Mapping):
            continue
        title = f"{prefix} {name}".strip()
        numbers = {k: float(v) for k, v in value.items() if isinstance(v, int | float)}
        if numbers:
            yield title, numbers
        yield from _groups(value, title)


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


def _page(title: str, said: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
        for tag, table in (("th", [head]), ("td", rows))
        for cells in table
    ]
    return (
        f"<!doctype html><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>{escape(said)}</p><table>{''.join(lines)}</table>\n"
    )
