"""Which releases stay when older ones go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from recsys.release.manifest import Manifest


def rollback_target(manifests: Sequence[Manifest], current: int) -> int | None:
    """The release that a rollback serves: the current one's parent, or else the newest before it that passed.

    Args:
        manifests: Of all releases.
        current: The one that is served.

    Returns:
        Its number; None where nothing that passed its gate lies before.
    """
    passed = [one.release for one in manifests if one.release < current and one.gate.passed]
    parent = next((one.parent for one in manifests if one.release == current), None)
    return parent if parent in passed else max(passed, default=None)


def staying(
    manifests: Sequence[Manifest], current: int | None, keep: int, protected: Iterable[int] = ()
) -> set[int]:
    """The releases that must not go: the newest ones, and what is served or may be at any moment.

    Args:
        manifests: Of all releases, oldest first.
        current: The one that is served.
        keep: How many of the newest stay.
        protected: Others that must stay, such as those that a replica has loaded.

    Returns:
        Their numbers: the newest, the current one, its parent, what a rollback would serve, the newest that
        passed its gate (what would be promoted next), and the protected ones.
    """
    numbers = [one.release for one in manifests]
    stay = {*numbers[-keep:], *(number for number in protected if number in numbers)}
    stay |= (
        {max((one.release for one in manifests if one.gate.passed), default=numbers[-1])}
        if numbers
        else set()
    )
    if current is not None:
        parent = next((one.parent for one in manifests if one.release == current), None)
        wanted = (current, parent, rollback_target(manifests, current))
        stay |= {number for number in wanted if number is not None}
    return stay
