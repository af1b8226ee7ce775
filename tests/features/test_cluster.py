"""Statistics that a process of Dask computes equal those of this one, and nothing of it stays."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from recsys.errors import BadUse
from recsys.features import row_file, workflows
from recsys.features.backend import cluster
from recsys.features.row_file import ROWS_FILE, RowFile
from recsys.local.ports import free_port
from recsys.settings import DaskSettings

LOCAL = DaskSettings(cluster="local", workers=1, memory_mb=1_000)
PARTS = 4


@pytest.fixture
def rows(shop: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RowFile:
    """The shop's rows as a file of several parts."""
    monkeypatch.setattr(row_file, "PART_ROWS", len(shop.rows) // PARTS)
    written = RowFile.write(tmp_path / ROWS_FILE, [shop.rows])
    assert len(written.parts()) == PARTS
    return written


class BreaksOffError(Exception):
    """What goes wrong while the cluster is at work."""


def _steps_taken(dask_worker: Any) -> int:
    return int(dask_worker.state.transition_counter)


def test_a_cluster_finds_what_this_process_finds_and_ends(
    shop: SimpleNamespace, rows: RowFile, tmp_path: Path
) -> None:
    addresses, pids = [], []
    with pytest.raises(BreaksOffError), cluster(LOCAL) as client:
        addresses = [client.scheduler.address, *client.scheduler_info()["workers"]]
        pids = list(client.run(os.getpid).values())
        fitted = workflows.fit(rows, shop.items, tmp_path / "cluster")
        steps = client.run(_steps_taken)
        raise BreaksOffError
    assert len(set(pids) - {os.getpid()}) == LOCAL.workers
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
    assert sum(steps.values()) >= PARTS, "the work was theirs"
    assert all(_ends(pid) for pid in pids)

    found, expected = (each.transform(shop.rows) for each in (fitted, shop.workflows))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6)  # codes exactly, means as sums of parts
    assert workflows.cardinalities(fitted) == workflows.cardinalities(shop.workflows)


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_off_there_is_no_cluster() -> None:
    with cluster(DaskSettings()) as client:
        assert client is None


def test_a_scheduler_that_is_not_there_is_named() -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        pytest.raises(BadUse, match=f"RECSYS_DASK__CLUSTER {address}: no scheduler answers"),
        cluster(DaskSettings(cluster=address, timeout_s=0.2)),
    ):
        pass
