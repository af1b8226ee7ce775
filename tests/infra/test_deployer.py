from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml
from factories.api_discovery import KINDS
from factories.chart import render, values
from factories.stacks import INFRA

ROLE, BINDING = yaml.safe_load_all((INFRA / "deployer.yaml").read_text())
PLURAL = {kind: (version.rpartition("/")[0], plural) for version, plurals in KINDS.items()
          for plural, kind in plurals.items()}  # fmt: skip
WRITE = {"get", "list", "create", "patch", "delete"}


@pytest.mark.parametrize("each", [ROLE, BINDING], ids=lambda each: each["kind"])
def test_it_is_valid(each: dict[str, Any]) -> None:
    for version in ("1.31", "1.35"):
        kubernetes_validate.validate(each, version, strict=True)


def test_it_may_change_what_the_chart_installs_and_nothing_else() -> None:
    written = {
        (group, resource)
        for rule in ROLE["rules"]
        if set(rule["verbs"]) >= WRITE
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    installed = {PLURAL[each["kind"]] for name in ("eks", "everything") for each in render(values(name))}
    needed = installed - {("scheduling.k8s.io", "priorityclasses")}  # of head-room: an administrator's
    assert written == needed


def test_no_rule_has_a_wildcard_or_reaches_other_namespaces() -> None:
    assert ROLE["metadata"]["namespace"] == BINDING["metadata"]["namespace"] == "recsys"
    for rule in ROLE["rules"]:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    assert not {"roles", "rolebindings"} & {one for rule in ROLE["rules"] for one in rule["resources"]}
    (subject,) = BINDING["subjects"]
    assert (subject["namespace"], subject["name"]) == ("kubeflow", "pipeline-runner")
    assert BINDING["roleRef"]["name"] == ROLE["metadata"]["name"]
