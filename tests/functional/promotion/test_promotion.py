"""Two real Tritons promoted, rolled back and failed under load: nobody notices, and nothing is ever mixed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from factories.two_tritons import System

from recsys.errors import RecsysError
from recsys.local.promotion import promote_here
from recsys.local.switch_drill import own_answers
from recsys.local.switch_load import Clients
from recsys.local.switch_report import Switch, report
from recsys.release.answers import sample
from recsys.release.manifest import DataWindow
from recsys.release.promote import Promoter
from recsys.release.replica import Replica
from recsys.serving.layout import Layout, only

pytestmark = pytest.mark.functional


def serving(system: System) -> set[Layout]:
    return {replica.layout() for replica in system.replicas()}


def publish(system: System, staging: Path) -> int:
    return system.store.publish(staging, data=DataWindow(fingerprint="x", days=(0,)), metrics={}, parent=1)


def up_leaves_alone(system: System, number: int) -> None:
    """The next `recsys up` finds the servers on the release that is current."""
    before = system.at_work.status()
    system.at_work.release = number
    system.at_work.up()
    assert system.at_work.status() == before


def test_nobody_notices_a_promotion_and_a_rollback(system: System) -> None:
    questions = sample(system.store.path(1), int(time.time()), 12)
    own = {number: own_answers(system.settings, number, questions) for number in (1, 2)}
    assert all(one != other for one, other in zip(own[1], own[2], strict=True))  # else nothing could mix
    switches = []
    with Clients(system.gateway, system.token, questions, count=4) as asking:
        for number in (2, 1):
            time.sleep(0.5)
            began = time.monotonic()
            done = promote_here(system.settings, number, fill=False)
            switches.append(Switch(number, number == 1, began, time.monotonic(), done.seconds))
            up_leaves_alone(system, number)
        time.sleep(0.5)
    found = report(asking.told, switches, own)
    assert found.failures == {}
    assert found.mixed == 0
    assert min(found.by_release.values()) > 0
    assert found.rollback_s["served_longest"] < 10
    assert serving(system) == {only(1)}
    assert system.store.current() == 1


def test_a_release_that_does_not_load_leaves_all_as_they_were(system: System, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(system.store.path(2), broken, ignore=shutil.ignore_patterns("manifest.json"))
    table = broken / "item_workflow.npz"  # its hash will be right, and no check but loading it finds out
    table.unlink()
    table.write_bytes(b"PK\x03\x04 not a table")
    number = publish(system, broken)
    with pytest.raises(RecsysError, match="item_workflow"):
        promote_here(system.settings, number, fill=False)
    with pytest.raises(RecsysError, match=r"Triton at .*nvt_item_transform"):
        Promoter(system.replicas).promote(number, compare=pytest.fail, commit=pytest.fail)
    assert serving(system) == {only(1)}
    assert system.store.current() == 1


def test_a_replica_that_answers_otherwise_brings_the_others_back(system: System) -> None:
    first, second = system.replicas()
    asked: list[str] = []

    def compare(replica: Replica) -> None:
        asked.append(replica.name)
        if replica.name == second.name:
            raise RecsysError(replica.name, "answers otherwise", "Do not serve it")

    with pytest.raises(RecsysError, match="answers otherwise"):
        Promoter(lambda: [first, second]).promote(2, compare, commit=pytest.fail)
    assert asked == [first.name, second.name]
    assert serving(system) == {only(1)}


def test_a_promotion_that_was_killed_is_completed_by_another(system: System) -> None:
    first, _ = system.replicas()
    first.add(2)
    first.switch(2)  # and here it died: replicas answer from two releases
    promote_here(system.settings, 1, fill=False)
    assert serving(system) == {only(1)}
