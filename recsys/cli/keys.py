"""`recsys keys`: who may call the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.online.auth import ApiKey, Scope, create_key, read_keys, revoke_key
from recsys.settings import get_settings

app = typer.Typer(name="keys", help="API keys of the gateway, which reads them again when they change.")

_ALL: Final = tuple(Scope)

File = Annotated[
    Path | None, typer.Option(help="Another file than this home's.", show_default=False, dir_okay=False)
]


@app.command("list")
def list_keys(file: File = None, json: Json = False) -> None:
    """Show who may do what; the keys themselves are nowhere kept."""
    found = [_shown(key) for key in read_keys(_path(file))]
    if json:
        print_json({"keys": found})
        return
    rows = [(str(key["id"]), str(key["name"]), " ".join(key["scopes"]), str(key["state"])) for key in found]
    results.print(table("API keys", ("id", "name", "scopes", "state"), rows))


@app.command()
def add(
    name: Annotated[str, typer.Option(help="Whose it is.")] = "",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="read, write or admin; repeat it for more; all by default."),
    ] = None,
    file: File = None,
    json: Json = False,
) -> None:
    """Make a key and print it: this is the only time that it is seen."""
    token = create_key(_path(file), tuple(scope or _ALL), name)
    if json:
        print_json({"key": token, "id": token.split("_")[1]})
    else:
        # Printed as it is, so that a script can take it.
        results.print(token, highlight=False, soft_wrap=True)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, the middle part of the key.")],
    file: File = None,
) -> None:
    """Make a key useless within a second."""
    revoke_key(_path(file), key)
    results.print(f"key {key} is revoked")


def _path(file: Path | None) -> Path:
    from recsys.online.gateway_process import keys_path

    return file or keys_path(get_settings())


def _shown(key: ApiKey) -> dict[str, str | list[str]]:
    state = "revoked" if key.revoked else "valid"
    return {"id": key.id, "name": key.name, "scopes": sorted(key.scopes), "state": state}
