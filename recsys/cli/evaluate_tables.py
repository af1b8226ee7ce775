"""What `recsys evaluate` prints for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recsys.cli.output import results, table
from recsys.release.evaluation_report import oracles

METRICS = ("hit@10", "hit@100", "hit@300", "ndcg@10", "mrr", "coverage@10")


def show(document: dict[str, Any]) -> None:
    """Print an evaluation as tables.

    Args:
        document: What `recsys evaluate --json` prints.
    """
    lines = {
        "whole chain": document["chain"],
        "retrieval alone": document["retrieval"],
        "anonymous, whole chain": document["anonymous"]["chain"],
        "anonymous, retrieval": document["anonymous"]["retrieval"],
        **document["baselines"],
        **oracles(document),
    }
    if said := verdict(document):
        results.print(f"{said}\n")
    heading = f"{document['rows']:,} clicks of the days after training"
    results.print(table(heading, ("", *METRICS), rows_of(lines, METRICS), right=METRICS))
    results.print(f"Ranker AUC {document['ranker']['auc']:.3f}{_calibration(document)}")
    _show_visitors(document)
    _show_intervals(document)
    _show_unseen(document.get("unseen", {}))
    if "ordering" in document:
        _show_ordering(document["ordering"])


def verdict(document: dict[str, Any]) -> str:
    """What an evaluation comes to, in a sentence; nothing where there was nothing to compare with."""
    if not document["baselines"]:
        return ""
    best, found = max(document["baselines"].items(), key=lambda one: one[1]["hit@10"])
    own = document["chain"]["hit@10"]
    gain = document.get("differences", {}).get(f"chain - {best}", {}).get("hit@10")
    apart = "" if gain is None else f" ({difference(gain)})"
    sure = "" if gain is None or gain["interval"][0] > 0 or gain["interval"][1] < 0 else ", within noise"
    name = best.replace("_", " ")
    return (
        f"Of 100 clicks {100 * own:.1f} are among the ten items shown; with {name}, the best baseline here, "
        f"{100 * found['hit@10']:.1f}{sure}{apart}."
    )


def _show_visitors(document: dict[str, Any]) -> None:
    found = document.get("visitors")
    if not found:
        return
    rows = [
        (
            kind,
            f"{one['rows']:,}",
            f"{one['chain']['hit@10']:.3f} ({ends(one['interval']['hit@10'], digits=3)})",
            number(one["chain"]["ndcg@10"]),
            number(one["popularity"]["hit@10"]),
            number(one["over_popularity"]),
        )
        for kind, one in found.items()
    ]
    heads = ("", "rows", "chain hit@10", "ndcg@10", "popularity hit@10", "ratio")
    results.print()
    results.print(table("Visitors whom nobody knows, after their first clicks", heads, rows, right=heads[1:]))
    if limit := document["anonymous"].get("bound"):
        results.print(
            f"Before a click, from device, hour and day alone: hit@10 {limit['hit@10']:.3f} at most "
            f"({limit['cells']} lists chosen on the clicks that they are measured on; "
            f"{limit['apart']:.3f} chosen on one half, measured on the other)"
        )


def _show_intervals(document: dict[str, Any]) -> None:
    if not document.get("intervals"):
        return
    names = ("hit@10", "ndcg@10", "hit@300")
    found = document["intervals"]
    rows = [
        (name.replace("_", " "), *(f"{ends[metric][0]:.3f} – {ends[metric][1]:.3f}" for metric in names))
        for name, ends in found.items()
    ]
    results.print()
    results.print(table("95 % intervals over users", ("", *names), rows, right=names))
    differences = [
        (name.replace("_", " "), *(difference(one[metric]) for metric in names[:2]))
        for name, one in document.get("differences", {}).items()
    ]
    if differences:
        results.print()
        results.print(table("Differences, paired by row", ("", *names[:2]), differences, right=names))


def _show_unseen(found: dict[str, Any]) -> None:
    if not found.get("rows"):
        return
    lines = {"whole chain": found["chain"], "retrieval alone": found["retrieval"], **found["baselines"]}
    heading = f"{found['rows']:,} clicks on items new to the user, what they had clicked before filtered out"
    results.print()
    results.print(table(heading, ("", *METRICS), rows_of(lines, METRICS), right=METRICS))


def _show_ordering(found: dict[str, Any]) -> None:
    names = ("ndcg@10", "hit@10", "diversity", "categories", "coverage", "gini")
    rows = [
        (name, f"{one['setting']:g}", *(number(one[key]) for key in names))
        for name, curve in found["curves"].items()
        for one in curve
    ]
    columns = ("", "setting", *names)
    results.print()
    results.print(table(f"Ordering, {found['rows']:,} clicks", columns, rows, right=columns[1:]))
    estimates = [
        (one["policy"], one["estimator"], number(one["value"]), number(one["truth"]))
        for one in found["off_policy"]
    ]
    heads = ("policy", "estimator", "value", "truth")
    results.print()
    results.print(table("Off-policy estimates of hit@1", heads, estimates, right=heads[2:]))


def rows_of(lines: dict[str, Any], names: Sequence[str]) -> list[tuple[str, ...]]:
    """One row a recommender: its name and some of its metrics."""
    return [
        (name.replace("_", " "), *(number(found.get(metric)) for metric in names))
        for name, found in lines.items()
    ]


def _calibration(document: dict[str, Any]) -> str:
    found = document.get("calibration")
    return f", calibration error {found['ece']:.3f} ({found['negatives']} negatives)" if found else ""


def difference(found: dict[str, Any]) -> str:
    """A difference with its interval."""
    low, high = found["interval"]
    return f"{found['mean']:+.3f} ({low:+.3f} – {high:+.3f})"


def number(value: float | None) -> str:
    """Three digits; nothing where there is no number."""
    return "" if value is None else f"{value:.3f}"


def ends(interval: Sequence[float], digits: int = 4) -> str:
    """Both ends of an interval."""
    return f"{interval[0]:.{digits}f} – {interval[1]:.{digits}f}"


def change(found: dict[str, Any] | None) -> str:
    """A difference, with a star where its interval leaves 0 out."""
    if not found:
        return ""
    low, high = found["interval"]
    return f"{found['mean']:+.4f}{'*' if low > 0 or high < 0 else ''}"
