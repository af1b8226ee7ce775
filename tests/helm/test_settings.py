"""Every setting can be reached from the values, or is told why not; what the chart sets are settings."""

from __future__ import annotations

import inspect
from typing import Any

import helm_python as helm
import pytest
import yaml
from factories.chart import ROOT, Object, containers, merge, named, pods, render, values
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from recsys.kubeflow.recipe import recipe_of
from recsys.settings import Settings

RENDERED = {
    "profile": "profile",
    "home": "release.home",
    "gpu": "triton.gpus",
    "valkey": "valkey",
    "events": "events",
    "gateway": "gateway",
    "worker": "worker",
    "promotion": "promotion",
    "mlflow": "mlflow",
}
"""Settings that the chart writes itself, and the values that they are made of."""

ENVIRONMENT = {
    "serving": "widths and refreshing: the same for Triton, gateway and promotions",
    "seen": "Triton reads the filter that the worker writes",
    "recents": "Triton reads the clicks that the worker writes",
    "popularity": "gateway and Triton read the lists that the worker writes",
    "trial": "gateways read it, and promotions",
}
"""Settings that `extraEnv` gives to all containers alike, so that readers and writers agree."""

PIPELINE = {
    "training": "recipe",
    "finetune": "recipe",
    "encoders": "recipe",
    "evaluation": "sizes",
    "gate": "floors",
}
"""Settings of Kubeflow's steps, which the chart does not run: arguments of the pipelines."""

STEPS = {"releases": "of the step that publishes", "dask": "of the step that makes features"}
"""Settings of Kubeflow's steps that no argument carries: `recsys pipeline compile --env`."""


def test_every_section_has_its_place() -> None:
    placed = [*RENDERED, *ENVIRONMENT, *PIPELINE, *STEPS]
    assert sorted(placed) == sorted(Settings.model_fields)


def test_the_chart_writes_what_it_is_said_to_write(everything: list[Object]) -> None:
    written = {name.split("__")[0] for name in _rendered(everything)}
    assert written - {"RECSYS_FEAST_REGISTRY"} >= {f"RECSYS_{section.upper()}" for section in RENDERED}


@pytest.mark.parametrize("installation", ["everything", "local", "smallest"])
def test_what_the_chart_writes_are_settings_with_values_that_they_take(
    installations: dict[str, list[Object]], installation: str
) -> None:
    for _, template in pods(installations[installation]):
        for container in containers(template):
            found: dict[str, Any] = {}
            for name, value in _settings(container).items():
                _put(found, name.removeprefix("RECSYS_").lower().split("__"), value)
            settings = Settings(**found)
            for section, given in found.items():
                assert section in settings.model_fields_set
                if isinstance(given, dict):
                    assert given.keys() <= type(getattr(settings, section)).model_fields.keys(), section


def test_settings_for_all_reach_all() -> None:
    """Each leaf of each shared section, as an operator would write it."""
    given = {
        f"RECSYS_{section.upper()}__{field.upper()}": str(default)
        for section in ENVIRONMENT
        for field, default in _defaults(Settings.model_fields[section].default)
        if not field.startswith("index_")  # which the chart writes itself
    }
    assert given
    extra = [{"name": name, "value": value} for name, value in given.items()]
    chosen = merge(values("everything"), {"extraEnv": [*values("everything")["extraEnv"], *extra]})
    chosen["triton"] |= {"env": [], "onnxBackend": False}  # a component's own setting wins over everybody's
    seen = 0
    for owner, template in pods(render(chosen)):
        for container in containers(template):
            if container["name"] not in ("valkey", "room"):
                assert given.items() <= _settings(container).items(), (owner, container["name"])
                seen += 1
    assert seen >= 8


def test_what_pipelines_are_told_are_their_arguments() -> None:
    from pipelines.daily_finetuning import daily_finetuning
    from pipelines.full_training import full_training

    for pipeline in (full_training, daily_finetuning):
        offered = inspect.signature(pipeline.pipeline_func).parameters
        assert set(PIPELINE.values()) <= offered.keys()
    recipe = recipe_of(Settings())
    assert {section for section, argument in PIPELINE.items() if argument == "recipe"} <= recipe.keys()


def test_a_misspelt_setting_is_refused() -> None:
    for path in (("extraEnv",), ("triton", "env"), ("gateway", "env"), ("worker", "env")):
        wrong: Any = [{"name": "RECSYS_SERVNG__RANKED", "value": "200"}]
        for key in reversed(path):
            wrong = {key: wrong}
        with pytest.raises(helm.HelmValuesError, match="RECSYS_SERVNG__RANKED"):
            render(merge(values("smallest"), wrong))


def test_the_schema_knows_every_section() -> None:
    schema = yaml.safe_load((ROOT / "helm/recsys/values.schema.json").read_text())
    _, ours = schema["definitions"]["env"]["items"]["properties"]["name"]["anyOf"]
    head, _, sections = ours["pattern"].partition("(")
    assert head == "^RECSYS_"
    single = {name for name, field in Settings.model_fields.items() if not _is_section(field.annotation)}
    wanted = {name.upper() if name in single else f"{name.upper()}__" for name in Settings.model_fields}
    assert set(sections.rstrip("$)").split("|")) == wanted | {"FEAST_", "KFP_ENDPOINT"}


def test_mlflow_is_told_by_promotions_alone(everything: list[Object]) -> None:
    told = [
        owner
        for owner, template in pods(everything)
        for container in containers(template)
        if "RECSYS_MLFLOW__URI" in _settings(container)
    ]
    assert told == ["Job/everything-promote-7-1"]
    job = named(everything, "Job", "everything-promote-7-1")["spec"]["template"]
    (container,) = containers(job)
    assert container["envFrom"] == [{"secretRef": {"name": "mlflow"}}]
    egress = named(everything, "NetworkPolicy", "everything-promotion")["spec"]["egress"][-1]
    assert egress["ports"] == [{"protocol": "TCP", "port": 5000}]
    assert egress["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "tracking"}


def test_a_key_of_mlflow_comes_from_a_secret_and_its_port_from_its_url() -> None:
    outside = merge(values("everything"), {"mlflow": {"uri": "https://mlflow.example/", "namespace": ""}})
    egress = named(render(outside), "NetworkPolicy", "everything-promotion")["spec"]["egress"][-1]
    assert egress["ports"] == [{"protocol": "TCP", "port": 443}]
    assert "169.254.169.254/32" in egress["to"][0]["ipBlock"]["except"]


def _rendered(objects: list[Object]) -> set[str]:
    return {name for _, pod in pods(objects) for one in containers(pod) for name in _settings(one)}


def _settings(container: Object) -> dict[str, str]:
    """What a container's environment says of settings; what Secrets and fields hold is made up."""
    made_up = {"RECSYS_VALKEY__URL": "redis://valkey:6379/0"}
    return {
        each["name"]: each.get("value", made_up.get(each["name"], "from elsewhere"))
        for each in container.get("env", [])
        if each["name"].startswith("RECSYS_") and not each["name"].startswith("RECSYS_FEAST_")
    }


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def _defaults(section: BaseModel) -> list[tuple[str, Any]]:
    fields = type(section).model_fields
    return [(name, one.default) for name, one in fields.items() if one.default is not PydanticUndefined]


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
