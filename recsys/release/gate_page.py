"""The gate's report as a page that needs nothing but itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from recsys.release.svg import Axis, interval_bar, lines

_STYLE: Final = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em;color:#222}"
    "h1{margin-bottom:.2em}h2{margin:1.6em 0 .4em;font-size:1.1em}"
    ".said{padding:.6em 1em;border-radius:6px;font-weight:600;overflow-wrap:anywhere}"
    ".pass{background:#e8f3ec;color:#1e5c37}.fail{background:#fbe9e7;color:#8c1d18}"
    "table{border-collapse:collapse;width:100%}td,th{padding:4px 10px;text-align:right;"
    "border-bottom:1px solid #e3e3e3;font-variant-numeric:tabular-nums}"
    "td:first-child,th:first-child{text-align:left}tr.fail td{color:#8c1d18}"
    ".plots{display:flex;flex-wrap:wrap;gap:1.5em}svg{font:11px system-ui,sans-serif}"
    ".note{color:#666}"
)


def gate_page(report: Mapping[str, Any]) -> str:
    """The page of a report.

    Args:
        report: Of `recsys.release.gate_report.gate_report`, or what was kept of it as JSON.
    """
    passed = bool(report["passed"])
    said = "Passed" if passed else f"Refused: {report['reason']}"
    body = [
        "<h1>Gate</h1>",
        f"<p class='said {'pass' if passed else 'fail'}'>{escape(said)}</p>",
        f"<p class='note'>{escape(_basis(report))}</p>",
        _checks(report["checks"]),
        _plots(report),
        _models(report),
        _segments(report["segments"]),
    ]
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Gate</title>"
        f"<style>{_STYLE}</style>{''.join(body)}</html>\n"
    )


def _basis(report: Mapping[str, Any]) -> str:
    """What the numbers stand on."""
    against = "with no parent to compare with"
    if report.get("parent") is not None:
        against = f"compared with release {report['parent']} on the same rows"
    rows = report.get("rows", 0)
    if not rows:
        return f"Judged without rows, so without intervals, {against}."
    return (
        f"{rows:,} rows, {against}. Intervals hold {report['confidence']:.0%} of the draws of users; "
        "all of an interval must be within its limit."
    )


def _checks(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    rows = []
    for check in found:
        numbers = [_finite(check[name]) for name in ("value", "low", "high", "limit")]
        bar = interval_bar((numbers[0], numbers[1], numbers[2]), numbers[3], check["side"] == "at least")
        ends = f"{_text(check['low'])} – {_text(check['high'])}" if check["low"] != check["high"] else ""
        said = "pass" if check["passed"] else "FAIL"
        limit = f"{check['side']} {_text(check['limit'])}"
        cells = [escape(cell) for cell in (check["metric"], _text(check["value"]), ends, limit)]
        rows.append((said.lower(), [*cells, bar, said]))
    return _table(("metric", "value", "interval", "limit", "", ""), rows)


def _plots(report: Mapping[str, Any]) -> str:
    parts = []
    if report["hits"]:
        rank = Axis("rank k (logarithmic)", 1, 300, logarithmic=True)
        parts.append(lines(_points(report["hits"]), rank, Axis("share of clicks within k", 0, 1)))
    if any(report["calibration"].values()):
        sides = Axis("stated probability", 0, 1), Axis("share clicked", 0, 1)
        parts.append(lines(_points(report["calibration"]), *sides, diagonal=True))
    if not parts:
        return ""
    title = "Where clicks rank, and what the ranker's probability is worth"
    return f"<h2>{title}</h2><div class='plots'>{''.join(parts)}</div>"


def _models(report: Mapping[str, Any]) -> str:
    rows = [
        (
            "",
            [
                escape(model),
                _micro(report["latency"].get(model, {}).get("us")),
                _micro(report["latency"].get(model, {}).get("parent_us")),
                f"{report['parity'][model]:.1e}" if report["parity"].get(model) is not None else "",
            ],
        )
        for model in dict.fromkeys((*report["latency"], *report["parity"]))
    ]
    if not rows:
        return ""
    head = ("", "µs for one user", "parent's", "distance from the trained model")
    return f"<h2>Exported models</h2>{_table(head, rows)}"


def _segments(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        ("", [escape(one["segment"]), f"{one['rows']:,}", _text(one["ndcg@10"]), _text(one["parent"])])
        for one in found
    ]
    head = ("", "rows", "chain NDCG@10", "parent's")
    return f"<h2>Kinds of rows (shown, not judged)</h2>{_table(head, rows)}" if rows else ""


def _table(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Cells are HTML; each row comes with its class."""
    lines_ = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    lines_ += [
        f"<tr{f' class={kind}' if kind else ''}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for kind, cells in rows
    ]
    return f"<table>{''.join(lines_)}</table>"


def _points(series: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, list[tuple[float, float]]]:
    return {name: [(x, y) for x, y in points] for name, points in series.items()}


def _finite(value: float | None) -> float:
    return math.nan if value is None else value


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _micro(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
