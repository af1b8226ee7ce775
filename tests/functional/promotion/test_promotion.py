"""Two real Tritons promoted, rolled back and failed under load: nobody notices, and nothing is ever mixed."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
import redis
from factories.two_tritons import System
from pydantic import SecretStr

from recsys.errors import RecsysError
from recsys.local.promotion import challenge_here, follow, promote_here, withdraw_here
from recsys.local.switch_drill import own_answers
from recsys.local.switch_load import Clients
from recsys.local.switch_report import Switch, report
from recsys.online import exposures, shadow, trial
from recsys.online.canary import arm
from recsys.online.requests import Request
from recsys.online.trial import Trial
from recsys.release.agent import Agent, AgentServer
from recsys.release.answers import sample
from recsys.release.manifest import DataWindow
from recsys.release.promote import Promoter
from recsys.release.promote_remote import Cluster, promote_there
from recsys.serving.layout import Layout, only

pytestmark = pytest.mark.functional


def serving(system: System) -> set[Layout]:
    return {replica.layout() for replica in system.replicas()}


def publish(system: System, staging: Path) -> int:
    return system.store.publish(staging, data=DataWindow(fingerprint="x", days=(0,)), metrics={}, parent=1)


def up_leaves_alone(system: System) -> None:
    """The next `recsys up` finds the servers on the release that is current."""
    before = system.at_work.status()
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
            if number == 2:
                system.store.set_current(2)  # as a pipeline does
                done = follow(system.settings)
            else:
                done = promote_here(system.settings, 1, fill=False)
            assert done is not None
            switches.append(Switch(number, number == 1, began, time.monotonic(), done.seconds))
            up_leaves_alone(system)
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
    system.store.set_current(number)
    with pytest.raises(RecsysError, match="item_workflow"):
        follow(system.settings)
    assert system.store.current() == 1
    with pytest.raises(RecsysError, match=r"Triton at .*nvt_item_transform"):
        Promoter(system.replicas).promote(number, compare=pytest.fail, commit=pytest.fail)
    assert serving(system) == {only(1)}
    assert system.store.current() == 1


def test_a_canary_answers_its_users_and_is_compared(system: System) -> None:
    client = redis.Redis.from_url(system.settings.valkey.url, socket_timeout=5)
    tried = Trial(2, shadow=1.0, canary=0.4)
    challenge_here(system.settings, 2)
    assert serving(system) == {Layout((1, 2), 1, 2)}
    trial.start(client, tried)
    questions = [Request(user, 0, 1_754_000_000) for user in range(1, 41)]
    own = {number: own_answers(system.settings, number, questions) for number in (1, 2)}
    with Clients(system.gateway, system.token, questions, count=2) as asking:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (
            shadow.read(client).copies < 5 or len({each.arm for each in exposures.read(client)}) < 2
        ):
            time.sleep(0.2)
    of_canary = {place for place, each in enumerate(questions) if arm(each.user_id, tried) == "challenger"}
    assert {each.release for each in asking.told if each.question in of_canary} >= {2}
    assert {each.release for each in asking.told if each.question not in of_canary} == {1}
    assert all(each.items == own[each.release][each.question] for each in asking.told)
    assert 0 <= shadow.read(client).means()["overlap@10"] <= 1
    for each in exposures.read(client):
        assert each.arm == (2 if arm(each.user_id, tried) == "challenger" else 1)
    trial.stop(client)
    withdraw_here(system.settings)
    client.close()
    assert serving(system) == {only(1)}


def test_a_cluster_is_promoted_through_agents(system: System) -> None:
    """One Triton as a pod: the agent in front of its repository, the pointer in a store elsewhere."""
    home, key = system.settings.home, "k" * 40
    agent = Agent(str(system.store.root), home, system.settings.serving)
    with AgentServer(("127.0.0.1", 0), agent, key) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        promotion = system.settings.promotion.model_copy(
            update={"admin_key": SecretStr(key), "agent_port": server.server_address[1]}
        )
        settings = system.settings.model_copy(update={"promotion": promotion})
        triton = system.at_work.status()["triton"]["http"]
        cluster = Cluster([triton], [f"127.0.0.1:{server.server_address[1]}"], str(system.store.root))
        for number in (2, 1):
            assert promote_there(settings, number, cluster).replicas == [triton]
            assert system.store.current() == number
            assert system.replicas()[0].serves(number)
        server.shutdown()
        thread.join()
    assert serving(system) == {only(1)}


def test_a_promotion_that_was_killed_is_completed_by_another(system: System) -> None:
    first, _ = system.replicas()
    first.add(2)
    first.switch(2)  # and here it died: replicas answer from two releases
    promote_here(system.settings, 1, fill=False)
    assert serving(system) == {only(1)}
