"""What the chart takes, and what it refuses in words that say what to do."""

from __future__ import annotations

from typing import Any

import helm_python as helm
import pytest
import yaml
from factories.chart import CHART, FILES, merge, render, values

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"release": {"source": ""}}, "/release/source"),
    ({"release": {"source": "<s3://bucket/releases>"}}, "/release/source"),
    ({"release": {"source": "gs://shop/releases"}}, "/release/source"),
    ({"release": {"number": -1}}, "/release/number"),
    ({"tritton": {}}, "tritton"),
    ({"triton": {"replica": 3}}, "replica"),
    ({"triton": {"gpus": "one"}}, "/triton/gpus"),
    ({"triton": {"image": {"digest": "sha256:abc"}}}, "/triton/image/digest"),
    ({"triton": {"resources": {"requests": {"cpu": "many"}}}}, "/triton/resources/requests/cpu"),
    ({"triton": {"drainSeconds": 2}}, "outlast the longest request"),
    ({"triton": {"autoscaling": {"queueMilliseconds": 0}}}, "queueMilliseconds"),
    ({"triton": {"autoscaling": {"minReplicas": 9}}}, "minReplicas"),
    ({"triton": {"autoscaling": {"busyPercent": 100}}}, "/triton/autoscaling/busyPercent"),
    ({"triton": {"headroom": -1}}, "/triton/headroom"),
    ({"promotion": {"release": 7}}, "promotion.enabled"),
    ({"indexParts": {"count": 2}}, "indexParts.count"),
    ({"indexParts": {"silence": "none"}}, "/indexParts/silence"),
    ({"promotion": {"enabled": True}, "release": {"number": 7}}, "release.number"),
    ({"events": {"log": "kafka"}}, "/events/log"),
    ({"events": {"log": "sqs"}}, "events.queueUrl"),
    ({"events": {"queueUrl": "<url>"}}, "/events/queueUrl"),
    ({"gateway": {"keys": {"existingSecret": ""}}}, "gateway.keys.existingSecret"),
    ({"gateway": {"service": {"type": "NodePort"}}}, "/gateway/service/type"),
    ({"gateway": {"ingress": {"enabled": True}}}, "gateway.ingress.host"),
    ({"valkey": {"existingSecret": ""}}, "valkey.existingSecret"),
    ({"valkey": {"external": {"cidrs": ["anywhere"]}}}, "/valkey/external/cidrs/0"),
    ({"valkey": {"external": {"cidrs": []}}}, "valkey.external.cidrs"),
    ({"valkey": {"inCluster": {"enabled": True, "password": ""}, "existingSecret": ""}}, "password"),
    ({"daily": {"enabled": True}}, "daily.args"),
    ({"precompute": {"schedule": "nightly"}}, "/precompute/schedule"),
    ({"daily": {"schedule": "daily"}}, "/daily/schedule"),
    ({"extraEnv": [{"name": "1X", "value": "a"}]}, "/extraEnv/0/name"),
    ({"extraEnv": [{"name": "BUCKET", "value": "<bucket>"}]}, "/extraEnv/0/value"),
    ({"tracing": {"endpoint": "collector"}}, "/tracing/endpoint"),
    ({"tracing": {"oneIn": 0}}, "/tracing/oneIn"),
    ({"profile": "gke"}, "/profile"),
]


def test_lint_finds_nothing_to_correct() -> None:
    for name in FILES:
        report = helm.lint(CHART, values(name), strict=True, kube_version="v1.31.0")
        assert [each for each in report["messages"] if each["severity"] > 1] == [], name


@pytest.mark.parametrize(("wrong", "named"), REFUSED, ids=[named for _, named in REFUSED])
def test_wrong_values_are_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(helm.HelmError) as caught:
        render(merge(values("smallest"), wrong))
    assert named in str(caught.value).replace("'", "").replace("[", "/").replace("]", "")


def test_eks_values_are_refused_until_the_account_is_filled_in() -> None:
    with pytest.raises(helm.HelmValuesError, match="release/source"):
        render(yaml.safe_load((CHART / "values-eks.yaml").read_text()))


def test_every_value_is_explained() -> None:
    for number, line in enumerate((CHART / "values.yaml").read_text().splitlines(), start=1):
        key, _, rest = line.partition(":")
        is_setting = key.strip() and not key.strip().startswith(("#", "-")) and rest.strip()
        plain = (
            key.strip() in EVIDENT
            or rest.strip().startswith("{ cpu:")
            or rest.strip().startswith("{ memory:")
        )
        assert not is_setting or "#" in line or plain, f"values.yaml:{number} says not what it is: {line}"


EVIDENT = {
    *("image", "nodeSelector", "tolerations", "affinity", "topologySpread", "podAnnotations", "annotations"),
    *("enabled", "pdb", "minReplicas", "maxReplicas", "scaleUp", "scaleDown", "storage", "backoffLimit"),
    *("activeDeadlineSeconds",),
}


def test_every_value_is_in_the_schema_with_the_defaults_it_has() -> None:
    with helm.Chart.load(CHART) as chart:
        schema, defaults = chart.schema, chart.values
    assert schema is not None
    assert _unknown(defaults, schema) == []


def _unknown(found: dict[str, Any], schema: dict[str, Any], path: str = "") -> list[str]:
    if "properties" not in schema:
        return []
    missing = [f"{path}/{key}" for key in found if key not in schema["properties"]]
    for key, value in found.items():
        if isinstance(value, dict) and key in schema["properties"]:
            missing += _unknown(value, schema["properties"][key], f"{path}/{key}")
    return missing
