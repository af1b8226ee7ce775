"""checkov over the rendered chart, where it is installed; it wants an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from factories.chart import ROOT, Object

FIX = "is not on PATH: python3 -m venv ~/lint; ~/lint/bin/pip install checkov; PATH=~/lint/bin:$PATH"
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


@pytest.mark.skipif(shutil.which("checkov") is None, reason=f"checkov {FIX}")
def test_checkov_finds_nothing_unexplained(everything: list[Object], tmp_path: Path) -> None:
    plain = [each for each in everything if "monitoring.coreos.com" not in each["apiVersion"]]
    (tmp_path / "chart.yaml").write_text(yaml.safe_dump_all(plain))
    options = ["--framework", "kubernetes", "--quiet", "--compact", "--skip-download"]
    done = subprocess.run(
        ["checkov", "--file", str(tmp_path / "chart.yaml"), *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )
    found = set(re.findall(r"^Check: (CKV\w+)", done.stdout, re.MULTILINE))
    assert "Passed checks" in done.stdout, done.stderr
    assert found == EXPLAINED.keys()


def test_each_exception_is_explained_to_users() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    assert [check for check in EXPLAINED if f"`{check}`" not in page] == []
