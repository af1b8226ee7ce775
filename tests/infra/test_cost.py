from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from factories.stacks import INFRA, load_stack


def test_the_sum_is_that_of_the_table() -> None:
    done = subprocess.run(
        [sys.executable, INFRA / "cost.py"], capture_output=True, text=True, timeout=30, check=True
    )
    table = json.loads((INFRA / "prices.json").read_text())
    hourly = sum(table["prices"][name]["usd_per_hour"] * count for name, count in table["eks_up"].items())
    assert f"{hourly:.3f}  an hour" in done.stdout
    assert f"{730 * hourly:.0f} a month" in done.stdout
    assert hourly == pytest.approx(2.6018)
    for name in table["eks_up"]:
        assert table["prices"][name]["source"] in done.stdout
        assert table["prices"][name]["read"] in done.stdout


def test_what_is_priced_is_what_is_made() -> None:
    table = json.loads((INFRA / "prices.json").read_text())["eks_up"]
    cluster = yaml.safe_load((INFRA / "cluster.yaml").read_text())
    (group,) = cluster["managedNodeGroups"]
    assert table[group["instanceType"]] == group["desiredCapacity"]
    assert (cluster["vpc"]["nat"]["gateway"], table["nat-gateway"]) == ("Single", 1)
    parameters = load_stack("cache")["Parameters"]
    assert table[parameters["NodeType"]["Default"]] == 1 + parameters["Replicas"]["Default"]
    triton = yaml.safe_load((INFRA.parent / "helm/recsys/values.yaml").read_text())["triton"]
    assert table["g5.xlarge"] == triton["autoscaling"]["minReplicas"]
