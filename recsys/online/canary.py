"""Which users a challenger answers: a stable share, and a control group of the same size."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from recsys.online.trial import Trial
from recsys.schema import UNKNOWN

Arm = Literal["challenger", "control"]

_SCALE: Final = float(2**64)


def place(user_id: int, release: int) -> float:
    """A user's place in [0, 1), the same at every gateway and at every time.

    Hashed with the release, so that each trial draws its users anew and no user is always a canary.

    Args:
        user_id: The user.
        release: The challenger.
    """
    digest = hashlib.blake2b(f"{release}:{user_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _SCALE


def arm(user_id: int, trial: Trial) -> Arm | None:
    """The group that a user is in; None for those who are in neither, visitors among them.

    Args:
        user_id: The user; -1 for an anonymous visitor.
        trial: What is tried, on which share.
    """
    if user_id == UNKNOWN or not trial.canary:
        return None
    at = place(user_id, trial.release)
    if at < trial.canary:
        return "challenger"
    return "control" if at < 2 * trial.canary else None
