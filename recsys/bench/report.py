"""A serving benchmark as a page with plots and as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from recsys.bench.tables import label, ranker_rows, ratio_rows, run_rows, server_rows, stage_rows
from recsys.release.svg import COLOURS

JSON_FILE: Final = "serving.json"
HTML_FILE: Final = "serving.html"
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
code { background: #f4f4f4; padding: .1rem .3rem; }
"""


def write(document: dict[str, Any], folder: Path) -> Path:
    """Write `serving.json` and `serving.html`.

    Args:
        document: What `recsys bench serving --json` prints.
        folder: Made if absent.

    Returns:
        The page; it holds all it needs and loads nothing from elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_FILE).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    path = folder / HTML_FILE
    path.write_text(page(document), encoding="utf-8")
    return path


def page(document: dict[str, Any]) -> str:
    """The page as HTML.

    Args:
        document: See `write`.
    """
    machine = document["machine"]
    parts = [
        f"<h1>Serving, release {document['release']}</h1>",
        f"<p><code>{html.escape(document.get('command', ''))}</code><br>",
        f"{document['begun']}, {html.escape(machine['cpu'])}, {machine['cores']} cores. Widths: "
        + ", ".join(f"{name} {value}" for name, value in document["widths"].items())
        + ". Steal is CPU time that the hypervisor kept; load is the average over a minute.</p>",
        _table(*run_rows(document["runs"])),
        *_plots(document["runs"]),
        "<h2>Ratios, of figures of this run</h2>" + _table(*ratio_rows(document["ratios"])),
        "<h2>Started alone</h2>" + _table(*server_rows(document["servers"])),
        "<h2>The ranker alone, one thread</h2>" + _table(*ranker_rows(document["ranker"])),
        *_stages(document["runs"]),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Serving benchmark</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _plots(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Latency and throughput over concurrency; the first carries plotly's own code for all."""
    closed = [run for run in runs if run["mode"] == "closed" and run["rows"] == 1]
    closed = [run for run in closed if run["driver"] != "perf_analyzer"]
    latency = {"p50_ms": "solid", "p99_ms": "dot"}
    return [
        _lines(closed, latency, "milliseconds", with_code=True),
        _lines(closed, {"throughput_rps": "solid"}, "requests a second", with_code=False),
        _stage_bars([run for run in closed if run["driver"] == "grpc" and run["concurrency"] == 1]),
    ]


def _lines(runs: Sequence[dict[str, Any]], keys: dict[str, str], unit: str, *, with_code: bool) -> str:
    import plotly.graph_objects as go

    figure = go.Figure()
    for number, variant in enumerate(dict.fromkeys(run["variant"] for run in runs)):
        own = sorted((run for run in runs if run["variant"] == variant), key=lambda run: run["concurrency"])
        for key, dash in keys.items():
            name = f"{variant}, {key.removesuffix('_ms')}" if len(keys) > 1 else variant
            figure.add_scatter(
                x=[run["concurrency"] for run in own],
                y=[run[key] for run in own],
                name=name,
                line={"dash": dash, "color": COLOURS[number % len(COLOURS)]},
            )
    callers = sorted({run["concurrency"] for run in runs})
    figure.update_layout(
        xaxis={"title": "callers at once", "type": "log", "tickvals": callers},
        yaxis={"title": unit, "type": "log"},
        height=420,
    )
    return _code(figure, with_code=with_code)


def _stage_bars(runs: Sequence[dict[str, Any]]) -> str:
    import plotly.graph_objects as go

    figure = go.Figure()
    for run in runs:
        stages = run["stages"]
        for part in ("queue_us", "compute_us"):
            figure.add_bar(
                x=[stage[part] for stage in stages],
                y=[stage["model"] for stage in stages],
                name=f"{run['variant']}, {part.removesuffix('_us')}",
                orientation="h",
            )
    figure.update_layout(
        title="Where a request's time goes, one caller",
        xaxis={"title": "µs a request"},
        yaxis={"autorange": "reversed"},
        height=640,
    )
    return _code(figure, with_code=False)


def _code(figure: Any, *, with_code: bool) -> str:
    figure.update_layout(template="plotly_white")
    quiet = {"displayModeBar": False}
    code: str = figure.to_html(full_html=False, include_plotlyjs=with_code, config=quiet)
    return code


def _stages(runs: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"<h2>Stages: {html.escape(run['variant'])}, {label(run)}</h2>" + _table(*stage_rows(run))
        for run in runs
        if run["stages"]
    ]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
