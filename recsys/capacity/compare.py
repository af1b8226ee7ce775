"""A load test beside what the queue model says of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from recsys.capacity.measured import flaw, halves, profile_of
from recsys.capacity.predict import predict
from recsys.capacity.profile import ServiceProfile
from recsys.errors import BadData

TOLERANCES: Final = {"p50": 0.20, "p95": 0.30, "p99": 0.40}
"""Greatest relative error of each percentile in a line that holds; a p99 is told by few requests."""
HIGHEST_LOAD: Final = 0.75
"""Beyond it a small change of the capacity changes everything, so lines are shown and not judged."""


def held_back(path: Path) -> tuple[ServiceProfile, list[dict[str, Any]]]:
    """A profile from one half of a benchmark's open loops, and the other half.

    Raises:
        BadData: There are no two of them.
    """
    runs = open_loop_runs(path)
    fitted, others = halves(runs)
    if not others:
        raise BadData(str(path), "holds a single open-loop run", "Measure several: --rate 30,50,70,90")
    return profile_of([*_closed_loops(path), *fitted], str(path)), others


def compare(profile: ServiceProfile, runs: Iterable[dict[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """Measured open-loop runs beside what the model says.

    Args:
        profile: Service times of the server that was measured.
        runs: Each with `rate`, in requests a second, `p50_ms` and `p99_ms`, and perhaps `p95_ms`.
        seed: Of all draws.

    Returns:
        For each run the rate, the load, each percentile as measured and as predicted in milliseconds, the
        model's relative errors, and whether all lie within `TOLERANCES`: `holds`, None where `not_judged`
        says why (too busy: above `HIGHEST_LOAD`; see `measured.flaw` for the others).
    """
    lines = []
    for run in runs:
        said = predict(profile, float(run["rate"]), seed=seed)
        line: dict[str, Any] = {"rate_rps": said.rate_rps, "utilisation": said.utilisation}
        for name in TOLERANCES:
            measured = run.get(f"{name}_ms")
            if measured is not None:
                told = getattr(said, f"{name}_ms")
                line |= {
                    f"measured_{name}_ms": float(measured),
                    f"predicted_{name}_ms": told,
                    f"{name}_error": told / float(measured) - 1,
                }
        errors = {name: line[f"{name}_error"] for name in TOLERANCES if f"{name}_error" in line}
        within = all(abs(error) <= TOLERANCES[name] for name, error in errors.items())
        line["not_judged"] = flaw(run) or ("too busy" if said.utilisation > HIGHEST_LOAD else "")
        line["holds"] = None if line["not_judged"] else within
        lines.append(line)
    return lines


def open_loop_runs(path: Path) -> list[dict[str, Any]]:
    """The open-loop runs of a benchmark's JSON: those of the ensemble, one user a request.

    Raises:
        BadData: There is none, or one lacks a percentile.
    """
    opened = [run for run in _runs(path) if run.get("rate") and run.get("rows", 1) == 1]
    runs = [run for run in opened if run.get("variant", "ensemble") == "ensemble"]
    if not runs or not all({"p50_ms", "p99_ms"} <= set(run) for run in runs):
        raise BadData(
            str(path), "holds no open-loop run with rate, p50_ms and p99_ms", "Measure one with --rate"
        )
    return runs


def _closed_loops(path: Path) -> list[dict[str, Any]]:
    return [run for run in _runs(path) if run.get("concurrency") and run.get("rows", 1) == 1]


def _runs(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise BadData(str(path), f"is not JSON ({error})", "Give the JSON of a load test") from error
    return list(document.get("runs", ())) if isinstance(document, dict) else []
