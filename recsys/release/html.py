"""Pages that need nothing but themselves: no script, no network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

_STYLE: Final = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:86em;padding:0 1em;color:#222}"
    "h1{margin-bottom:.2em}h2{margin:1.8em 0 .4em;font-size:1.1em}"
    "table{border-collapse:collapse;width:100%}td,th{padding:3px 8px;text-align:right;"
    "border-bottom:1px solid #e3e3e3;font-variant-numeric:tabular-nums}"
    "th{white-space:nowrap}tr.head td{font-weight:600;padding-top:1.4em}"
    "td:first-child,th:first-child{text-align:left}tr.own td{font-weight:600}tr.fail td{color:#8c1d18}"
    ".said{padding:.6em 1em;border-radius:6px;font-weight:600;overflow-wrap:anywhere}"
    ".pass{background:#e8f3ec;color:#1e5c37}.fail{background:#fbe9e7;color:#8c1d18}tr.pass,tr.fail{background:none}"
    ".plots{display:flex;flex-wrap:wrap;gap:1.5em;margin:.6em 0 1em}svg{font:11px system-ui,sans-serif}"
    ".note{color:#666}small{color:#777;white-space:nowrap}"
)


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: Of the page, as text.
        parts: What stands under it, as HTML.
    """
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{''.join(parts)}</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """Some HTML under a heading; nothing where all of it is empty."""
    body = "".join(parts)
    return f"<h2>{escape(title)}</h2>{body}" if body else ""


def note(text: str) -> str:
    """A paragraph that explains."""
    return f"<p class='note'>{escape(text)}</p>"


def plots(*found: str) -> str:
    """Plots beside each other."""
    return f"<div class='plots'>{''.join(found)}</div>" if any(found) else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], own: int = 0, kinds: Sequence[str] = ()) -> str:
    """A table.

    Args:
        head: Names of the columns, as text.
        rows: Cells, as HTML.
        own: So many of the first rows stand out.
        kinds: Class of each row, such as pass or fail; none where it is left out.
    """
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    named = ["own"] * own if own else kinds
    for number, cells in enumerate(rows):
        kind = f" class={named[number]}" if number < len(named) and named[number] else ""
        lines.append(f"<tr{kind}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(lines)}</table>" if len(lines) > 1 else ""


def number(value: float | None, ends: Sequence[float] | None = None, signed: bool = False) -> str:
    """A number with three digits, its interval small beside it; nothing where there is none."""
    if value is None or not math.isfinite(value):
        return ""
    sign = "+" if signed else ""
    if not ends or not all(math.isfinite(end) for end in ends):
        return f"{value:{sign}.3f}"
    return f"{value:{sign}.3f} <small>{ends[0]:{sign}.3f} – {ends[1]:{sign}.3f}</small>"
