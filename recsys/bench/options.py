"""What `recsys bench serving` measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recsys.bench.cell import Cell

REFERENCES: Final = ("reference", "reference_batched")
"""As the published design runs, a request an execution; and with our stacking of waiting requests."""
STATIC_TOWER: Final = "ensemble_static"
"""The ensemble with a query tower that knows nothing of clicks."""
PROCESSES: Final = "ensemble_processes"
"""The ensemble with a Python process for each model."""
TRITON_VARIANTS: Final = ("ensemble", PROCESSES, "fused", STATIC_TOWER, *REFERENCES)
NEED_WORKFLOWS: Final = frozenset((STATIC_TOWER, *REFERENCES))
_TOWER_AT: Final = (1, 16)
"""Concurrencies at which the towers are compared."""
GATEWAYS: Final = {"gateway": "ensemble", "gateway_processes": PROCESSES, "gateway_fused": "fused"}
"""Gateways, and the variant that each asks."""
FLOOR: Final = "floor"
TARGET: Final = "target"


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        variants: Of `TRITON_VARIANTS`, `GATEWAYS` and `FLOOR`; passed over with a target.
        target: `host:port` of a Triton that runs already, on this machine; empty to start our own.
        concurrencies: Closed loops with one user a request.
        batches: Closed loops of one caller with so many users a request.
        rates: Open loops, requests a second.
        half_load: Whether each variant also gets an open loop at half of the best rate that its closed loops
            reached in the same round.
        rounds: How often all is measured; variants take turns within a round.
        seconds: Measured time of a cell.
        warm_up_s: Time before it that is not measured.
        most_requests: Bound of the answers of a cell.
        timeout_s: Time limit of a request.
        drawn: Users drawn from the release.
        perf_analyzer: Whether to let NVIDIA's program, where it can run, measure the closed loops too.
        workflows: Fitted NVTabular workflows, for the references and the static tower; looked for under
            the home when None.
    """

    variants: tuple[str, ...] = ("ensemble",)
    target: str = ""
    concurrencies: tuple[int, ...] = (1, 4, 16, 64)
    batches: tuple[int, ...] = (16,)
    rates: tuple[float, ...] = ()
    half_load: bool = True
    rounds: int = 2
    seconds: float = 3.0
    warm_up_s: float = 1.0
    most_requests: int = 20_000
    timeout_s: float = 30.0
    drawn: int = 1_000
    perf_analyzer: bool = False
    workflows: Path | None = None

    def cells(self) -> list[Cell]:
        """Every way in which each variant is asked, half load aside."""
        return [
            *(Cell(concurrency=count) for count in self.concurrencies),
            *(Cell(rows=rows) for rows in self.batches),
            *(Cell(mode="open", concurrency=0, rate=rate) for rate in self.rates),
        ]

    def asks(self, name: str, cell: Cell) -> bool:
        """Whether a variant or gateway is asked so.

        Args:
            name: Which.
            cell: How requests are sent.
        """
        if name in GATEWAYS:  # a shop asks for one user at a time
            return cell.rows == 1
        if name == "reference_batched":  # only waiting requests can be stacked
            return cell.mode == "closed" and cell.rows == 1 and cell.concurrency > 1
        if name == STATIC_TOWER:
            return cell.rows == 1 and cell.concurrency in _TOWER_AT
        return True
