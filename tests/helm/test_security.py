"""Least privilege: the pods' own, what is exposed, who may talk to whom."""

from __future__ import annotations

import re
from typing import Any

from factories.chart import Object, containers, merge, named, pods, render, values

ALLOWED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
SECRET_WORDS = re.compile(r"password|key|token|secret", re.IGNORECASE)


def test_pods_meet_the_restricted_standard(objects: list[Object]) -> None:
    """Every control of the Pod Security Standards' restricted profile."""
    for owner, template in pods(objects):
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), owner
        assert spec["securityContext"]["runAsNonRoot"] is True, owner
        assert spec["securityContext"]["runAsUser"] == 1000, owner
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", owner
        assert not {"sysctls", "seLinuxOptions", "windowsOptions"} & spec["securityContext"].keys(), owner
        for volume in spec.get("volumes", []):
            assert len(volume.keys() - {"name"} - ALLOWED_VOLUMES) == 0, (owner, volume)
        for container in containers(template):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, owner
            assert security["capabilities"] == {"drop": ["ALL"]}, owner
            assert "privileged" not in security, owner
            assert security.get("runAsUser", 1000) != 0, owner
            assert not any("hostPort" in port for port in container.get("ports", [])), owner


def test_more_than_the_standard_asks(objects: list[Object]) -> None:
    for owner, template in pods(objects):
        assert template["spec"]["automountServiceAccountToken"] is False, owner
        for container in containers(template):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, owner
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), owner
            assert "memory" in container["resources"]["limits"], owner
            assert not container["image"].endswith(":latest"), owner
            command = " ".join([*container.get("command", []), *container.get("args", [])])
            assert not re.search(r"\b(sh|bash)\b", command), f"{owner} runs a shell: {command}"


def test_every_volume_has_a_bound(objects: list[Object]) -> None:
    for owner, template in pods(objects):
        for volume in template["spec"].get("volumes", []):
            assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": "none needed"}), (
                owner,
                volume["name"],
            )


def test_nobody_may_talk_to_the_api_server(objects: list[Object]) -> None:
    kinds = {each["kind"] for each in objects}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}


def test_only_the_gateway_can_be_exposed(objects: list[Object]) -> None:
    for each in (each for each in objects if each["kind"] in ("Service", "Ingress")):
        component = each["metadata"]["labels"]["app.kubernetes.io/component"]
        if each["kind"] == "Ingress" or each["spec"]["type"] != "ClusterIP":
            assert component == "gateway"
    services = [each for each in objects if each["kind"] == "Service"]
    inner = [
        each for each in services if each["metadata"]["labels"]["app.kubernetes.io/component"] != "gateway"
    ]
    assert all(each["spec"]["clusterIP"] == "None" for each in inner)


def test_probes_and_metrics_are_not_behind_the_ingress(everything: list[Object]) -> None:
    (rule,) = named(everything, "Ingress", "everything-gateway")["spec"]["rules"]
    assert {path["path"] for path in rule["http"]["paths"]} == {"/v1", "/openapi.json"}


def test_model_control_asks_for_a_key(objects: list[Object]) -> None:
    triton = _container(objects, "triton")
    for flag in ("--http-restricted-api=", "--grpc-restricted-protocol="):
        (restriction,) = (arg for arg in triton["args"] if arg.startswith(flag))
        assert "model-repository" in restriction
        assert restriction.endswith(":admin-key=$(TRITON_ADMIN_KEY)")
    (key,) = (each for each in triton["env"] if each["name"] == "TRITON_ADMIN_KEY")
    assert "secretKeyRef" in key["valueFrom"]


def test_no_secret_stands_in_an_environment(objects: list[Object]) -> None:
    for owner, template in pods(objects):
        for container in containers(template):
            for variable in container.get("env", []):
                if "value" in variable and SECRET_WORDS.search(variable["name"]):
                    is_path, is_reference = variable["value"].startswith("/"), "$(" in variable["value"]
                    assert is_path or is_reference, (owner, variable)


def test_the_admin_key_is_random() -> None:
    first, second = (
        named(render(values("smallest")), "Secret", "shop-recsys-triton-admin") for _ in range(2)
    )
    assert first["data"]["key"] != second["data"]["key"]


def test_everything_is_denied_first(everything: list[Object]) -> None:
    deny = named(everything, "NetworkPolicy", "everything-default-deny")["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    for _, template in pods(everything):
        assert deny["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (names,) = deny["egress"]
    assert {port["port"] for port in names["ports"]} == {53}


def test_triton_hears_those_who_ask_prometheus_and_promotions_only(everything: list[Object]) -> None:
    rules = named(everything, "NetworkPolicy", "everything-triton")["spec"]["ingress"]
    heard = {(port["port"], _who(peer)) for rule in rules for port in rule["ports"] for peer in rule["from"]}
    assert heard == {
        ("grpc", "gateway"),
        ("grpc", "precompute"),
        ("http", "promotion"),
        ("grpc", "promotion"),
        ("agent", "promotion"),
        ("metrics", "namespace"),
    }


def test_the_index_s_servers_hear_the_ensemble_prometheus_and_promotions_only(
    everything: list[Object],
) -> None:
    rules = named(everything, "NetworkPolicy", "everything-index")["spec"]["ingress"]
    heard = {(port["port"], _who(peer)) for rule in rules for port in rule["ports"] for peer in rule["from"]}
    assert heard == {
        ("grpc", "triton"),
        ("http", "promotion"),
        ("grpc", "promotion"),
        ("agent", "promotion"),
        ("metrics", "namespace"),
    }
    to_them = {
        each["metadata"]["name"]: {port["port"] for port in rule["ports"]}
        for each in everything
        if each["kind"] == "NetworkPolicy"
        for rule in each["spec"].get("egress", [])
        if [_who(peer) for peer in rule["to"]] == ["index"]
    }
    assert to_them == {"everything-triton-to-index": {8001}, "everything-promotion": {8000, 8001, 8003}}


def test_the_metadata_service_is_out_of_reach(everything: list[Object]) -> None:
    for policy in (each for each in everything if each["kind"] == "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                block: dict[str, Any] = peer.get("ipBlock", {})
                assert block.get("cidr") != "0.0.0.0/0" or "169.254.169.254/32" in block["except"]


def test_only_named_callers_reach_the_gateway_when_they_are_named(everything: list[Object]) -> None:
    rule, agents = named(everything, "NetworkPolicy", "everything-gateway")["spec"]["ingress"]
    assert len(rule["from"]) == 2  # the shop's namespace and Prometheus
    assert [_who(peer) for peer in agents["from"]] == ["promotion"]
    open_to_all = render(merge(values("smallest"), {}))
    (rule,) = named(open_to_all, "NetworkPolicy", "shop-recsys-gateway")["spec"]["ingress"]
    assert "from" not in rule


def _container(objects: list[Object], name: str) -> Object:
    (found,) = (one for _, template in pods(objects) for one in containers(template) if one["name"] == name)
    return found


def _who(peer: Object) -> str:
    """Component of the pods that a rule lets in, or that it is a namespace."""
    labels = peer.get("podSelector", {}).get("matchLabels", {})
    return labels.get("app.kubernetes.io/component", "namespace")
