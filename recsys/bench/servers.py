"""The servers that a benchmark starts for itself: one Valkey, and a Triton for each variant."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.bench import machine, static_tower, users
from recsys.bench.options import PROCESSES, REFERENCES, STATIC_TOWER
from recsys.bench.reference import repository as reference
from recsys.bench.target import Target
from recsys.errors import RecsysError
from recsys.local.fill import settings_at, write_features
from recsys.local.valkey import ValkeyServer
from recsys.release.manifest import read_manifest
from recsys.serving import repository
from recsys.serving.client import RecommendClient
from recsys.serving.triton import TritonServer, why_it_ended
from recsys.settings import Settings
from recsys.valkey import connect

Note = Callable[[str], None]

_SEEN_ITEMS = 20
_READY_S = 180.0
_FIRST_REQUEST_S = 60.0
_FILL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Shop:
    """What all variants share.

    Attributes:
        folder: Scratch of the benchmark.
        releases: Folder of releases.
        release: Which of them.
        settings: Any free ports, the benchmark's own Valkey.
        users: To be asked for.
        valkey_group: Process group of Valkey.
        workflows: The fitted NVTabular workflows, for what needs them.
    """

    folder: Path
    releases: Path
    release: int
    settings: Settings
    users: list[int]
    valkey_group: int
    workflows: Path | None = None

    @property
    def release_dir(self) -> Path:
        """The release's folder."""
        return self.releases / str(self.release)


@contextmanager
def open_shop(
    folder: Path, settings: Settings, release: int, *, drawn: int, workflows: Path | None, note: Note
) -> Iterator[Shop]:
    """Start a Valkey with the release's features and seen filters, and stop it at the end.

    Args:
        folder: Scratch.
        settings: The home's.
        release: Number of the release.
        drawn: Users to draw.
        workflows: See `Shop`.
        note: Told what is being done.

    Raises:
        RecsysError: A server does not start, or the release is damaged.
    """
    releases = settings.home.resolve() / "releases"
    release_dir = releases / str(release)
    chosen = users.draw(release_dir, drawn, seed=0)
    with ValkeyServer(folder / "valkey") as valkey:
        own = settings_at(settings.model_copy(update={"home": folder}), valkey.url)
        ports = {"http_port": 0, "grpc_port": 0, "metrics_port": 0}
        own = own.model_copy(update={"serving": own.serving.model_copy(update=ports)})
        note("filling Valkey with the release's features")
        # What fills it may wait longer than a stage does: on a busy machine a stage's limit is soon over.
        patient = own.valkey.model_copy(update={"timeout_s": _FILL_TIMEOUT_S})
        filling = own.model_copy(update={"valkey": patient})
        write_features(filling, release_dir / "feast", read_manifest(release_dir))
        client = connect(patient)
        users.mark_seen(client, release_dir, chosen, _SEEN_ITEMS, seed=0)
        client.close()
        group = valkey.process.pid if valkey.process else 0
        yield Shop(folder, releases, release, own, chosen, group, workflows)


class Variant:
    """A Triton that serves the release in one way.

    Args:
        name: One of `TRITON_VARIANTS`.
        shop: What it serves.
    """

    def __init__(self, name: str, shop: Shop) -> None:
        self.name = name
        self._shop = shop
        way = {"variant": "fused" if name == "fused" else "ensemble"}
        if name == PROCESSES or name in REFERENCES:
            way |= {"stages": "processes"}
        serving = shop.settings.serving.model_copy(update=way)
        self._settings = shop.settings.model_copy(update={"serving": serving})
        self._folder = shop.folder / name
        self._server = TritonServer(self._folder / "models", self._folder, self._settings)

    @property
    def target(self) -> Target:
        """Where it answers, while it runs."""
        address = self._server.endpoints["grpc"]
        triton = self._server.process.pid if self._server.process else 0
        groups = {"triton": triton, "valkey": self._shop.valkey_group}
        return Target(address, "grpc", address, groups)

    def start(self) -> float:
        """Start it.

        Returns:
            Seconds until all models were ready.

        Raises:
            RecsysError: It does not start.
        """
        shop = self._shop
        models = self._folder / "models"
        models.parent.mkdir(parents=True, exist_ok=True)
        repository.assemble(models, self._releases(), shop.release, self._settings.serving)
        if self.name in REFERENCES:
            batched = self.name == "reference_batched"
            reference.replace_models(models, shop.release, shop.workflows, shop.settings, batched=batched)
        begun = time.perf_counter()
        self._server.start(_READY_S)
        return round(time.perf_counter() - begun, 2)

    def _releases(self) -> Path:
        """Folder of the releases that it serves."""
        if self.name != STATIC_TOWER:
            return self._shop.releases
        own = self._folder / "releases"
        if not own.is_dir():
            assert self._shop.workflows is not None  # noqa: S101 - looked for before anything was started
            static_tower.copy_release(self._shop.release_dir, self._shop.workflows, own)
        return own

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()

    def require_alive(self) -> None:
        """Say why the server ended, if it has.

        Raises:
            RecsysError: It has ended; with the last words of its log.
        """
        process = self._server.process
        if process is not None and not process.alive():
            cause = f"ended while it was measured: {why_it_ended(self._server.log_file)}"
            raise RecsysError(f"Triton ({self.name})", cause, "Run the benchmark again")

    def boot(self, warm_requests: int = 100) -> dict[str, Any]:
        """Start it alone on the machine and look at what that takes.

        Args:
            warm_requests: Requests after which memory is read.

        Returns:
            JSON: seconds until ready, milliseconds of the first request, memory in MB and processes.
        """
        cpu = machine.CpuTimes.read()
        ready_s = self.start()
        with RecommendClient(self.target.address, _FIRST_REQUEST_S) as client:
            client.is_ready()  # as whoever waits for it sees it; connecting is no part of the first request
            begun = time.perf_counter()
            client.recommend([self._shop.users[0]])
            first_ms = (time.perf_counter() - begun) * 1e3
            for user in np.resize(self._shop.users, warm_requests):
                client.recommend([user])
        members = machine.group_members(self._server.process.pid) if self._server.process else []
        return {
            "variant": self.name,
            "ready_s": ready_s,
            "first_request_ms": round(first_ms, 2),
            "pss_mb": machine.pss_mb(members),
            "processes": len(members),
            "steal_percent": machine.CpuTimes.read().steal_percent(cpu),
            "load_average": machine.load_average(),
        }
