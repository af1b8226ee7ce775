"""What a drill of switches found: whose answers shoppers got, how late, and how long going back took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.local.switch_load import Items, Told


@dataclass(frozen=True)
class Switch:
    """One promotion or rollback.

    Attributes:
        to: The release.
        back: Whether it went back.
        began: Monotonic seconds.
        ended: When the command returned: every replica serves the release, the old one is unloaded.
        parts: Seconds of each part.
    """

    to: int
    back: bool
    began: float
    ended: float
    parts: Mapping[str, float]

    @property
    def seconds(self) -> float:
        """From the command to its end."""
        return self.ended - self.began

    @property
    def until_served(self) -> float:
        """From the command until all replicas answer from the release."""
        return self.seconds - self.parts.get("settle", 0.0)


@dataclass(frozen=True)
class SwitchReport:
    """A drill's result; times in milliseconds, and in seconds where the name says so.

    Attributes:
        requests: Asked in all.
        failed: Not answered with 200, or from a fallback.
        failures: Those by HTTP status (0: no answer), or by the bits of the fallback.
        mixed: Answers that are not, bit for bit, what the release they name answers by itself.
        by_release: Answers of each release.
        quiet: p50, p99 and requests of those that no switch touched.
        switching: The same of those asked while a switch was under way.
        p99_ratio: switching p99 / quiet p99.
        switches: How many, there and back.
        promote_s: Median and longest time of a promotion, and until it was served.
        rollback_s: The same of going back.
        parts_s: Median of each part over all switches.
    """

    requests: int
    failed: int
    failures: dict[str, int]
    mixed: int
    by_release: dict[int, int]
    quiet: dict[str, float]
    switching: dict[str, float]
    p99_ratio: float
    switches: int
    promote_s: dict[str, float]
    rollback_s: dict[str, float]
    parts_s: dict[str, float]


def report(
    told: Sequence[Told], switches: Sequence[Switch], own: Mapping[int, Sequence[Items]]
) -> SwitchReport:
    """Judge a drill.

    Args:
        told: Every answer.
        switches: What was done meanwhile.
        own: Each release's own answers, by question.
    """
    failed = [each for each in told if each.status != 200 or each.degraded]
    good = [each for each in told if each.status == 200 and not each.degraded]
    mixed = [each for each in good if own.get(each.release, {}) == {} or _other(each, own)]
    windows = [(one.began, one.ended) for one in switches]
    during = [each for each in good if _touches(each, windows)]
    quiet = [each for each in good if not _touches(each, windows)]
    there, back = ([one for one in switches if one.back == way] for way in (False, True))
    names = sorted({name for one in switches for name in one.parts})
    quiet_ms, during_ms = _latency(quiet), _latency(during)
    return SwitchReport(
        requests=len(told),
        failed=len(failed),
        failures=dict(Counter(_why(each) for each in failed)),
        mixed=len(mixed),
        by_release={number: sum(each.release == number for each in good) for number in own},
        quiet=quiet_ms,
        switching=during_ms,
        p99_ratio=round(during_ms["p99_ms"] / quiet_ms["p99_ms"], 3) if quiet and during else 0.0,
        switches=len(switches),
        promote_s=_seconds(there),
        rollback_s=_seconds(back),
        parts_s={name: _median([one.parts[name] for one in switches if name in one.parts]) for name in names},
    )


def table(found: SwitchReport) -> str:
    """The report for reading."""
    lines = [
        f"{'':<12}{'requests':>10}{'p50':>10}{'p99':>10}",
        *(
            f"{name:<12}{row['requests']:>10.0f}{row['p50_ms']:>7.1f} ms{row['p99_ms']:>7.1f} ms"
            for name, row in (("quiet", found.quiet), ("switching", found.switching))
        ),
        f"p99 while switching: {found.p99_ratio:.2f} of quiet",
        f"{found.requests} requests, {found.failed} failed, {found.mixed} not bit-equal to a release's own; "
        + ", ".join(f"release {number}: {count}" for number, count in found.by_release.items()),
        *(
            f"{name}: served after {row['served_median']:.1f} s (longest {row['served_longest']:.1f} s), "
            f"tidied up after {row['median']:.1f} s (longest {row['longest']:.1f} s)"
            for name, row in (("promotion", found.promote_s), ("rollback", found.rollback_s))
            if row
        ),
        "parts, median: " + ", ".join(f"{name} {value:.2f} s" for name, value in found.parts_s.items()),
    ]
    return "\n".join(lines)


def _why(each: Told) -> str:
    return f"degraded {each.degraded}" if each.status == 200 else f"status {each.status}"


def _other(each: Told, own: Mapping[int, Sequence[Items]]) -> bool:
    return own[each.release][each.question] != each.items


def _touches(each: Told, windows: Sequence[tuple[float, float]]) -> bool:
    return any(each.began < end and each.began + each.seconds > begin for begin, end in windows)


def _latency(told: Sequence[Told]) -> dict[str, float]:
    if not told:
        return {"requests": 0.0, "p50_ms": 0.0, "p99_ms": 0.0}
    p50, p99 = np.percentile([each.seconds * 1000 for each in told], [50, 99])
    return {"requests": float(len(told)), "p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)}


def _seconds(switches: Sequence[Switch]) -> dict[str, float]:
    if not switches:
        return {}
    whole, served = [one.seconds for one in switches], [one.until_served for one in switches]
    return {
        "median": _median(whole),
        "longest": round(max(whole), 3),
        "served_median": _median(served),
        "served_longest": round(max(served), 3),
    }


def _median(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 3)
