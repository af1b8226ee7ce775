"""The servers that hold an index in parts: a release is promoted once each of them has its part of it.

A request names the release whose parts are to answer, and a server without it refuses; so parts of two
releases never answer one request, whatever a server holds. A promotion sees to it that no part is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from recsys.errors import BadUse, RecsysError
from recsys.index.shard_model import model_name
from recsys.release.agent_client import AgentFiles
from recsys.release.promote import Report, settled, silent
from recsys.release.replica import Files
from recsys.release.replicas import beside
from recsys.serving.control import Control
from recsys.serving.layout import Layout
from recsys.settings import Settings

_log = logging.getLogger(__name__)

_READY: Final = "READY"


class PartServer:
    """The Triton of one part.

    Args:
        name: What it is called in messages.
        control: Its HTTP service.
        files: Its model repository.
        model: See `recsys.index.shard_model.model_name`.
    """

    def __init__(self, name: str, control: Control, files: Files, model: str) -> None:
        self.name = name
        self._control = control
        self._files = files
        self._model = model

    def layout(self) -> Layout:
        """What it serves."""
        return self._files.read()

    def add(self, number: int) -> None:
        """Load the part of a release beside what is served.

        Raises:
            RecsysError: The release cannot be brought there, or its part does not load.
        """
        self._load(self._files.read().beside(number))

    def switch(self, number: int) -> None:
        """Note that the shop is answered from another release: those who ask name it with each request."""
        self._files.write(self._files.read().switched(number))

    def serves(self, number: int) -> bool:
        """Whether the part of a release answers.

        Raises:
            Unavailable: Triton does not answer.
        """
        return self._control.states().get((self._model, number)) == _READY

    def settle(self, layout: Layout) -> None:
        """Come to a layout from whatever was begun.

        Raises:
            RecsysError: A part does not load.
        """
        self._load(layout)
        self._files.clear()

    def _load(self, layout: Layout) -> None:
        self._files.write(layout)
        self._control.load(self._model)
        states = self._control.states()
        for number in layout.versions:
            state = states.get((self._model, number), "not loaded")
            if state != _READY:
                cause = f"{self._model} of release {number} is {state.lower()}"
                raise RecsysError(f"index part {self.name}", cause, "See its server's log")


class PartServers:
    """All of them, brought to a release together.

    Args:
        servers: One for each part; none where the index is not in parts.
        report: Told each server's progress.
    """

    def __init__(self, servers: Sequence[PartServer], report: Report = silent) -> None:
        self._servers = list(servers)
        self._report = report
        self._before: dict[str, Layout] = {}
        self._kept = False

    def add(self, number: int) -> None:
        """Load the parts of a release beside what is served, on every server or on none.

        Raises:
            RecsysError: Nothing has changed.
        """
        self._before = {one.name: one.layout() for one in self._servers}
        try:
            self._each(lambda one: one.add(number), "loading its part")
        except BaseException:
            # Interrupts too, as in `Promoter`.
            self.go_back()
            raise

    def keep(self) -> None:
        """The shop is answered from the release now: `go_back` would take away what is served."""
        self._kept = True

    def go_back(self) -> None:
        """Come back to what was served before `add`, unless the release is to be kept."""
        if self._kept:
            return
        self._tidy("going back", lambda one: self._before[one.name])

    def settle(self, number: int, *, standby: bool) -> list[str]:
        """Unload what is served no more.

        Args:
            number: The release that is served now.
            standby: See `recsys.release.promote.Promoter`.

        Returns:
            What could not be tidied up; the parts of the release answer all the same.
        """
        return self._tidy(
            "settling", lambda one: settled(self._before.get(one.name), number, standby=standby)
        )

    def _each(self, step: Callable[[PartServer], None], event: str) -> None:
        """Do a step on all servers at once, each being a machine of its own; the first failure is raised."""
        if not self._servers:
            return

        def run(one: PartServer) -> None:
            self._report(one.name, event)
            step(one)

        with ThreadPoolExecutor(len(self._servers)) as pool:
            for done in [pool.submit(run, one) for one in self._servers]:
                done.result()

    def _tidy(self, event: str, layout: Callable[[PartServer], Layout]) -> list[str]:
        failed: list[str] = []

        def tidy(one: PartServer) -> None:
            try:
                one.settle(layout(one))
            except RecsysError as error:
                # The others must come there all the same, and what answers is whole already.
                _log.error("not tidied up: %s", error)
                failed.append(str(error))

        self._each(tidy, event)
        return failed


def part_servers(
    addresses: Sequence[str], key: str, settings: Settings, report: Report = silent
) -> PartServers:
    """The servers of a cluster, each with an agent beside it.

    Args:
        addresses: `host:port` of the HTTP service of each part's Triton, in the parts' order.
        key: Of model control and of the agents.
        settings: `serving.index_shards`, whose number they must have; the agents' port.
        report: Told each server's progress.

    Raises:
        BadUse: There are more or fewer than the index has parts.
    """
    wanted = len(settings.serving.index_shards.split(",")) if settings.serving.index_shards else 0
    if addresses and len(addresses) != wanted:
        cause = f"RECSYS_SERVING__INDEX_SHARDS names {wanted}"
        raise BadUse(f"{len(addresses)} index parts", cause, "Name the server of each, with --part")
    servers = [
        PartServer(
            address,
            Control(address, key, settings.promotion.load_s),
            AgentFiles(beside(address, settings.promotion.agent_port), key),
            model_name(at, wanted),
        )
        for at, address in enumerate(addresses)
    ]
    return PartServers(servers, report)
