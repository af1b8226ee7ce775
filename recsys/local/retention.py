"""Old releases of this machine removed, but none that a server has loaded."""

from __future__ import annotations

from recsys.local.promotion import replicas
from recsys.local.state import StateFile
from recsys.release.store import ReleaseStore
from recsys.settings import Settings


def prune_here(settings: Settings, keep: int) -> tuple[int, ...]:
    """See `recsys.release.releases.Releases.prune`; no promotion begins or ends meanwhile.

    Args:
        settings: The home.
        keep: How many of the newest stay.

    Returns:
        The numbers removed, ascending.

    Raises:
        BadUse: `keep` is below 1.
        RecsysError: What the servers have loaded cannot be read.
    """
    state = StateFile(settings.home)
    with state.locked():
        running = state.read()
        loaded = {entry.release for entry in running.values() if entry.release is not None}
        for replica in replicas(settings, running):
            loaded |= set(replica.layout().versions)
        return ReleaseStore(settings.home / "releases").prune(keep, loaded)
