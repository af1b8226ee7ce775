"""What a cluster runs after an installation: Feast's definitions applied, Valkey filled with a release.

    python -m recsys.local.fill_job --source s3://bucket/releases --into /var/lib/recsys

The same filling as `recsys up` does: nothing happens when this release's rows are there already.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from recsys.errors import told_in_a_line
from recsys.local.fill import fill_features
from recsys.local.service import Context
from recsys.release.fetch import fetch, options_parser
from recsys.settings import Settings, get_settings


def fill(source: str, home: Path, settings: Settings, number: int = 0, *, fresh: bool = True) -> int:
    """Fetch a release and write its features to Feast's online store.

    Args:
        source: Root of a release store: a folder or s3://bucket/prefix.
        home: The container's state folder.
        settings: Profile and Valkey's URL.
        number: Which release; 0 for the one that is current at the source.
        fresh: Whether a full training may start from an empty store; not while shoppers are served from it.

    Returns:
        The release's number.

    Raises:
        RecsysError: The release cannot be fetched, or Feast or Valkey does not answer.
    """
    number = fetch(source, home, number)
    at_home = settings.model_copy(update={"home": home.resolve()})
    context = Context(at_home, number, {"valkey": {"url": settings.valkey.url}})
    fill_features(context, lambda step: sys.stdout.write(f"{step}\n"), fresh=fresh)
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.local.fill_job`; says in one line what it did, or why it could not."""
    parser = options_parser("python -m recsys.local.fill_job", "Fill the feature store from a release.")
    parser.add_argument("--beside", action="store_true", help="keep what is there: a release is promoted")
    options = parser.parse_args(arguments)
    with told_in_a_line():
        number = fill(options.source, options.into, get_settings(), options.release, fresh=not options.beside)
    sys.stdout.write(f"Valkey holds the features of release {number}\n")


if __name__ == "__main__":
    main()
