"""`recsys release`: the releases of this home, and which one is served."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli import evaluate_tables, release_store, release_trial
from recsys.cli.options import Json
from recsys.cli.output import messages, print_json, results, table
from recsys.cli.steps import Steps
from recsys.errors import BadUse
from recsys.settings import get_settings

if TYPE_CHECKING:
    from recsys.release.promote import Promotion

app = typer.Typer(help="List, show and choose releases.", no_args_is_help=True)
for command in (release_store.verify, release_store.report, release_store.prune, release_store.track):
    app.command()(command)
for tried in (release_trial.shadow, release_trial.compare, release_trial.withdraw):
    app.command()(tried)

Number = Annotated[int, typer.Argument(min=1, help="Release number.", show_default=False)]
Replicas = Annotated[
    list[str] | None,
    typer.Option(
        "--replica",
        help="On a cluster: host:port of a Triton's HTTP service, dns:NAME:PORT for all behind a name, or "
        "kubernetes:SERVICE:PORT. May be repeated. Without it, this machine's.",
    ),
]
Gateways = Annotated[
    list[str] | None,
    typer.Option("--gateway", help="On a cluster: the gateways' agents, written like --replica."),
]
Parts = Annotated[
    list[str] | None,
    typer.Option(
        "--part",
        help="Where the index is in parts: host:port of the HTTP service of each part's Triton, in order.",
    ),
]
Source = Annotated[str, typer.Option(help="On a cluster: the store of releases, a folder or s3://….")]


def _store() -> Any:
    from recsys.release.store import ReleaseStore

    return ReleaseStore(get_settings().home / "releases")


@app.command("list")
def list_releases(json: Json = False) -> None:
    """List the releases, newest last."""
    store = _store()
    current = store.current()
    manifests = store.list()
    if json:
        print_json({"current": current, "releases": [_summary(manifest) for manifest in manifests]})
        return
    rows = [
        (
            f"{one.release}{' *' if one.release == current else ''}",
            f"{one.created:%Y-%m-%d %H:%M}",
            one.kind,
            _days(one.data.days),
            _verdict(one),
        )
        for one in manifests
    ]
    results.print(table("Releases (* is served)", ("release", "made", "kind", "days", "gate"), rows))


@app.command()
def show(release: Number, json: Json = False) -> None:
    """Show one release: what made it, what it scored, what it holds."""
    manifest = _store().show(release)
    if json:
        print_json(manifest.model_dump(mode="json", by_alias=True))
        return
    facts = {**_summary(manifest), "days": _days(manifest.data.days), "gate": _verdict(manifest)}
    summary = [(name, str(value)) for name, value in facts.items() if name not in ("release", "metrics")]
    results.print(table(f"Release {release}", ("", ""), summary))
    if "chain" in manifest.metrics:
        results.print()
        evaluate_tables.show(manifest.metrics)
    results.print()
    files = [(name, f"{one.size:,}", one.sha256[:12]) for name, one in manifest.files.items()]
    results.print(table("Files", ("file", "bytes", "sha256"), files, right=("bytes",)))


@app.command()
def promote(
    release: Number,
    *,
    replica: Replicas = None,
    gateway: Gateways = None,
    part: Parts = None,
    source: Source = "",
    shadow: Annotated[str, typer.Option(help="Only copy this share of requests to it, such as 10%.")] = "",
    canary: Annotated[str, typer.Option(help="Only answer this share of users from it, such as 5%.")] = "",
    json: Json = False,
) -> None:
    """Serve a release from now on: on every replica, or on none. With --shadow or --canary only try it."""
    if shadow or canary:
        shares = (release_trial.parse_share(share or "0") for share in (shadow, canary))
        release_trial.challenge(release, *shares, json=json)
    else:
        _promote(release, _cluster(replica, gateway, part, source), json=json)


@app.command()
def rollback(
    *,
    replica: Replicas = None,
    gateway: Gateways = None,
    part: Parts = None,
    source: Source = "",
    json: Json = False,
) -> None:
    """Serve the release that the current one was made from, or else the one before it."""
    from recsys.local.services import require_current
    from recsys.release.remote import open_store
    from recsys.release.retention import rollback_target

    cluster = _cluster(replica, gateway, part, source)
    store = open_store(source) if cluster else _store()
    current = require_current(store)
    target = rollback_target(store.list(), current)
    if target is None:
        raise BadUse(f"release {current}", "is the first that passed its gate", "Nothing lies before it")
    _promote(target, cluster, json=json, fill=False)


@app.command()
def drill(
    seconds: Annotated[float, typer.Option(min=5, help="How long clients ask.")] = 180.0,
    switches: Annotated[int, typer.Option(min=1, help="Promotions and rollbacks, together.")] = 20,
    clients: Annotated[int, typer.Option(min=1, help="Who ask at the same time.")] = 8,
    releases: Annotated[
        tuple[int, int] | None,
        typer.Option(help="The release to begin with and the one to promote; the current one and a twin."),
    ] = None,
    json: Json = False,
) -> None:
    """Promote and roll back under load in a system of its own, and check every answer."""
    from recsys.local import switch_drill
    from recsys.local.switch_report import table as as_text

    with Steps().step("Drill") as note:
        found = switch_drill.run(
            get_settings(), seconds=seconds, switches=switches, clients=clients, releases=releases, note=note
        )
    if json:
        print_json(asdict(found))
    else:
        results.print(as_text(found))


def _cluster(
    replica: list[str] | None, gateway: list[str] | None, part: list[str] | None, source: str
) -> Any:
    """Where the cluster is, None for this machine."""
    if not (replica or gateway or part or source):
        return None
    if not replica or not source:
        raise BadUse("--replica and --source", "one is missing", "A cluster needs both, and --gateway")
    from recsys.release.promote_remote import Cluster

    return Cluster(replica, gateway or (), source, part or ())


def _promote(release: int, cluster: Any, *, json: bool, fill: bool = True) -> None:
    with Steps().step(f"Release {release}") as note:

        def tell(name: str, event: str) -> None:
            note(f"{name}: {event}")

        if cluster:
            from recsys.release.promote_remote import promote_there

            done: Promotion | None = promote_there(get_settings(), release, cluster, tell)
        else:
            from recsys.local.promotion import promote_here

            done = promote_here(get_settings(), release, tell, fill=fill)
    release_store.note_in_mlflow(cluster.source if cluster else "")
    if json:
        print_json({"release": release, **(asdict(done) if done else {"replicas": []})})
    elif done is None:
        results.print(f"Release {release} is current; `recsys up` serves it.")
    else:
        took = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in done.seconds.items())
        results.print(f"Release {release} is served by {', '.join(done.replicas)} ({took}).")
        for trouble in done.unsettled:
            messages.print(f"Not tidied up: {trouble}")


def _summary(manifest: Any) -> dict[str, Any]:
    return {
        "release": manifest.release,
        "created": manifest.created.isoformat(),
        "kind": manifest.kind,
        "parent": manifest.parent,
        "days": list(manifest.data.days),
        "gate": {"passed": manifest.gate.passed, "reason": manifest.gate.reason},
        "metrics": manifest.metrics,
    }


def _verdict(manifest: Any) -> str:
    return "passed" if manifest.gate.passed else f"refused: {manifest.gate.reason}"


def _days(days: tuple[int, ...]) -> str:
    return f"{days[0]}–{days[-1]}" if days else ""
