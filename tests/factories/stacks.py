"""CloudFormation templates, parsed without a library that knows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

INFRA = Path(__file__).parents[2] / "infra"
STACKS = ("buckets", "cache", "events", "features", "images", "roles")


class _Loader(yaml.SafeLoader):
    """Reads !Ref, !Sub, !GetAtt and the like as the one-key objects that they stand for."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tagged)


def load_stack(name: str) -> dict[str, Any]:
    return yaml.load((INFRA / f"{name}.yaml").read_text(), _Loader)  # a SafeLoader


def resources(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of a stack's resources of one type, by logical name."""
    found = load_stack(name)["Resources"].items()
    return {logical: one.get("Properties", {}) for logical, one in found if one["Type"] == kind}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy statement of every stack, with the place it stands at; trust policies included."""
    for name in STACKS:
        for logical, one in load_stack(name)["Resources"].items():
            for key in ("PolicyDocument", "AssumeRolePolicyDocument"):
                document = one.get("Properties", {}).get(key)
                if isinstance(document, dict) and "Fn::Sub" in document:
                    document = json.loads(document["Fn::Sub"])
                for statement in (document or {}).get("Statement", ()):
                    yield f"{name}.{logical}", statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A string as it stands in the template, its function left away."""
    return next(iter(value.values())) if isinstance(value, dict) else value
