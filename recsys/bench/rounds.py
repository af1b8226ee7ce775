"""The rounds of a benchmark: the variants take turns cell by cell, so that all meet the same machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from recsys.bench import perf_analyzer, sender
from recsys.bench.cell import Cell, Outcome, Plan
from recsys.bench.options import FLOOR, Options
from recsys.bench.servers import Shop
from recsys.bench.statistics import Stages
from recsys.bench.summary import Run, best_rate
from recsys.bench.target import Reading, Target
from recsys.serving.graph import ENSEMBLE

Note = Callable[[str], None]

_SHARE = 0.5


class Rounds:
    """Measures running servers.

    Args:
        options: What to measure.
        targets: Variants and gateways by name.
        users: To be asked for.
        note: Told what is being done.
        shop: What the bare process loads; None to leave it out.

    Attributes:
        runs: What was measured so far.
    """

    def __init__(
        self,
        options: Options,
        targets: Mapping[str, Target],
        users: list[int],
        note: Note,
        shop: Shop | None = None,
    ) -> None:
        self._options = options
        self._targets = targets
        self._users = users
        self._note = note
        self._shop = shop
        self._perf_analyzer = perf_analyzer.find() if options.perf_analyzer else None
        self.runs: dict[tuple[str, Cell, str], Run] = {}

    def run(self) -> None:
        """Measure all rounds.

        Raises:
            RecsysError: A measurement failed.
        """
        if self._options.perf_analyzer and self._perf_analyzer is None:
            self._note(f"{perf_analyzer.missing()}: measuring with our own client alone")
        cells = self._options.cells()
        if self._options.half_load:
            cells.append(Cell(mode="open", concurrency=0, share=_SHARE))
        for number in range(1, self._options.rounds + 1):
            for cell in cells:
                for name in self._targets:
                    if self._options.asks(name, cell):
                        self._ask(name, cell, number)
                if self._shop and FLOOR in self._options.variants and cell.is_one_caller:
                    self._floor(cell, number)

    def _ask(self, name: str, cell: Cell, number: int) -> None:
        target = self._targets[name]
        plan = self._plan(name, cell, number)
        self._note(f"round {number}: {name}, {cell.label}")
        before = Reading.of(target)
        outcome = sender.run(sender.HTTP_LOAD if target.driver == "http" else sender.LOAD, plan)
        after = Reading.of(target)
        outcome = replace(outcome, rate=plan.cell.rate, cpu_ms=after.cpu_ms_since(before))
        self._record(name, cell, outcome, stages=after.stages_since(before), driver=target.driver)
        if self._perf_analyzer and cell.mode == "closed" and target.driver == "grpc":
            self._note(f"round {number}: {name}, {cell.label}, by perf_analyzer")
            self._record(name, cell, perf_analyzer.run(self._perf_analyzer, plan), driver="perf_analyzer")

    def _floor(self, cell: Cell, number: int) -> None:
        assert self._shop is not None  # noqa: S101 - its caller has looked
        self._note(f"round {number}: bare process, {cell.label}")
        plan = replace(
            self._plan("", cell, number),
            release_dir=str(self._shop.release_dir),
            settings=self._shop.settings.model_dump(mode="json"),
        )
        outcome = sender.run(sender.FLOOR, plan, sender.ONE_THREAD)
        answered = len(outcome.latencies_ms) * cell.rows
        spent_ms = outcome.sender_cpu_percent / 100 * outcome.seconds * 1e3
        cpu_ms = {"process": round(spent_ms / answered, 4)} if answered else {}
        self._record(FLOOR, cell, replace(outcome, cpu_ms=cpu_ms), driver="in process")

    def _plan(self, name: str, cell: Cell, number: int) -> Plan:
        options = self._options
        target = self._targets.get(name)
        if cell.share:
            best = best_rate([run for run in self.runs.values() if run.variant == name])
            cell = replace(cell, rate=max(0.1, round(best * cell.share, 1)))
        return Plan(
            cell=cell,
            model=ENSEMBLE,
            target=target.address if target else "",
            users=self._users,
            warm_up_s=options.warm_up_s,
            seconds=options.seconds,
            most_requests=options.most_requests,
            timeout_s=options.timeout_s,
            seed=number,
            token=target.token if target else "",
        )

    def _record(
        self, name: str, cell: Cell, outcome: Outcome, stages: Stages | None = None, driver: str = "grpc"
    ) -> None:
        run = self.runs.setdefault((name, cell, driver), Run(name, cell, driver))
        run.add(outcome, stages or [])
