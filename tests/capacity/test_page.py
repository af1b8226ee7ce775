from __future__ import annotations

import numpy as np

from recsys.capacity.curve import Curve
from recsys.capacity.day import Plan, simulate
from recsys.capacity.fleet import Nodes
from recsys.capacity.hpa import Hpa
from recsys.capacity.page import write_page
from recsys.capacity.profile import ServiceProfile


def test_the_page_stands_alone_and_holds_every_line(tmp_path) -> None:
    curve = Curve("short", np.asarray([0.0, 300.0]), np.asarray([5.0, 5.0]))
    day = simulate(Plan(ServiceProfile(p50_ms=8, p95_ms=9, p99_ms=10), curve, Hpa(), Nodes()))
    path = tmp_path / "deep" / "day.html"
    write_page(day, path, "a line of totals")
    text = path.read_text()
    assert "a line of totals" in text
    for name in ("asked for", "ready", "nodes", "mean queue time", "p99", "refused", "capacity of the ready"):
        assert f'"{name}' in text
    assert 'src="http' not in text
