"""The gate's report as a page that needs nothing but itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from recsys.release import html
from recsys.release.svg import Axis, interval_bar, lines


def gate_page(report: Mapping[str, Any]) -> str:
    """The page of a report.

    Args:
        report: Of `recsys.release.gate_report.gate_report`, or what was kept of it as JSON.
    """
    passed = bool(report["passed"])
    said = "Passed" if passed else f"Refused: {report['reason']}"
    body = [
        f"<p class='said {'pass' if passed else 'fail'}'>{escape(said)}</p>",
        html.note(_basis(report)),
        _checks(report["checks"]),
        _plots(report),
        _models(report),
        _segments(report["segments"]),
    ]
    return html.page("Gate", body)


def _basis(report: Mapping[str, Any]) -> str:
    """What the numbers stand on."""
    if report.get("note"):
        return f"Not measured: {report['note']}."
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
    rows, kinds = [], []
    for check in found:
        numbers = [_finite(check[name]) for name in ("value", "low", "high", "limit")]
        bar = interval_bar((numbers[0], numbers[1], numbers[2]), numbers[3], check["side"] == "at least")
        ends = f"{_text(check['low'])} – {_text(check['high'])}" if check["low"] != check["high"] else ""
        said = "pass" if check["passed"] else "FAIL"
        limit = f"{check['side']} {_text(check['limit'])}"
        cells = [escape(cell) for cell in (check["metric"], _text(check["value"]), ends, limit)]
        kinds.append(said.lower())
        rows.append([*cells, bar, said])
    return html.table(("metric", "value", "interval", "limit", "", ""), rows, kinds=kinds)


def _plots(report: Mapping[str, Any]) -> str:
    parts = []
    if report["hits"]:
        rank = Axis("rank k (logarithmic)", 1, 300, logarithmic=True)
        parts.append(lines(_points(report["hits"]), rank, Axis("share of clicks within k", 0, 1)))
    if any(report["calibration"].values()):
        sides = Axis("stated probability", 0, 1), Axis("share clicked", 0, 1)
        parts.append(lines(_points(report["calibration"]), *sides, diagonal=True))
    return html.section("Where clicks rank, and what the ranker's probability is worth", html.plots(*parts))


def _models(report: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(model),
            _micro(report["latency"].get(model, {}).get("us")),
            _micro(report["latency"].get(model, {}).get("parent_us")),
            f"{report['parity'][model]:.1e}" if report["parity"].get(model) is not None else "",
        ]
        for model in dict.fromkeys((*report["latency"], *report["parity"]))
    ]
    head = ("", "µs for one user", "parent's", "distance from the trained model")
    return html.section("Exported models", html.table(head, rows))


def _segments(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [escape(one["segment"]), f"{one['rows']:,}", _text(one["ndcg@10"]), _text(one["parent"])]
        for one in found
    ]
    head = ("", "rows", "chain NDCG@10", "parent's")
    return html.section("Kinds of rows (shown, not judged)", html.table(head, rows))


def _points(series: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, list[tuple[float, float]]]:
    return {name: [(x, y) for x, y in points] for name, points in series.items()}


def _finite(value: float | None) -> float:
    return math.nan if value is None else value


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _micro(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
