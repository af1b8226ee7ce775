from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml
from factories.stacks import INFRA

CLUSTER = yaml.safe_load((INFRA / "cluster.yaml").read_text())


def test_the_api_server_is_closed_until_someone_says_for_whom() -> None:
    assert CLUSTER["vpc"]["publicAccessCIDRs"] == []  # eks-up refuses until it is filled in
    assert CLUSTER["vpc"]["clusterEndpoints"]["privateAccess"] is True


def test_nodes_are_private_encrypted_and_without_the_old_metadata_service() -> None:
    assert CLUSTER["iam"]["withOIDC"] is True
    for group in CLUSTER["managedNodeGroups"]:
        assert group["volumeEncrypted"] and group["privateNetworking"] and group["disableIMDSv1"]


def test_names_agree() -> None:
    name = CLUSTER["metadata"]["name"]
    assert CLUSTER["metadata"]["tags"] == {"karpenter.sh/discovery": name}
    assert yaml.safe_load((INFRA / "namespace.yaml").read_text())["metadata"]["name"] == name


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not on PATH. Install it: it holds kustomize"
)
def test_karpenters_pools_are_this_clusters() -> None:
    command = ["kubectl", "kustomize", str(INFRA / "nodes")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    objects = list(yaml.safe_load_all(done.stdout))
    assert {one["kind"] for one in objects} >= {"NodePool", "EC2NodeClass"}
    name = CLUSTER["metadata"]["name"]
    for spec in (one["spec"] for one in objects if one["kind"] == "EC2NodeClass"):
        assert spec["role"] == f"eksctl-KarpenterNodeRole-{name}"
        for terms in (spec["subnetSelectorTerms"], spec["securityGroupSelectorTerms"]):
            assert terms == [{"tags": {"karpenter.sh/discovery": name}}]
    assert "set-by-the-overlay" not in done.stdout
