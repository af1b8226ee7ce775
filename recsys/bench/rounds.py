"""The rounds of a benchmark: the variants take turns cell by cell, so that all meet the same machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from recsys.bench import perf_analyzer, sender, statistics
from recsys.bench.cell import Cell, Outcome, Plan
from recsys.bench.gateways import Gateway
from recsys.bench.options import FLOOR, Options
from recsys.bench.servers import Shop
from recsys.bench.statistics import Stages
from recsys.bench.summary import Run, best_rate
from recsys.serving.graph import ENSEMBLE

Note = Callable[[str], None]


class Rounds:
    """Measures running servers.

    Args:
        options: What to measure.
        targets: Variant -> `host:port` of its gRPC service.
        users: To be asked for.
        note: Told what is being done.
        shop: What the bare process loads; None to leave it out.
        gateways: Gateways by name, asked by closed loops of one user a request.

    Attributes:
        runs: What was measured so far.
    """

    def __init__(  # noqa: PLR0917 - what is measured, and then where
        self,
        options: Options,
        targets: dict[str, str],
        users: list[int],
        note: Note,
        shop: Shop | None = None,
        gateways: Mapping[str, Gateway] | None = None,
    ) -> None:
        self._options = options
        self._targets = targets
        self._users = users
        self._note = note
        self._shop = shop
        self._gateways = gateways or {}
        self._half: dict[str, Cell] = {}
        self._perf_analyzer = perf_analyzer.find() if options.perf_analyzer else None
        self.runs: dict[tuple[str, Cell, str], Run] = {}

    def run(self) -> None:
        """Measure all rounds.

        Raises:
            RecsysError: A measurement failed.
        """
        if self._options.perf_analyzer and self._perf_analyzer is None:
            self._note(f"{perf_analyzer.missing()}: measuring with our own client alone")
        for number in range(1, self._options.rounds + 1):
            for cell in self._options.cells():
                for name in self._targets:
                    self._triton(name, cell, number)
                if cell.mode == "closed" and cell.rows == 1:
                    for name, gateway in self._gateways.items():
                        self._http(name, gateway, cell, number)
                if self._shop and FLOOR in self._options.variants and cell.is_one_caller:
                    self._floor(cell, number)
            if self._options.half_load:
                for name in self._targets:
                    self._triton(name, self._half_load(name), number)

    def _triton(self, name: str, cell: Cell, number: int) -> None:
        target = self._targets[name]
        plan = self._plan(cell, number, target)
        self._note(f"round {number}: {name}, {cell.label}")
        before = statistics.fetch(target)
        outcome = sender.run(sender.LOAD, plan)
        self._record(name, cell, outcome, stages=statistics.since(before, statistics.fetch(target)))
        if self._perf_analyzer and cell.mode == "closed":
            self._note(f"round {number}: {name}, {cell.label}, by perf_analyzer")
            self._record(name, cell, perf_analyzer.run(self._perf_analyzer, plan), driver="perf_analyzer")

    def _http(self, name: str, gateway: Gateway, cell: Cell, number: int) -> None:
        self._note(f"round {number}: {name}, {cell.label}")
        plan = replace(self._plan(cell, number, gateway.target), token=gateway.token)
        self._record(name, cell, sender.run(sender.HTTP_LOAD, plan), driver="http")

    def _floor(self, cell: Cell, number: int) -> None:
        assert self._shop is not None  # noqa: S101 - its caller has looked
        self._note(f"round {number}: bare process, {cell.label}")
        plan = replace(
            self._plan(cell, number),
            release_dir=str(self._shop.release_dir),
            settings=self._shop.settings.model_dump(mode="json"),
        )
        self._record(FLOOR, cell, sender.run(sender.FLOOR, plan, sender.ONE_THREAD), driver="in process")

    def _half_load(self, name: str) -> Cell:
        """Half of what the first round reached: later ones repeat it, so that they can be pooled."""
        if name not in self._half:
            best = best_rate([run for run in self.runs.values() if run.variant == name])
            self._half[name] = Cell(mode="open", concurrency=0, rate=max(0.1, round(best / 2, 1)))
        return self._half[name]

    def _plan(self, cell: Cell, number: int, target: str = "") -> Plan:
        options = self._options
        return Plan(
            cell=cell,
            model=ENSEMBLE,
            target=target,
            users=self._users,
            warm_up_s=options.warm_up_s,
            seconds=options.seconds,
            most_requests=options.most_requests,
            timeout_s=options.timeout_s,
            seed=number,
        )

    def _record(
        self, name: str, cell: Cell, outcome: Outcome, stages: Stages | None = None, driver: str = "grpc"
    ) -> None:
        run = self.runs.setdefault((name, cell, driver), Run(name, cell, driver))
        run.add(outcome, stages or [])
