"""A simulated day as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recsys.capacity.day import Day

_ROWS = (
    "Requests a second",
    "Replicas and nodes",
    "Mean queue time, ms",
    "p99 latency, ms",
    "Refused a minute",
)


def write_page(day: Day, path: Path, subtitle: str) -> None:
    """Plot the day's minutes: load, replicas, what the autoscaler saw, latency and refusals.

    Args:
        day: What came out.
        path: HTML file; its folder is made.
        subtitle: One line of totals.
    """
    from plotly.graph_objects import Figure, Scatter  # type: ignore[import-untyped]
    from plotly.subplots import make_subplots  # type: ignore[import-untyped]

    figure: Figure = make_subplots(
        rows=len(_ROWS), cols=1, shared_xaxes=True, vertical_spacing=0.045, subplot_titles=_ROWS
    )
    minutes = day.minutes
    hours = np.arange(len(minutes["rps"])) / 60
    lines = (
        (1, "requests a second", "rps", "#4c78a8", "linear"),
        (2, "ready", "ready", "#54a24b", "hv"),
        (2, "asked for", "wanted", "#e45756", "hv"),
        (2, "nodes", "nodes", "#9d9d9d", "hv"),
        (3, "mean queue time", "queue_ms", "#f58518", "linear"),
        (4, "p99", "p99_ms", "#b279a2", "linear"),
        (5, "refused", "refused", "#e45756", "linear"),
    )
    for row, name, key, color, shape in lines:
        # .tolist(): plain numbers, so that the page needs no decoder of binary arrays.
        figure.add_trace(
            Scatter(
                x=hours.tolist(),
                y=_plain(minutes[key]),
                name=name,
                line={"color": color, "width": 1.3, "shape": shape},
                showlegend=row == 2,
            ),
            row=row,
            col=1,
        )
    capacity = minutes["ready"] * day.plan.profile.capacity_rps
    figure.add_trace(
        Scatter(
            x=hours.tolist(), y=_plain(capacity), name="capacity of the ready replicas", showlegend=True,
            line={"color": "#54a24b", "width": 1, "dash": "dot"},
        ),
        row=1, col=1,
    )  # fmt: skip
    figure.add_hline(y=day.plan.hpa.threshold_ms, line_dash="dash", line_color="#9d9d9d", row=3, col=1)
    figure.update_yaxes(type="log", row=3, col=1)
    figure.update_yaxes(type="log", row=4, col=1)
    figure.update_xaxes(title_text="hour", row=len(_ROWS), col=1)
    figure.update_layout(
        title={"text": f"{day.plan.curve.name}<br><sup>{subtitle}</sup>"},
        height=1100,
        template="plotly_white",
        hovermode="x unified",
        legend={"orientation": "h", "y": 1.06, "x": 1, "xanchor": "right"},
        margin={"t": 120},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True)


def _plain(values: np.ndarray) -> list[float | None]:
    """Rounded numbers; None where there is no value."""
    return [None if np.isnan(value) else round(float(value), 3) for value in values]
