"""`recsys bench serving`: the variants side by side in one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from recsys.bench import machine, ranker, users
from recsys.bench.gateways import Gateway
from recsys.bench.options import FLOOR, GATEWAYS, NEED_WORKFLOWS, TARGET, TRITON_VARIANTS, Options
from recsys.bench.ratios import ratios
from recsys.bench.reference.repository import find_workflows
from recsys.bench.rounds import Rounds
from recsys.bench.servers import Shop, Variant, open_shop
from recsys.bench.target import Target
from recsys.errors import BadUse, RecsysError
from recsys.settings import Settings

Note = Callable[[str], None]


def measure(options: Options, settings: Settings, release: int, note: Note) -> dict[str, Any]:
    """Measure.

    Args:
        options: What.
        settings: The home's; its current release is served.
        release: The number of that release.
        note: Told what is being done.

    Returns:
        The document that `recsys bench serving --json` prints.

    Raises:
        BadUse: A variant or target cannot be.
        RecsysError: A server does not start, or a measurement fails.
    """
    _check(options)
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    release_dir = settings.home.resolve() / "releases" / str(release)
    boots: list[dict[str, Any]] = []
    valkey_mb = None
    with ExitStack() as stack:
        if options.target:
            chosen = users.draw(release_dir, options.drawn, seed=0)
            target = Target(options.target, "grpc", options.target)
            rounds = Rounds(options, {TARGET: target}, chosen, note)
            rounds.run()
        else:
            shop = _own_shop(options, settings, release, note, stack)
            variants = [Variant(name, shop) for name in options.variants if name in TRITON_VARIANTS]
            boots = _start_all(variants, note, stack)
            valkey_mb = machine.pss_mb(machine.group_members(shop.valkey_group))
            rounds = _measure_own(options, variants, shop, note, stack)
    runs = [run.to_json() for run in rounds.runs.values()]
    return {
        "begun": begun,
        "machine": machine.describe(),
        "release": release,
        "widths": {name: getattr(settings.serving, name) for name in ("retrieved", "ranked", "returned")},
        "runs": runs,
        "servers": boots,
        "valkey_pss_mb": valkey_mb,
        "ranker": ranker.measure(release_dir, settings.serving.ranked),
        "ratios": ratios(runs, boots),
    }


def _check(options: Options) -> None:
    for name in options.variants:
        if (
            name not in (*TRITON_VARIANTS, *GATEWAYS, FLOOR)
            or GATEWAYS.get(name, name) not in options.variants
        ):
            known = ", ".join((*TRITON_VARIANTS, *GATEWAYS, FLOOR))
            raise BadUse(f"variant {name!r}", "there is no such variant", f"Use {known}")
    host = options.target.rpartition(":")[0]
    if options.target and host not in ("127.0.0.1", "localhost"):
        raise BadUse(
            f"--target {options.target}", "is not on this machine", "Give 127.0.0.1:<port of Triton's gRPC>"
        )


def _own_shop(options: Options, settings: Settings, release: int, note: Note, stack: ExitStack) -> Shop:
    workflows, home = options.workflows, settings.home.resolve()
    if NEED_WORKFLOWS.intersection(options.variants) and workflows is None:
        workflows = find_workflows(home, home / "releases" / str(release))
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recsys-bench-")))
    return stack.enter_context(
        open_shop(folder, settings, release, drawn=options.drawn, workflows=workflows, note=note)
    )


def _start_all(variants: Sequence[Variant], note: Note, stack: ExitStack) -> list[dict[str, Any]]:
    """Start each variant alone, to see what that takes, and then all: one that is not asked does nothing."""
    boots = []
    for variant in variants:
        note(f"{variant.name}: start, memory and first request, alone on the machine")
        stack.callback(variant.stop)
        boots.append(variant.boot())
        if variant is not variants[-1]:  # the last one, the slowest to start, stays
            variant.stop()
    for variant in variants[:-1]:
        note(f"{variant.name}: starting")
        variant.start()
    return boots


def _measure_own(
    options: Options, variants: Sequence[Variant], shop: Shop, note: Note, stack: ExitStack
) -> Rounds:
    running = {variant.name: variant for variant in variants}
    targets = {variant.name: variant.target for variant in variants}
    for name in options.variants:
        if name in GATEWAYS:
            note(f"{name}: starting")
            gateway = Gateway(running[GATEWAYS[name]], shop)
            stack.callback(gateway.stop)
            gateway.start()
            targets[name] = gateway.target
    rounds = Rounds(options, targets, shop.users, note, shop)
    try:
        rounds.run()
    except RecsysError:
        for variant in variants:
            variant.require_alive()
        raise
    return rounds
