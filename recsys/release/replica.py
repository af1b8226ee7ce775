"""One Triton and its model repository: a release is loaded beside the old one, switched to, settled on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from recsys.errors import RecsysError
from recsys.serving.control import Control
from recsys.serving.graph import ENSEMBLE, steps
from recsys.serving.layout import CHALLENGER, Layout, clear, lay_out, read_layout
from recsys.settings import ServingSettings

_POLL_S: Final = 0.1
_READY: Final = "READY"
_UNLOADING: Final = "UNLOADING"


class Files(Protocol):
    """A replica's model repository, wherever it lies."""

    def read(self) -> Layout:
        """What it says the replica serves."""
        ...

    def write(self, layout: Layout) -> None:
        """Bring the releases that are missing there, whole and verified, and have it say this."""
        ...

    def clear(self) -> None:
        """Remove what is served no more."""
        ...


class LocalFiles:
    """The model repository of a replica on this machine.

    Args:
        models_dir: The repository.
        releases: Folder of the releases, which the replica reads too.
        settings: Widths and variant, as the replica was started with.
    """

    def __init__(self, models_dir: Path, releases: Path, settings: ServingSettings) -> None:
        self._models_dir = models_dir
        self._releases = releases
        self._settings = settings

    def read(self) -> Layout:
        """See `Files.read`."""
        return read_layout(self._models_dir, self._settings)

    def write(self, layout: Layout) -> None:
        """See `Files.write`; the releases are there."""
        lay_out(self._models_dir, self._releases, layout, self._settings)

    def clear(self) -> None:
        """See `Files.clear`."""
        clear(self._models_dir, self._settings)


class Replica:
    """One Triton.

    Args:
        name: What it is called in messages.
        control: Its HTTP service.
        files: Its model repository.
        variant: `ServingSettings.variant` that it was started with.
        unload_s: How long to wait for the old release to unload, in seconds.
    """

    def __init__(
        self, name: str, control: Control, files: Files, variant: str = "ensemble", unload_s: float = 30.0
    ) -> None:
        self.name = name
        self._control = control
        self._files = files
        self._models = [model.name for model in steps(variant)]
        self._unload_s = unload_s

    def layout(self) -> Layout:
        """What it serves."""
        return self._files.read()

    def add(self, number: int) -> None:
        """Load a release beside what is served; `ask` then asks it, and the shop's answers stay as they are.

        Models are loaded one after the other, so that loading takes one core from answering and not all.

        Raises:
            RecsysError: The release cannot be brought there, or a model of it does not load.
        """
        layout = self._files.read().beside(number)
        self._files.write(layout)
        self._load(layout)
        self._control.load(CHALLENGER)

    def ask(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The challenger's answer.

        Args:
            inputs: Of the ensemble, [B, ...] each.

        Raises:
            RecsysError: It fails.
        """
        return self._control.infer(CHALLENGER, inputs)[0]

    def switch(self, number: int) -> None:
        """Answer the shop from a release that is loaded, in one step.

        Raises:
            RecsysError: The ensemble does not load; it answers as before.
        """
        self._files.write(self._files.read().switched(number))
        self._control.load(ENSEMBLE)
        self._require({(ENSEMBLE, number)})

    def serves(self, number: int) -> bool:
        """Whether the shop is answered from a release.

        Raises:
            Unavailable: Triton does not answer.
        """
        return self._control.states().get((ENSEMBLE, number)) == _READY

    def settle(self, layout: Layout) -> None:
        """Come to a layout from whatever was begun: ensembles first, then models, then files.

        Args:
            layout: What is to be served in the end.

        Raises:
            RecsysError: A model does not load, or an old one does not unload in time.
        """
        now = self._files.read()
        if not set(layout.versions) <= set(now.versions):
            now = Layout((*now.versions, *layout.versions), now.ensemble, now.challenger)
            self._files.write(now)
            self._load(now)
        self._files.write(Layout(now.versions, layout.ensemble, layout.challenger))
        self._control.load(ENSEMBLE)
        if layout.challenger is None:
            self._control.unload(CHALLENGER)
        else:
            self._control.load(CHALLENGER)
        self._files.write(layout)
        self._load(layout)
        self._require({(ENSEMBLE, layout.ensemble)})
        self._wait_for_unloads()
        self._files.clear()

    def _load(self, layout: Layout) -> None:
        """Load the models that do not serve exactly these versions yet.

        Those that do are left alone: loading a model makes Triton build every ensemble over it again.
        """
        ready = {each for each, state in self._control.states().items() if state == _READY}
        for name in self._models:
            if {number for model, number in ready if model == name} != set(layout.versions):
                self._control.load(name)
        self._require({(name, number) for name in self._models for number in layout.versions})

    def _require(self, wanted: set[tuple[str, int]]) -> None:
        states = self._control.states()
        if missing := sorted(each for each in wanted if states.get(each) != _READY):
            name, number = missing[0]
            state = states.get(missing[0], "not loaded").lower()
            raise RecsysError(
                f"replica {self.name}", f"{name} of release {number} is {state}", "See the replica's log"
            )

    def _wait_for_unloads(self) -> None:
        deadline = time.monotonic() + self._unload_s
        while _UNLOADING in self._control.states().values():
            if time.monotonic() > deadline:
                cause = f"the old release is still unloading after {self._unload_s:g} s"
                raise RecsysError(f"replica {self.name}", cause, "Settle it later with the same command")
            time.sleep(_POLL_S)
