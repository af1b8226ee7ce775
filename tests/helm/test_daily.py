from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from factories.chart import Object, named

from recsys.kubeflow.arguments import parse_arguments, read_package

_ROOT = Path(__file__).parents[2]
_IR = "/opt/recsys/ir/"


def _submission(args: list[str]) -> dict[str, Any]:
    """The arguments that a submission's command line hands to the pipeline it names."""
    (package,) = (Path(one).name for one in args if one.startswith(_IR))
    given = [args[at + 1] for at, one in enumerate(args) if one == "--argument"]
    assert package == "daily_finetuning.yaml"
    return parse_arguments(read_package(_ROOT / "tests/pipelines/golden" / package), given)


def test_the_nightly_job_submits_the_daily_pipeline_with_arguments_that_it_knows(
    everything: list[Object],
) -> None:
    job = named(everything, "CronJob", "everything-daily")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][:5] == ["python", "-m", "recsys.cli", "pipeline", "submit"]
    assert _submission(container["args"])["store"] == "s3://releases/releases"


def test_the_documented_command_is_one_that_the_pipeline_takes() -> None:
    page = (_ROOT / "docs" / "kubernetes.md").read_text()
    (block,) = re.findall(r"  args: \[(.+?)\]\n", page, flags=re.DOTALL)
    args = [one.strip().strip('"') for one in block.split(",")]
    assert set(_submission(args)) == {"data", "store"}
