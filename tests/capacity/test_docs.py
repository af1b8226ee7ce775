"""What docs/capacity.md shows can be used as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from recsys.capacity.fleet import Nodes
from recsys.capacity.profile import ServiceProfile

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/capacity.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_profile_by_hand_is_one() -> None:
    (block,) = _blocks("json")
    assert ServiceProfile.model_validate_json(block).capacity_rps == pytest.approx(120, rel=0.02)


def test_empty_nodes_go_as_karpenter_is_told() -> None:
    for path in (ROOT / "karpenter/base").glob("nodepool-gpu-*.yaml"):
        pool = yaml.safe_load(path.read_text())["spec"]["disruption"]
        assert pool["consolidateAfter"] == f"{Nodes().consolidate_after_s / 60:g}m", path.name
    assert "empty nodes go after ten\n  minutes" in TEXT
