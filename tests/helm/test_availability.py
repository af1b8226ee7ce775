"""Probes, draining, spreading and scaling."""

from __future__ import annotations

from factories.chart import Object, containers, named, pods


def test_every_server_has_its_three_probes(objects: list[Object]) -> None:
    for owner, template in pods(objects):
        # A placeholder of head-room serves nothing.
        if owner.startswith(("Deployment", "StatefulSet")) and not owner.endswith("headroom"):
            (server,) = template["spec"]["containers"]
            wanted = {"startupProbe", "livenessProbe"}
            # Nothing is sent to a worker, so it cannot be unready.
            wanted |= set() if owner.endswith("worker") else {"readinessProbe"}
            assert wanted <= server.keys(), owner


def test_readiness_does_not_ask_for_what_can_be_done_without(objects: list[Object]) -> None:
    paths = {
        container["name"]: container["readinessProbe"]["httpGet"]["path"]
        for _, template in pods(objects)
        for container in template["spec"]["containers"]
        if "httpGet" in container.get("readinessProbe", {})
    }
    wanted = {"triton": "/v2/health/ready", "gateway": "/readyz"}
    in_parts = {"index-part": "/v2/health/ready"} if "index-part" in paths else {}
    assert paths == wanted | in_parts


def test_a_stopping_pod_outlasts_its_requests(objects: list[Object]) -> None:
    for _, template in pods(objects):
        for container in template["spec"]["containers"]:
            if "lifecycle" in container:
                drain = container["lifecycle"]["preStop"]["sleep"]["seconds"]
                assert drain > 2, "the longest request"
                assert template["spec"]["terminationGracePeriodSeconds"] > drain


def test_triton_may_finish_after_the_drain(everything: list[Object]) -> None:
    template = named(everything, "Deployment", "everything-triton")["spec"]["template"]
    (triton,) = template["spec"]["containers"]
    exit_s = int(next(arg for arg in triton["args"] if "exit-timeout" in arg).partition("=")[2])
    drain = triton["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert template["spec"]["terminationGracePeriodSeconds"] > drain + exit_s


def test_no_replica_goes_before_another_is_ready(everything: list[Object]) -> None:
    for name in ("triton", "gateway"):
        strategy = named(everything, "Deployment", f"everything-{name}")["spec"]["strategy"]
        assert strategy["rollingUpdate"]["maxUnavailable"] == 0


def test_replicas_spread_over_zones_and_nodes(everything: list[Object]) -> None:
    for name in ("triton", "gateway", "worker"):
        spec = named(everything, "Deployment", f"everything-{name}")["spec"]
        spread = spec["template"]["spec"]["topologySpreadConstraints"]
        assert {each["topologyKey"] for each in spread} == {
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        }
        assert all(each["labelSelector"]["matchLabels"] == spec["selector"]["matchLabels"] for each in spread)


def test_an_autoscaled_deployment_states_no_replicas(objects: list[Object]) -> None:
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]
        for each in objects
        if each["kind"] == "HorizontalPodAutoscaler"
    }
    for each in (each for each in objects if each["kind"] == "Deployment"):
        # Otherwise each upgrade would throw the autoscaler's number away.
        assert ("replicas" in each["spec"]) == (each["metadata"]["name"] not in scaled)


def test_scaling_is_fast_up_and_slow_down(everything: list[Object]) -> None:
    for each in (each for each in everything if each["kind"] == "HorizontalPodAutoscaler"):
        up, down = each["spec"]["behavior"]["scaleUp"], each["spec"]["behavior"]["scaleDown"]
        assert up["stabilizationWindowSeconds"] == 0
        assert up["selectPolicy"] == "Max"
        assert down["stabilizationWindowSeconds"] >= 300
        assert down["policies"] == [
            {"type": "Pods", "value": 1, "periodSeconds": down["policies"][0]["periodSeconds"]}
        ]


def test_triton_scales_on_queue_and_load(everything: list[Object]) -> None:
    queue, load = named(everything, "HorizontalPodAutoscaler", "everything-triton")["spec"]["metrics"]
    assert queue["object"]["metric"]["name"] == "recsys_ensemble_queue_ms"
    assert queue["object"]["describedObject"] == {
        "apiVersion": "v1",
        "kind": "Service",
        "name": "everything-triton",
    }
    assert queue["object"]["target"]["type"] == "Value"
    assert load["object"]["metric"]["name"] == "recsys_triton_busy"
    assert load["object"]["describedObject"]["name"] == "everything-triton"
    assert load["object"]["target"] == {"type": "Value", "value": "700m"}


def test_headroom_asks_for_what_a_replica_asks_for_and_gives_way(everything: list[Object]) -> None:
    deployment = named(everything, "Deployment", "everything-headroom")
    (priority,) = (each for each in everything if each["kind"] == "PriorityClass")
    room, replica = deployment["spec"], named(everything, "Deployment", "everything-triton")["spec"]
    assert room["replicas"] == 2
    assert priority["value"] < 0
    assert room["template"]["spec"]["priorityClassName"] == priority["metadata"]["name"]
    (placeholder,), (triton,) = (each["template"]["spec"]["containers"] for each in (room, replica))
    assert placeholder["resources"] == triton["resources"]
    assert placeholder["image"] == triton["image"]
    for placed in ("nodeSelector", "tolerations", "affinity"):
        assert room["template"]["spec"][placed] == replica["template"]["spec"][placed]


def test_no_headroom_is_kept_unless_it_is_asked_for(installations: dict[str, list[Object]]) -> None:
    kinds = {each["kind"] for each in installations["eks"]}
    assert "PriorityClass" not in kinds


def test_gpus_are_asked_for_where_there_are_any(installations: dict[str, list[Object]]) -> None:
    for name, objects in installations.items():
        (triton,) = (
            one for _, template in pods(objects) for one in containers(template) if one["name"] == "triton"
        )
        asked = {kind: triton["resources"][kind].get("nvidia.com/gpu") for kind in ("requests", "limits")}
        wanted = None if name in ("local", "nothing-optional") else 1
        assert asked == {"requests": wanted, "limits": wanted}
        assert {"name": "RECSYS_GPU", "value": str(wanted == 1).lower()} in triton["env"]


def test_the_gateway_meets_every_triton_pod(everything: list[Object]) -> None:
    (gateway,) = named(everything, "Deployment", "everything-gateway")["spec"]["template"]["spec"][
        "containers"
    ]
    address = next(each["value"] for each in gateway["env"] if each["name"] == "RECSYS_GATEWAY__TRITON")
    assert address == "dns:///everything-triton.shop.svc:8001"  # the headless service: one address a pod
    (triton,) = named(everything, "Deployment", "everything-triton")["spec"]["template"]["spec"]["containers"]
    assert "--grpc-max-connection-age=60000" in triton["args"]  # or new pods would never be met
