"""`recsys doctor`: what this machine lacks, and the fix."""

from __future__ import annotations

from dataclasses import asdict

import typer

from recsys.cli.options import Json
from recsys.cli.output import messages, print_json, results
from recsys.settings import get_settings


def doctor(json: Json = False) -> None:
    """Say what this machine lacks, and the fix."""
    from recsys.local.doctor import examine
    from recsys.local.services import held_ports

    settings = get_settings()
    with messages.status("Looking") as status:
        checks = examine(settings, held_ports(settings), status.update)
    if json:
        print_json({"ok": all(one.ok for one in checks), "checks": [asdict(one) for one in checks]})
    else:
        for one in checks:
            mark = "[green]✓[/]" if one.ok else "[red]✗[/]"
            fix = "" if one.ok else f". [bold]{one.fix}[/]"
            results.print(f"{mark} {one.name}: {one.found}{fix}", soft_wrap=True)
    if not all(one.ok for one in checks):
        raise typer.Exit(1)
