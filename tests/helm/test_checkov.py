"""checkov over the rendered chart, where it is installed."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from factories.chart import ROOT, Object
from factories.linters import checkov, needs

EXPLAINED = {
    "CKV_K8S_21": "objects carry no namespace: Helm puts them where the installation is",
    "CKV_K8S_40": "user 1000 is the images' own, and what volumes are given to",
    "CKV_K8S_35": "a key in a file would have to be read by Triton, which takes it as an argument only",
    "CKV_K8S_11": "no CPU limit: throttling lengthens the slowest answers; the request is guaranteed",
    "CKV_K8S_43": "digests are the installer's to give (image.digest); tags are never `latest`",
    "CKV_K8S_15": "tags never change, so an image that is there is the image",
    "CKV_K8S_8": "a placeholder of head-room serves nothing that could fail",
    "CKV_K8S_9": "nothing is sent to a worker, so it cannot be unready",
}


@needs("checkov")
def test_checkov_finds_nothing_unexplained(everything: list[Object], tmp_path: Path) -> None:
    plain = [each for each in everything if "monitoring.coreos.com" not in each["apiVersion"]]
    (tmp_path / "chart.yaml").write_text(yaml.safe_dump_all(plain))
    done = checkov("kubernetes", "--file", tmp_path / "chart.yaml")
    found = set(re.findall(r"^Check: (CKV\w+)", done.stdout, re.MULTILINE))
    assert "Passed checks" in done.stdout, done.stderr
    assert found == EXPLAINED.keys()


def test_each_exception_is_explained_to_users() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    assert [check for check in EXPLAINED if f"`{check}`" not in page] == []
