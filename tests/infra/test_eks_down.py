from __future__ import annotations


def _place(calls: list[str], part: str) -> int:
    return next(place for place, call in enumerate(calls) if part in call)


def test_nodes_go_before_their_cluster_and_valkey_before_its_network(workplace) -> None:
    assert workplace.run("eks-up", "--yes").code == 0
    done = workplace.run("eks-down", "--yes")
    assert done.code == 0, done.err
    order = [
        "helm uninstall recsys",
        "kubectl delete nodepools --all",
        "kubectl delete nodeclaims --all",
        "delete-stack --stack-name recsys-cache",
        "wait stack-delete-complete --stack-name recsys-cache",
        "eksctl delete cluster",
        "delete-stack --stack-name recsys-events",
    ]
    places = [_place(done.calls, part) for part in order]
    assert places == sorted(places)
    assert not any("recsys-buckets" in call or "recsys-images" in call for call in done.calls)


def test_a_second_time_is_harmless(workplace) -> None:
    workplace.run("eks-up", "--yes")
    workplace.run("eks-down", "--yes")
    again = workplace.run("eks-down", "--yes")
    assert again.code == 0
    assert not any(call.startswith(("kubectl", "helm", "eksctl")) for call in again.calls)


def test_it_asks_first(workplace) -> None:
    done = workplace.run("eks-down", answer="y\n")
    assert (done.code, done.calls) == (1, [])
    assert "Stays: buckets and images" in done.out


def test_a_dry_run_calls_nothing(workplace) -> None:
    done = workplace.run("eks-down", "--dry-run")
    assert (done.code, done.calls) == (0, [])
    assert "+ eksctl delete cluster" in done.out


def test_nodes_that_will_not_go_stop_it(workplace) -> None:
    """A cluster deleted under its nodes would leave them running and costing."""
    workplace.run("eks-up", "--yes")
    done = workplace.run("eks-down", "--yes", fail="kubectl delete nodeclaims*")
    assert done.code != 0
    assert not any("eksctl delete" in call for call in done.calls)


def test_stopped_at_any_step_a_later_run_completes_it(workplace) -> None:
    workplace.run("eks-up", "--yes")
    steps = [
        *("aws eks update-kubeconfig*", "helm uninstall*", "kubectl delete nodepools*"),
        *("kubectl delete nodeclaims*", "aws cloudformation delete-stack --stack-name recsys-roles*"),
        *(
            "aws cloudformation wait stack-delete-complete --stack-name recsys-cache*",
            "eksctl delete cluster*",
        ),
        "aws cloudformation delete-stack --stack-name recsys-features*",
    ]
    for step in steps:
        failed = workplace.run("eks-down", "--yes", fail=step)
        assert failed.code != 0, step
    done = workplace.run("eks-down", "--yes")
    assert done.code == 0, done.err
    assert not (workplace.state / "cluster").exists()
    assert "delete-stack --stack-name recsys-features" in done.calls[-3] + done.calls[-1]


def test_install_is_not_its_option(workplace) -> None:
    assert "for eks-up" in workplace.run("eks-down", "--install", "1").err
