"""Karpenter's objects: what its v1 CRDs demand, what bills and reviews ask for, and the overlay."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from factories.chart import CHART, ROOT, values

from pipelines.cluster import POOL_LABEL

FOLDER = ROOT / "karpenter"
OPERATORS = {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Gte", "Lte"}
POOL_FIELDS = {"template", "limits", "disruption", "weight"}
TEMPLATE_FIELDS = {"nodeClassRef", "requirements", "taints", "expireAfter", "terminationGracePeriod"}
CLASS_FIELDS = {
    *("role", "amiSelectorTerms", "subnetSelectorTerms", "securityGroupSelectorTerms"),
    *("metadataOptions", "blockDeviceMappings", "tags"),
}
DURATION = re.compile(r"^([0-9]+(s|m|h))+$")
REASONS = {"Underutilized", "Empty", "Drifted"}

Object = dict[str, Any]


def base() -> list[Object]:
    """Every object of the base."""
    names = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())["resources"]
    assert sorted(names) == sorted(
        p.name for p in (FOLDER / "base").iterdir() if p.name != "kustomization.yaml"
    )
    return [yaml.safe_load((FOLDER / "base" / name).read_text()) for name in names]


def _replace(target: Any, step: Object) -> None:
    """One JSON patch operation, `replace`."""
    assert step["op"] == "replace"
    *way, last = (part.replace("~1", "/") for part in step["path"].strip("/").split("/"))
    for part in way:
        target = target[int(part)] if isinstance(target, list) else target[part]
    assert last in target, step
    target[last] = step["value"]


def overlaid() -> list[Object]:
    """The example overlay: the base with its patches, applied as kustomize does."""
    overlay = yaml.safe_load((FOLDER / "overlays" / "example" / "kustomization.yaml").read_text())
    assert overlay["resources"] == ["../../base"]
    objects = base()
    for patch in overlay["patches"]:
        target = patch["target"]
        group_version = f"{target['group']}/{target['version']}"
        matched = [o for o in objects if (o["apiVersion"], o["kind"]) == (group_version, target["kind"])]
        assert matched
        for each in matched:
            for step in yaml.safe_load(patch["patch"]):
                _replace(each, step)
    return objects


POOLS = [each for each in base() if each["kind"] == "NodePool"]
CLASSES = [each for each in overlaid() if each["kind"] == "EC2NodeClass"]


def _name(each: Object) -> str:
    return each["metadata"]["name"]


@pytest.mark.parametrize("pool", POOLS, ids=_name)
def test_a_pool_has_the_shape_of_v1(pool: Object) -> None:
    spec = pool["spec"]
    assert pool["apiVersion"] == "karpenter.sh/v1"
    assert set(spec) <= POOL_FIELDS
    node = spec["template"]["spec"]
    assert set(node) <= TEMPLATE_FIELDS
    assert node["nodeClassRef"]["group"] == "karpenter.k8s.aws"
    assert node["nodeClassRef"]["name"] in {_name(each) for each in CLASSES}
    for each in node["requirements"]:
        assert each["operator"] in OPERATORS
        assert all(isinstance(value, str) for value in each["values"]), each
        assert each["operator"] not in ("Gt", "Lt") or len(each["values"]) == 1
    assert 1 <= spec.get("weight", 1) <= 100


@pytest.mark.parametrize("pool", POOLS, ids=_name)
def test_a_pool_has_limits_an_age_and_a_budget(pool: Object) -> None:
    spec = pool["spec"]
    assert {"cpu", "memory"} <= spec["limits"].keys()
    node = spec["template"]["spec"]
    assert DURATION.match(node["expireAfter"])
    assert DURATION.match(node["terminationGracePeriod"])
    disruption = spec["disruption"]
    assert disruption["consolidationPolicy"] in ("WhenEmpty", "WhenEmptyOrUnderutilized")
    assert DURATION.match(disruption["consolidateAfter"])
    for budget in disruption["budgets"]:
        assert re.fullmatch(r"100%|[0-9]{1,2}%|[0-9]+", budget["nodes"])
        assert ("schedule" in budget) == ("duration" in budget)
        assert set(budget.get("reasons", [])) <= REASONS
        assert "schedule" not in budget or len(budget["schedule"].split()) == 5


@pytest.mark.parametrize("each", CLASSES, ids=_name)
def test_a_node_class_is_closed_and_encrypted(each: Object) -> None:
    spec = each["spec"]
    assert each["apiVersion"] == "karpenter.k8s.aws/v1"
    assert set(spec) == CLASS_FIELDS
    assert spec["metadataOptions"]["httpTokens"] == "required"
    assert spec["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert [mapping["deviceName"] for mapping in spec["blockDeviceMappings"]] == ["/dev/xvda", "/dev/xvdb"]
    assert all(mapping["ebs"]["encrypted"] for mapping in spec["blockDeviceMappings"])
    assert all(mapping["ebs"]["deleteOnTermination"] for mapping in spec["blockDeviceMappings"])
    (image,) = spec["amiSelectorTerms"]
    assert re.fullmatch(r"(bottlerocket|al2023)@(latest|v\d+\.\d+\.\d+|v\d{8})", image["alias"])


def test_the_overlay_sets_all_that_the_base_leaves_open() -> None:
    assert "set-by-the-overlay" in yaml.safe_dump(base())
    assert "set-by-the-overlay" not in yaml.safe_dump(overlaid())


def test_there_are_gpu_nodes_that_stay_cheap_ones_and_cpu_nodes() -> None:
    kinds = {_name(pool): _requirement(pool, "karpenter.sh/capacity-type") for pool in POOLS}
    assert kinds["recsys-gpu-on-demand"] == ["on-demand"]
    assert kinds["recsys-gpu-spot"] == ["spot"]
    assert "recsys-cpu" in kinds
    weights = {_name(pool): pool["spec"].get("weight", 0) for pool in POOLS}
    assert weights["recsys-gpu-on-demand"] > weights["recsys-gpu-spot"]


def test_pods_that_ask_for_a_pool_find_it() -> None:
    """The chart and the pipelines select nodes by the label that the pools give, and tolerate their taint."""
    labels = {_name(pool): pool["spec"]["template"]["metadata"]["labels"] for pool in POOLS}
    pools = {label[POOL_LABEL] for label in labels.values()}
    eks = values("eks")
    assert {eks[name]["nodeSelector"][POOL_LABEL] for name in ("triton", "gateway", "worker")} <= pools
    (tolerated,) = yaml.safe_load((CHART / "values.yaml").read_text())["triton"]["tolerations"]
    for pool in (pool for pool in POOLS if labels[_name(pool)][POOL_LABEL] == "gpu"):
        (taint,) = pool["spec"]["template"]["spec"]["taints"]
        assert (taint["key"], taint["effect"]) == (tolerated["key"], tolerated["effect"])
        assert int(pool["spec"]["limits"]["nvidia.com/gpu"]) > 0


def test_nothing_is_filled_in_by_a_shell() -> None:
    for path in FOLDER.rglob("*.yaml"):
        assert "${" not in path.read_text(), path


def _requirement(pool: Object, key: str) -> list[str]:
    (found,) = (each for each in pool["spec"]["template"]["spec"]["requirements"] if each["key"] == key)
    return found["values"]
