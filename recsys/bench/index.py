"""`recsys bench index`: kinds of index from thousands to millions of items."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from recsys.bench import machine
from recsys.bench.growth import exponent
from recsys.bench.vectors import SHAPES, users_of, write_items
from recsys.errors import BadUse, RecsysError
from recsys.index.blocks import exact_top
from recsys.index.kinds import EXACT, KINDS, many_at_once

Note = Callable[[str], None]
AUTO: Final = "auto"
SHARES: Final = (0.5, 0.1, 0.01, 0.001)
"""Of the items that masks allow, where filtered search is measured."""
_GRAPH_UP_TO: Final = 1_000_000
_LIMIT_S: Final = 4 * 3600.0


@dataclass(frozen=True)
class IndexOptions:
    """What to measure.

    Attributes:
        sizes: Numbers of items.
        kinds: Names of `KINDS`, or `auto`.
        shape: Of the vectors; see `recsys.bench.vectors`.
        top: Neighbours that are asked for.
        users: Users who ask; half of them an index is tuned on.
        floor: Recall that approximate indexes are tuned to.
        memory_mb: Bound for `auto`; None for none.
        shares: Of the items that masks allow, to measure filtered search with; none for not at all.
        masked_users: Users who ask with each mask.
        folder: Where vectors and indexes are left, and taken from if they are there; None: nowhere.
    """

    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    kinds: tuple[str, ...] = (*KINDS, AUTO)
    shape: str = "clustered"
    top: int = 300
    users: int = 200
    floor: float = 0.98
    memory_mb: float | None = None
    shares: tuple[float, ...] = ()
    masked_users: int = 50
    folder: Path | None = None


def measure(options: IndexOptions, note: Note) -> dict[str, Any]:
    """Measure each kind at each size, in a process each.

    Args:
        options: What.
        note: Told what is being done.

    Returns:
        The document that `recsys bench index --json` prints.

    Raises:
        BadUse: A kind or shape cannot be.
        RecsysError: A measurement fails.
    """
    if unknown := [kind for kind in options.kinds if kind not in (*KINDS, AUTO)]:
        raise BadUse(
            f"index kind {unknown[0]!r}", "there is no such kind", f"Use {', '.join((*KINDS, AUTO))}"
        )
    if options.shape not in SHAPES:
        raise BadUse(f"vectors {options.shape!r}", "not known", f"Use {', '.join(SHAPES)}")
    case = {
        "floor": options.floor,
        "memory_mb": options.memory_mb,
        "shares": options.shares,
        "masked_users": options.masked_users,
    }
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    runs = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="recsys-bench-") as scratch:
            folder = Path(scratch) if options.folder is None else options.folder / _place(options, size)
            files = _prepare(folder, size, options, note)
            for kind in options.kinds:
                if kind == "hnsw" and size > _GRAPH_UP_TO:
                    continue  # hours to build
                note(f"{size:,} items: {kind}")
                kept = None if options.folder is None else str(folder / kind)
                runs.append(_case(files | case | {"kind": kind, "kept": kept}))
    return {
        "begun": begun,
        "machine": machine.describe(),
        "vectors": options.shape,
        "top": options.top,
        "floor": options.floor,
        "runs": runs,
        "growth": growth(runs),
    }


def growth(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """How each kind's costs grow with the items: the exponent b of cost = a · items^b, by least squares.

    Args:
        runs: Of the document; kinds that were measured at fewer than two sizes are left out.
    """
    found = []
    for kind in dict.fromkeys(run["kind"] for run in runs):
        own = [run for run in runs if run["kind"] == kind]
        if len(own) > 1 and kind != AUTO:
            sizes = [run["items"] for run in own]
            keys = ("cpu_ms", "build_cpu_s", "index_mb")
            found.append({"kind": kind} | {key: exponent(sizes, [run[key] for run in own]) for key in keys})
    return found


def _place(options: IndexOptions, size: int) -> str:
    """The name of a folder for whatever vectors, users and indexes depend on."""
    bound = "" if options.memory_mb is None else f"-{options.memory_mb:g}mb"
    return f"{size}-{options.shape}-top{options.top}-users{options.users}-floor{options.floor:g}{bound}"


def _prepare(folder: Path, size: int, options: IndexOptions, note: Note) -> dict[str, str]:
    """Items, users and the exact answer, as files; the answer is written last."""
    files = {name: str(folder / f"{name}.npy") for name in ("items", "users", "truth")}
    if Path(files["truth"]).is_file():
        return files
    note(f"{size:,} items: vectors, and what the exact search finds")
    folder.mkdir(parents=True, exist_ok=True)
    items = write_items(Path(files["items"]), size, shape=options.shape)
    users = users_of(items, options.users)
    np.save(files["users"], users)
    with many_at_once():
        np.save(files["truth"], exact_top(users, items, min(options.top, size)))
    return files


def _case(case: dict[str, Any]) -> dict[str, Any]:
    cpu = machine.CpuTimes.read()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "recsys.bench.index_case"],
            input=json.dumps(case),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RecsysError(
            case["kind"], f"was not built within {_LIMIT_S:g} s", "Measure fewer items"
        ) from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise RecsysError(case["kind"], words[-1] if words else "ended without a word", "Run it with --debug")
    figures: dict[str, Any] = json.loads(done.stdout)
    steal = machine.CpuTimes.read().steal_percent(cpu)
    return figures | {"steal_percent": steal, "load_average": machine.load_average()}


__all__ = ["AUTO", "EXACT", "IndexOptions", "growth", "measure"]
