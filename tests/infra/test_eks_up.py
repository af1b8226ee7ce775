from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from factories.stacks import STACKS

ROOT = Path(__file__).parents[2]
PASSWORD = "s3cretOfTheTest"  # as the stand-in for Secrets Manager tells it


def _place(calls: list[str], part: str) -> int:
    return next(place for place, call in enumerate(calls) if part in call)


def test_everything_in_an_order_that_works(workplace) -> None:
    done = workplace.run("eks-up", "--yes")
    assert done.code == 0, done.err
    order = [
        "--stack-name recsys-buckets",
        "--stack-name recsys-features",
        "eksctl create cluster",
        "eks update-kubeconfig",
        "--stack-name recsys-cache",
        "--stack-name recsys-roles",
        "helm upgrade --install kube-prometheus-stack",
        "helm upgrade --install prometheus-adapter",
        "kubectl apply -k infra/nodes",
        "kubectl apply -f infra/namespace.yaml",
        "kubectl create secret generic recsys-valkey",
    ]
    places = [_place(done.calls, part) for part in order]
    assert places == sorted(places)
    roles = done.calls[_place(done.calls, "--stack-name recsys-roles")]
    assert "OidcProvider=arn:aws:iam::123456789012:oidc-provider/oidc.test/id/1" in roles
    assert "OidcIssuer=oidc.test/id/1" in roles
    assert "DataBucket=recsys-buckets-Data" in roles
    cache = done.calls[_place(done.calls, "--stack-name recsys-cache")]
    assert "Vpc=eksctl-recsys-cluster-VPC" in cache and "Clients=sg-1" in cache


def test_a_second_time_makes_no_second_cluster_and_deploys_only_changes(workplace) -> None:
    first = workplace.run("eks-up", "--yes")
    second = workplace.run("eks-up", "--yes")
    assert second.code == 0
    assert sum("eksctl create" in call for call in first.calls) == 1
    # Sorted: the parts of a pipe start at the same time.
    assert sorted(call for call in first.calls if "eksctl create" not in call) == sorted(second.calls)
    assert all(
        "--no-fail-on-empty-changeset" in call for call in second.calls if "cloudformation deploy" in call
    )


def test_the_password_is_in_the_secret_and_nowhere_else(workplace) -> None:
    done = workplace.run("eks-up", "--yes")
    assert (workplace.state / "secret").read_text() == (
        f"rediss://recsys-cache-User:{PASSWORD}@recsys-cache-Endpoint:recsys-cache-Port/0"
    )
    assert PASSWORD not in done.out + done.err + "\n".join(done.calls)
    assert not [path for path in workplace.root.rglob("*") if path.is_file() and PASSWORD in path.read_text()]


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n"])
def test_without_the_clusters_name_nothing_happens(workplace, answer: str) -> None:
    done = workplace.run("eks-up", answer=answer)
    assert done.code == 1
    assert done.calls == []
    assert "a month" in done.out  # the cost is told before
    assert "nothing was done" in done.err


def test_the_clusters_name_is_a_yes(workplace) -> None:
    assert workplace.run("eks-up", answer="recsys\n").code == 0


def test_a_dry_run_calls_nothing_and_shows_everything(workplace) -> None:
    real = workplace.run("eks-up", "--yes")
    dry = workplace.run("eks-up", "--dry-run")
    assert dry.code == 0
    assert dry.calls == []
    shown = [line for line in dry.out.splitlines() if line.startswith("+ ")]
    # What a run does on top of what it shows are questions to AWS and the pipe of the secret.
    asked = ("describe", "get-caller-identity", "get-secret-value", "create secret", "kubectl apply -f -")
    doing = [call for call in real.calls if not any(part in call for part in asked)]
    assert len(shown) == len(doing) + 1


def test_it_stops_where_something_fails(workplace) -> None:
    done = workplace.run("eks-up", "--yes", fail="aws cloudformation deploy --stack-name recsys-events*")
    assert done.code != 0
    assert not any("eksctl" in call for call in done.calls)


def test_stopped_at_any_step_a_later_run_completes_it(workplace) -> None:
    """Each step fails once, one run after the other; what is there then is what an undisturbed run leaves."""
    first = ("buckets", "events", "images", "features")
    steps = [
        *(f"aws cloudformation deploy --stack-name recsys-{noun}*" for noun in first),
        *("eksctl create cluster*", "aws eks update-kubeconfig*"),
        *(f"aws cloudformation deploy --stack-name recsys-{noun}*" for noun in sorted({*STACKS} - {*first})),
        *("helm upgrade --install kube-prometheus*", "helm upgrade --install prometheus-adapter*"),
        *("kubectl apply -k*", "kubectl apply -f infra/*"),
        *("aws secretsmanager get-secret-value*", "kubectl create secret*", "kubectl apply -f -"),
        "helm upgrade --install recsys *",
    ]
    for step in steps:
        failed = workplace.run("eks-up", "--yes", "--install", "1.2.3", fail=step)
        assert failed.code != 0, step
        assert "stub: told to fail" in failed.err, step
        if "secretsmanager" in step:
            assert not any(call.startswith("kubectl create secret") for call in failed.calls)
    done = workplace.run("eks-up", "--yes", "--install", "1.2.3")
    assert done.code == 0, done.err
    assert sum("eksctl create cluster" in call for call in done.calls) == 0  # it is there since it was made
    assert done.calls[-1].startswith("helm upgrade --install recsys")
    assert (workplace.state / "secret").read_text().endswith("recsys-cache-Endpoint:recsys-cache-Port/0")


def test_a_missing_output_is_named(workplace) -> None:
    done = workplace.run(
        "eks-up", "--yes", fail="aws cloudformation describe-stacks --stack-name recsys-features*"
    )
    assert done.code != 0
    assert not any("--stack-name recsys-roles" in call for call in done.calls)


def test_an_open_api_server_is_refused(workplace) -> None:
    cluster = workplace.root / "infra" / "cluster.yaml"
    cluster.write_text((ROOT / "infra" / "cluster.yaml").read_text())
    done = workplace.run("eks-up", "--yes")
    assert (done.code, done.calls) == (1, [])
    assert "publicAccessCIDRs" in done.err


def test_the_chart_comes_with_its_images_roles_and_release(workplace) -> None:
    done = workplace.run("eks-up", "--yes", "--install", "1.2.3")
    call = done.calls[-1]
    assert call.startswith(
        "helm upgrade --install recsys helm/recsys -n recsys -f helm/recsys/values-eks.yaml"
    )
    for part in ("triton", "gateway", "worker"):
        assert f"{part}.image.repository=recsys-images-Registry/recsys-{part}" in call
        assert f"{part}.image.tag=1.2.3" in call
        assert (
            rf"serviceAccounts.{part}.annotations.eks\.amazonaws\.com/role-arn=recsys-roles-{part.title()}"
            in call
        )
    assert "promotion.image.repository=recsys-images-Registry/recsys-train" in call
    assert "serviceAccounts.promotion.annotations.eks" in call
    assert "recsys-roles-Promotion" in call
    assert "release.source=s3://recsys-buckets-Releases/releases" in call
    assert "events.queueUrl=recsys-events-Queue --set events.deadLetterUrl=recsys-events-DeadQueue" in call


def test_the_charts_environment_is_set_by_place() -> None:
    """scripts/eks-up sets extraEnv[0], [1] and [5] of values-eks.yaml; these are their names."""
    names = [
        one["name"] for one in yaml.safe_load((ROOT / "helm/recsys/values-eks.yaml").read_text())["extraEnv"]
    ]
    assert [names[place] for place in (0, 1, 5)] == [
        "AWS_REGION",
        "RECSYS_FEAST_REGISTRY",
        "RECSYS_FEAST_ATHENA_STAGING",
    ]


def test_a_missing_tool_is_named(workplace) -> None:
    (Path(workplace.path.split(":")[0]) / "eksctl").unlink()
    done = workplace.run("eks-up", "--yes")
    assert (done.code, done.calls) == (1, [])
    assert "eksctl is not on PATH" in done.err


def test_unknown_options_are_refused(workplace) -> None:
    assert "unknown option --force" in workplace.run("eks-up", "--force").err
