"""The chart rendered by the real Helm engine, and what tests ask of the result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "recsys"
VALUES = ROOT / "tests" / "helm" / "values"

Object = dict[str, Any]

FILES: dict[str, list[Path]] = {
    "local": [CHART / "values-local.yaml"],
    "eks": [CHART / "values-eks.yaml", VALUES / "eks-account.yaml"],
    "smallest": [VALUES / "smallest.yaml"],
    "everything": [CHART / "values-eks.yaml", VALUES / "eks-account.yaml", VALUES / "everything.yaml"],
    "nothing-optional": [VALUES / "nothing-optional.yaml"],
}
"""Installations by name: the values files of each, later ones on top."""


def values(name: str) -> Object:
    """The values of an installation, as `helm -f … -f …` merges them."""
    merged: Object = {}
    for path in FILES[name]:
        merged = merge(merged, yaml.safe_load(path.read_text()))
    return merged


def merge(under: Object, over: Object) -> Object:
    """Maps merged, everything else replaced."""
    both = {
        key: merge(under[key], over[key]) for key in under.keys() & over.keys() if _maps(under, over, key)
    }
    return {**under, **over, **both}


def render(chosen: Object, name: str = "shop") -> list[Object]:
    """Every object of an installation.

    Raises:
        helm.HelmError: The values are refused.
    """
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(chosen)
        texts = chart.render(chosen, name=name, namespace="shop")
    documents = (yaml.safe_load_all(text) for path, text in texts.items() if path.endswith(".yaml"))
    return [each for found in documents for each in found if each]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (found,) = (each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Every pod template: its owner's kind and name, and the pod's spec with its metadata."""
    for each in objects:
        owner = each
        if each["kind"] == "CronJob":
            owner = each["spec"]["jobTemplate"]
        template = owner.get("spec", {}).get("template")
        if template and "containers" in template.get("spec", {}):
            yield f"{each['kind']}/{each['metadata']['name']}", template


def containers(template: Object) -> list[Object]:
    """Containers and init containers of a pod."""
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def _maps(under: Object, over: Object, key: str) -> bool:
    return isinstance(under[key], dict) and isinstance(over[key], dict)
