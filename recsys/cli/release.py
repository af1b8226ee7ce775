"""`recsys release`: the releases of this home, and which one is served."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from recsys.cli import evaluate
from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.errors import BadUse
from recsys.settings import get_settings

app = typer.Typer(help="List, show and choose releases.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1, help="Release number.", show_default=False)]


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
        evaluate.show(manifest.metrics)
    results.print()
    files = [(name, f"{one.size:,}", one.sha256[:12]) for name, one in manifest.files.items()]
    results.print(table("Files", ("file", "bytes", "sha256"), files, right=("bytes",)))


@app.command()
def promote(release: Number) -> None:
    """Serve a release from now on."""
    store = _store()
    store.verify(release)
    store.set_current(release)
    results.print(f"Release {release} is current; `recsys up` serves it.")


@app.command()
def rollback() -> None:
    """Serve the release that the current one was made from, or else the one before it."""
    from recsys.local.services import require_release

    store = _store()
    current = require_release(get_settings())
    passed = [one.release for one in store.list() if one.release < current and one.gate.passed]
    parent = store.show(current).parent
    target = parent if parent in passed else max(passed, default=None)
    if target is None:
        raise BadUse(f"release {current}", "is the first that passed its gate", "Nothing lies before it")
    promote(target)


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
