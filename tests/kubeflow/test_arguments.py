from __future__ import annotations

import pytest

from recsys.errors import BadData, BadUse
from recsys.kubeflow.arguments import parse_arguments, read_package

PACKAGE = {
    "pipeline_spec": {
        "pipelineInfo": {"name": "p"},
        "root": {
            "inputDefinitions": {
                "parameters": {
                    "data": {"parameterType": "STRING"},
                    "days": {"parameterType": "LIST", "isOptional": True},
                    "recipe": {"parameterType": "STRUCT", "isOptional": True},
                    "epochs": {"parameterType": "NUMBER_INTEGER", "isOptional": True},
                    "masked": {"parameterType": "BOOLEAN", "isOptional": True},
                }
            }
        },
    }
}


def test_values_have_the_pipelines_types() -> None:
    given = ["data=s3://b/k=v", "days=[1, 2]", 'recipe={"seed": 1}', "epochs=3", "masked=true"]
    assert parse_arguments(PACKAGE, given) == {
        "data": "s3://b/k=v",
        "days": [1, 2],
        "recipe": {"seed": 1},
        "epochs": 3,
        "masked": True,
    }


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], "data is missing"),
        (["data=x", "dayz=[1]"], "dayz"),
        (["data"], "name=value"),
        (["data=x", "epochs=three"], "NUMBER_INTEGER"),
        (["data=x", "epochs=true"], "NUMBER_INTEGER"),
        (["data=x", "days={}"], "LIST"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_sent(given: list[str], named: str) -> None:
    with pytest.raises(BadUse) as raised:
        parse_arguments(PACKAGE, given)
    assert named in str(raised.value)


@pytest.mark.parametrize("text", ["{", "", "a: 1", "- 1\n"])
def test_a_file_that_is_no_pipeline_is_named(tmp_path, text: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)
    with pytest.raises(BadData, match=r"pipeline\.yaml"):
        read_package(path)


def test_platform_spec_is_kept(tmp_path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("pipelineInfo: {name: p}\n---\nplatforms: {kubernetes: {}}\n")
    assert read_package(path) == {
        "pipeline_spec": {"pipelineInfo": {"name": "p"}},
        "platform_spec": {"platforms": {"kubernetes": {}}},
    }
