"""Every PromQL expression of the chart, and the metrics that they name."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from factories.chart import CHART, ROOT

FILES = CHART / "files"
ADAPTER = ROOT / "helm" / "prometheus-adapter.yaml"

_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OURS = re.compile(r"^(nv_|recsys)")


def rules(name: str) -> list[dict[str, Any]]:
    """The rules of files/<name>.yaml."""
    return [
        rule
        for group in yaml.safe_load((FILES / f"{name}.yaml").read_text())["groups"]
        for rule in group["rules"]
    ]


def adapter_rules() -> list[dict[str, Any]]:
    """What prometheus-adapter is told to offer."""
    found: list[dict[str, Any]] = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    return found


def expressions() -> dict[str, str]:
    """Every expression by where it stands."""
    found = {f"recording rule {rule['record']}": rule["expr"] for rule in rules("recording")}
    found |= {f"alert {rule['alert']}": rule["expr"] for rule in rules("alerts")}
    found |= {f"adapter {rule['name']['as']}": rule["seriesQuery"] for rule in adapter_rules()}
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    return found


def metrics(expression: str) -> set[str]:
    """The project's and Triton's metrics that an expression names; label values are not looked at."""
    plain = re.sub(r'(?<!__name__=)"[^"]*"', '""', expression)
    return {word for word in _WORD.findall(plain) if _OURS.match(word) and not word.endswith(":")}
