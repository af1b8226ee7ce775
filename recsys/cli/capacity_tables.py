"""What `recsys capacity` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recsys.cli.output import messages, print_json, results, table
from recsys.cli.steps import Steps
from recsys.settings import get_settings

if TYPE_CHECKING:
    from recsys.capacity.day import Day, Plan
    from recsys.capacity.prices import Price
    from recsys.capacity.profile import ServiceProfile

_SWEEP_MS: Final = (2.0, 5.0, 10.0, 20.0)
_SWEEP_HEADROOM: Final = (0, 1)
_ALLOWED_REFUSED: Final = 0.001


def print_day(plan: Plan, price: Price | None, page: Path, json: bool) -> None:
    """Simulate a day, write its page and print its totals."""
    from recsys.capacity.day import simulate
    from recsys.capacity.page import write_page

    with Steps().step(f"Simulate {plan.curve.name}"):
        day = simulate(plan)
    cost = f"{day.node_hours * price.usd:,.2f} USD" if price else "no price"
    said = f"{day.arrived:,} requests, p99 {day.p99_ms:.0f} ms, refused {day.refused_share:.2%}, {cost}"
    write_page(day, page, said)
    if json:
        print_json({**_document(day, price), "plot": str(page)})
        return
    found = day.summary()
    replicas, nodes = found["replicas"], found["nodes"]
    rows = [
        ("requests", f"{day.arrived:,}"),
        ("refused", f"{day.refused_share:.3%}"),
        ("p50 / p95 / p99", f"{day.p50_ms:.1f} / {day.p95_ms:.1f} / {day.p99_ms:.1f} ms"),
        ("replicas ready", f"{replicas['least']} to {replicas['most']}, mean {replicas['mean']:.1f}"),
        ("nodes", f"up to {nodes['most']}, mean {nodes['mean']:.1f}"),
        ("node hours", f"{day.node_hours:.1f}"),
        ("cost of the nodes", cost),
        ("a replica serves at most", f"{plan.profile.capacity_rps:.0f} requests/s"),
    ]
    results.print(table(plan.curve.name, ("", "in a day"), rows))
    if price:
        results.print(f"A node costs {price}.", soft_wrap=True)
    results.print(f"Plot: {page}", soft_wrap=True)
    messages.print(_assumed(plan), style="dim", soft_wrap=True)


def print_sweep(plan: Plan, price: Price | None, p99: float, json: bool) -> None:
    """Simulate the day under several settings; name the cheapest with at most `p99` milliseconds."""
    from recsys.capacity.sweep import cheapest
    from recsys.capacity.sweep import sweep as days_of

    headrooms = sorted({*_SWEEP_HEADROOM, plan.nodes.headroom})
    thresholds = sorted({*_SWEEP_MS, plan.hpa.threshold_ms})
    with Steps().step(f"Simulate {len(headrooms) * len(thresholds)} days of {plan.curve.name}") as note:
        days = []
        for day in days_of(plan, thresholds, headrooms):
            days.append(day)
            note(f"{len(days)} done")
    best = cheapest(days, p99, _ALLOWED_REFUSED)
    if json:
        print_json({"days": [_document(day, price) for day in days], "best": best and _document(best, price)})
        return
    columns = ("queue time", "head-room", "p99 ms", "refused", "replicas", "node h", "USD", "")
    rows = [
        (
            f"{day.plan.hpa.threshold_ms:g} ms",
            str(day.plan.nodes.headroom),
            f"{day.p99_ms:.1f}",
            f"{day.refused_share:.3%}",
            f"{day.minutes['ready'].mean():.1f}",
            f"{day.node_hours:.1f}",
            f"{day.node_hours * price.usd:,.2f}" if price else "",
            "cheapest" if day is best else "",
        )
        for day in days
    ]
    results.print(table(plan.curve.name, columns, rows, right=columns[:-1]))
    goal = f"p99 of {p99:g} ms and {_ALLOWED_REFUSED:.1%} refused"
    results.print(f"{'The cheapest within' if best else 'None is within'} {goal}.")
    if price:
        results.print(f"A node costs {price}.", soft_wrap=True)
    messages.print(_assumed(plan), style="dim", soft_wrap=True)


def print_predictions(
    profile: ServiceProfile, rates: list[float], replicas: int, seed: int, json: bool
) -> None:
    """Print latency at steady rates, in requests a second over all replicas."""
    from recsys.capacity.predict import predict

    found = [
        predict(profile, one, replicas, deadline_s=get_settings().gateway.deadline_s, seed=seed)
        for one in rates
    ]
    if json:
        print_json({"replicas": replicas, "predictions": [one.as_dict() for one in found]})
        return
    columns = ("requests/s", "load", "queue ms", "p50 ms", "p95 ms", "p99 ms", "refused")
    rows = [
        (f"{one.rate_rps:g}", f"{one.utilisation:.0%}", f"{one.queue_ms:.1f}", f"{one.p50_ms:.1f}",
         f"{one.p95_ms:.1f}", f"{one.p99_ms:.1f}", f"{one.refused_share:.2%}")
        for one in found
    ]  # fmt: skip
    results.print(table(f"Steady rates, {replicas} replica(s)", columns, rows, right=columns))


def print_comparison(profile: ServiceProfile, runs: list[dict[str, Any]], seed: int, json: bool) -> None:
    """Print a load test's percentiles beside the queue model's, and whether each line holds."""
    from recsys.capacity.compare import HIGHEST_LOAD, TOLERANCES, compare

    lines = compare(profile, runs, seed)
    judged = [one["holds"] for one in lines if one["holds"] is not None]
    holds = all(judged) if judged else None
    if json:
        model = profile.model_dump(mode="json", exclude={"samples_ms"})
        print_json({"model": model, "tolerances": TOLERANCES, "runs": lines, "holds": holds})
        return
    beside = [column for number, name in enumerate(TOLERANCES) for column in (name, "model" + " " * number)]
    columns = ("requests/s", "load", *beside, "worst", "holds")
    rows = [
        (
            f"{one['rate_rps']:g}",
            f"{one['utilisation']:.0%}",
            *(_ms(one, f"{kind}_{name}_ms") for name in TOLERANCES for kind in ("measured", "predicted")),
            f"{max((one.get(f'{name}_error', 0.0) for name in TOLERANCES), key=abs):+.0%}",
            one["not_judged"] or ("yes" if one["holds"] else "no"),
        )
        for one in lines
    ]
    results.print(table("Load test beside the queue model, ms", columns, rows, right=columns[:-1]))
    limits = ", ".join(f"{name} {limit:.0%}" for name, limit in TOLERANCES.items())
    said = (
        f"{sum(judged)} of {len(judged)} hold (within {limits}; judged up to a load of {HIGHEST_LOAD:.0%})."
    )
    results.print(said, soft_wrap=True)
    results.print(f"Model: {profile.source}.", soft_wrap=True)


def _ms(line: dict[str, Any], name: str) -> str:
    return f"{line[name]:.1f}" if name in line else ""


def _document(day: Day, price: Price | None) -> dict[str, Any]:
    """A day as JSON types, with what it assumed."""
    hpa, nodes = day.plan.hpa, day.plan.nodes
    return {
        "curve": day.plan.curve.name,
        "profile": day.plan.profile.source,
        "replica_rps": day.plan.profile.capacity_rps,
        "threshold_ms": hpa.threshold_ms,
        "busy": hpa.busy,
        "headroom": nodes.headroom,
        "assumed": {
            "metric_lag_s": hpa.lag_s,
            "node_start_s": nodes.node_start_s,
            "image_pull_s": nodes.image_pull_s,
            "model_ready_s": nodes.model_ready_s,
            "drain_s": nodes.drain_s,
        },
        **day.summary(),
        "usd": day.node_hours * price.usd if price else None,
        "price": {"usd_per_hour": price.usd, "source": price.source, "read": price.read} if price else None,
    }


def _assumed(plan: Plan) -> str:
    nodes = plan.nodes
    return (
        f"Assumed: node start {nodes.node_start_s:g} s, image pull {nodes.image_pull_s:g} s, model ready "
        f"{nodes.model_ready_s:g} s, metric {plan.hpa.lag_s:g} s old. Measure yours (docs/capacity.md)."
    )
