"""Starts, watches and stops the services of one home; what it starts outlives it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import RecsysError, Unavailable
from recsys.local import process
from recsys.local.service import Context, Endpoints, Service
from recsys.local.state import Running, StateFile
from recsys.settings import Settings

Report = Callable[[str, str], None]
"""Told a service's name and what happens to it."""

_POLL_S = 0.1


def silent(_service: str, _event: str) -> None:
    """A report that nobody reads."""


@dataclass
class _Retry:
    failures: int = 0
    not_before: float = 0.0


class Supervisor:
    """The services of one home.

    Args:
        services: In the order of their start; each only needs services before it.
        settings: The process's settings.
        release: The number of the release to serve, None before the first.
        current: Asked for that number anew at every `up`: a promotion may have changed it since.
    """

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        release: int | None = None,
        current: Callable[[], int | None] | None = None,
    ) -> None:
        self.services = tuple(services)
        self.settings = settings.model_copy(update={"home": settings.home.resolve()})
        self.state = StateFile(self.settings.home)
        self.logs = self.settings.home / "logs"
        self.release = release
        self._current = current

    def up(self, report: Report = silent) -> None:
        """Start what does not run and wait until all is ready; what is ready is left alone.

        Args:
            report: Told each service's progress.

        Raises:
            RecsysError: A service cannot be started; those before it stay up.
            Unavailable: A service was not ready in time; it is stopped again.
        """
        with self.state.locked():
            running = self.state.read()
            if self._current is not None:
                self.release = self._current()
            restarted = self._stop_strangers(running, report)
            for service in self.services:
                before = running.get(service.name)
                if before and self._may_stay(service, before, restarted):
                    self._after_ready(service, running, report)
                    report(service.name, "already ready")
                    continue
                running[service.name] = self._restart(service, running, report)
                if before is None or before.endpoints != running[service.name].endpoints:
                    restarted.add(service.name)

    def down(self, report: Report = silent) -> None:
        """Stop everything that was started, the last started first.

        Args:
            report: Told each service's end.
        """
        with self.state.locked():
            running = self.state.read()
            for name in reversed(list(running)):
                report(name, "stopping" if running[name].process.alive() else "already stopped")
                running.pop(name).process.stop()
                self.state.write(running)

    def status(self) -> dict[str, dict[str, Any]]:
        """Each service's state (ready, starting, failed or stopped), pid and endpoints, by name."""
        running = self.state.read()
        return {service.name: self._describe(service, running.get(service.name)) for service in self.services}

    def watch(self, report: Report = silent, stop: Callable[[], bool] = lambda: False) -> None:
        """Restart what ends, each service after its own growing wait, until told to stop.

        Args:
            report: Told each restart and its failure.
            stop: Asked between looks; True ends the watch.
        """
        retries = {service.name: _Retry() for service in self.services}
        while not stop():
            for service in self.services:
                entry = self.state.read().get(service.name)
                if entry is None or not entry.process.alive():
                    self._retry(service, retries[service.name], report)
            time.sleep(_POLL_S)

    def _stop_strangers(self, running: dict[str, Running], report: Report) -> set[str]:
        """Stop what an `up` with more services left, such as a second Triton; their names."""
        strangers = running.keys() - {service.name for service in self.services}
        for name in sorted(strangers):
            report(name, "stopping")
            running.pop(name).process.stop()
            self.state.write(running)
        return set(strangers)

    def _retry(self, service: Service, retry: _Retry, report: Report) -> None:
        now = time.monotonic()
        if now < retry.not_before:
            return
        if now - retry.not_before > service.backoff.forgiven_s:
            retry.failures = 0
        retry.failures += 1
        try:
            self.up(report)
        except RecsysError as error:
            report(service.name, str(error))
        retry.not_before = time.monotonic() + service.backoff.wait_s(retry.failures)

    def _may_stay(self, service: Service, entry: Running, restarted: set[str]) -> bool:
        return (
            not restarted.intersection(service.needs)
            and (not service.serves_release or entry.release == self.release)
            and entry.process.alive()
            and service.is_ready(entry.endpoints)
        )

    def _restart(self, service: Service, running: dict[str, Running], report: Report) -> Running:
        """Start a service afresh, after stopping what may be left of it."""
        before = running.pop(service.name, None)
        if before is not None:
            before.process.stop()
        report(service.name, "starting")
        context = self._context(running, previous=before.endpoints if before else {})
        launch = service.plan(context)
        log = self.logs / f"{service.name}.log"
        begun = process.size_of(log)
        started = process.spawn(launch.command, log, {**os.environ, **launch.env})
        entry = Running(started, dict(launch.endpoints), str(log), self.release)
        # Written before it is ready: should this process be killed now, `down` still finds it.
        running[service.name] = entry
        self.state.write(self._ordered(running))
        self._wait(service, entry, begun)
        self._after_ready(service, running, report)
        report(service.name, "ready")
        return entry

    def _after_ready(self, service: Service, running: Mapping[str, Running], report: Report) -> None:
        if service.after_ready is not None:
            service.after_ready(self._context(running), lambda event: report(service.name, event))

    def _context(self, running: Mapping[str, Running], previous: Endpoints | None = None) -> Context:
        return Context(
            settings=self.settings,
            release=self.release,
            endpoints={name: entry.endpoints for name, entry in running.items()},
            previous=previous or {},
        )

    def _wait(self, service: Service, entry: Running, begun: int) -> None:
        deadline = time.monotonic() + service.ready_timeout_s
        while not service.is_ready(entry.endpoints):
            if not entry.process.alive():
                raise RecsysError(
                    service.name, service.last_words(Path(entry.log), begun), f"See {entry.log}"
                )
            if time.monotonic() > deadline:
                entry.process.stop()
                raise Unavailable(
                    service.name, f"not ready within {service.ready_timeout_s:g} s", f"See {entry.log}"
                )
            time.sleep(_POLL_S)

    def _ordered(self, running: Mapping[str, Running]) -> dict[str, Running]:
        """In the order of the services' start, so that `down` stops the dependent ones first."""
        names = [service.name for service in self.services]
        return dict(
            sorted(running.items(), key=lambda pair: names.index(pair[0]) if pair[0] in names else -1)
        )

    def _describe(self, service: Service, entry: Running | None) -> dict[str, Any]:
        if entry is None:
            return {"state": "stopped"}
        if not entry.process.alive():
            return {"state": "failed", "log": entry.log}
        state = "ready" if service.is_ready(entry.endpoints) else "starting"
        return {"state": state, **entry.endpoints, "pid": entry.process.pid, "log": entry.log}
