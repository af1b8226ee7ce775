"""What runs before Triton where one part of the index is served: a release is fetched and its part cut out.

    python -m recsys.release.index_part --source s3://bucket/releases --into /home/recsys --part 0 --parts 2

Triton then serves `/home/recsys/triton/models`, and the agent beside it, started with the same two options,
brings the part of the next release before that is promoted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recsys.errors import told_in_a_line
from recsys.index.part_folder import PartFolder
from recsys.release.fetch import fetch, options_parser
from recsys.serving.layout import Layout, only
from recsys.serving.repository import replace_text


class PartFiles:
    """The model repository of a part's server on this machine; see `recsys.release.replica.Files`.

    Args:
        home: State folder, with the releases.
        part: Which part, from 0.
        parts: How many there are.

    Raises:
        BadUse: There is no such part.
    """

    def __init__(self, home: Path, part: int, parts: int) -> None:
        self._releases = home / "releases"
        self._served = home / "triton" / "served"
        self._folder = PartFolder(home / "triton", part, parts)

    def read(self) -> Layout:
        """See `Files.read`; the ensemble's is the release that the shop is answered from, if known here.

        Raises:
            BadData: The repository cannot be read.
        """
        versions = self._folder.versions()
        text = self._served.read_text(encoding="utf-8") if self._served.is_file() else ""
        known = int(text) if text.isdigit() else 0
        return Layout(versions, known if known in versions else max(versions))

    def write(self, layout: Layout) -> None:
        """See `Files.write`; the releases are there, their parts are cut out where they are missing."""
        self._folder.hold(self._releases, layout.versions)
        replace_text(self._served, str(layout.ensemble))

    def clear(self) -> None:
        """See `Files.clear`."""
        self._folder.drop()


def part_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add `--part` and `--parts`.

    Args:
        parser: Of whatever runs beside or before a part's server.
        required: Whether it runs nowhere else.
    """
    parser.add_argument("--part", type=int, default=0, required=required, help="which part, from 0")
    parser.add_argument(
        "--parts", type=int, default=0, required=required, help="how many parts the index has"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m recsys.release.index_part`; says in one line what it did, or why it could not."""
    parser = options_parser("python -m recsys.release.index_part", "Make ready one part of the index.")
    part_options(parser, required=True)
    options = parser.parse_args(arguments)
    with told_in_a_line():
        number = fetch(options.source, options.into, options.release)
        PartFiles(options.into, options.part, options.parts).write(only(number))
    sys.stdout.write(f"part {options.part} of release {number} is ready to be served\n")


if __name__ == "__main__":
    main()
