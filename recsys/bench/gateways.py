"""A gateway in front of a benchmark's Triton."""

from __future__ import annotations

import http.client
import os
import sys
import time
from typing import Final

from recsys.bench.servers import Shop, Variant
from recsys.bench.target import Target
from recsys.errors import RecsysError
from recsys.local import process
from recsys.local.ports import free_port
from recsys.online.auth import create_key
from recsys.online.drill_system import variables

_READY_S: Final = 30.0
_POLL_S: Final = 0.05


class Gateway:
    """The shops' door to a variant.

    Args:
        variant: What it asks; must be running when this starts.
        shop: The benchmark's.
    """

    def __init__(self, variant: Variant, shop: Shop) -> None:
        self._variant, self._shop = variant, shop
        self._process: process.Process | None = None
        self._address = f"127.0.0.1:{free_port()}"
        self._token = ""

    @property
    def target(self) -> Target:
        """Where it answers, while it runs."""
        behind = self._variant.target
        group = self._process.pid if self._process else 0
        groups = {"gateway": group, **behind.groups}
        return Target(self._address, "http", behind.triton, groups, self._token)

    def start(self) -> None:
        """Start it.

        Raises:
            RecsysError: It does not answer.
        """
        home = self._shop.folder / f"gateway-{self._variant.name}"
        home.mkdir(parents=True, exist_ok=True)
        (home / "releases").unlink(missing_ok=True)
        (home / "releases").symlink_to(self._shop.releases, target_is_directory=True)
        self._token = create_key(home / "gateway" / "keys.json")
        settings = self._shop.settings
        # One key sends all of the load here; a shop's limit would be what is measured.
        chosen = {
            "triton": self._variant.target.address,
            "port": int(self._address.rpartition(":")[2]),
            "rate_per_s": 1e6,
            "burst": 1_000_000,
        }
        gateway = settings.gateway.model_copy(update=chosen)
        own = settings.model_copy(update={"home": home, "gateway": gateway})
        log = home / "gateway.log"
        environment = {**os.environ, **variables(own)}
        self._process = process.spawn([sys.executable, "-m", "recsys.online.gateway"], log, environment)
        deadline = time.monotonic() + _READY_S
        while not self._answers():
            if not self._process.alive() or time.monotonic() > deadline:
                raise RecsysError("gateway", process.last_line(log) or "not ready in time", f"See {log}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.stop()

    def _answers(self) -> bool:
        host, _, port = self._address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=1)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()
