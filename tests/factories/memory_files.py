"""A Triton model repository that is nowhere but in memory."""

from __future__ import annotations

from recsys.serving.layout import Layout


class MemoryFiles:
    """See `recsys.release.replica.Files`; counts how often it was told to clear."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.cleared = 0

    def read(self) -> Layout:
        return self.layout

    def write(self, layout: Layout) -> None:
        self.layout = layout

    def clear(self) -> None:
        self.cleared += 1
