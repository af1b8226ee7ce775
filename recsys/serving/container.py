"""What runs before Triton in its container: a release is fetched and the model repository assembled from it.

    python -m recsys.serving.container --source s3://bucket/releases --into /var/lib/recsys

Triton then serves `/var/lib/recsys/triton/models`. Widths and stages' settings come from RECSYS_SERVING__*.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from recsys.errors import BadUse, told_in_a_line
from recsys.release.fetch import fetch, options_parser
from recsys.serving.embedded.build import library
from recsys.serving.repository import assemble
from recsys.settings import Settings, get_settings

BACKENDS: Final = Path("/opt/tritonserver/backends")
"""Where Triton's image keeps its backends, and this project's image its own."""


def prepare(source: str, home: Path, settings: Settings, number: int = 0, backends: Path = BACKENDS) -> int:
    """Make a container ready for Triton.

    Args:
        source: Root of a release store: a folder or s3://bucket/prefix.
        home: The container's state folder.
        settings: Widths and the stages' parameters.
        number: Which release; 0 for the one that is current at the source.
        backends: The image's.

    Returns:
        The number of the release that will be served.

    Raises:
        BadUse: The settings ask for what the image has not.
        RecsysError: The release cannot be fetched or is damaged.
    """
    if settings.serving.stages == "embedded" and not library(backends).is_file():
        raise BadUse(
            "RECSYS_SERVING__STAGES",
            "this image holds no backend that embeds stages",
            "Build it again, or set it to processes",
        )
    number = fetch(source, home, number)
    models = home / "triton" / "models"
    models.parent.mkdir(parents=True, exist_ok=True)
    assemble(models, home / "releases", number, settings.serving)
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.serving.container`; says in one line what it did, or why it could not."""
    parser = options_parser("python -m recsys.serving.container", "Make ready what Triton serves.")
    options = parser.parse_args(arguments)
    with told_in_a_line():
        number = prepare(options.source, options.into, get_settings(), options.release)
    sys.stdout.write(f"release {number} is ready to be served\n")


if __name__ == "__main__":
    main()
