"""One measurement: how requests are sent, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Cell:
    """How requests are sent.

    Attributes:
        mode: closed: a fixed number of callers, each of whom asks again when answered. open: requests come
            at random moments whether or not earlier ones are answered (a Poisson process).
        concurrency: Callers of a closed loop; 0 in an open one.
        rows: Users in a request.
        rate: Requests a second of an open loop; 0 in a closed one.
        share: In place of a rate: the share of the best that closed loops of the same round reached.
    """

    mode: Literal["closed", "open"] = "closed"
    concurrency: int = 1
    rows: int = 1
    rate: float = 0.0
    share: float = 0.0

    @property
    def is_one_caller(self) -> bool:
        """Whether one caller asks again and again, as the bare process does of itself."""
        return self.mode == "closed" and self.concurrency == 1

    @property
    def label(self) -> str:
        """In words, for tables."""
        users = "" if self.rows == 1 else f", {self.rows} users each"
        if self.share:
            return f"{self.share:.0%} of its best"
        if self.mode == "open":
            return f"{self.rate:g} requests/s{users}"
        return f"{self.concurrency} at a time{users}"


@dataclass(frozen=True)
class Plan:
    """A cell with all that the process which sends it must know.

    Attributes:
        cell: How requests are sent.
        model: Triton's model.
        target: `host:port` of Triton's gRPC service.
        users: Users to ask for, in turn.
        warm_up_s: Seconds that are not measured.
        seconds: Seconds that are.
        most_requests: Bound of the answers.
        timeout_s: Time limit of a request.
        seed: Of the order of users and of the arrivals.
        release_dir: Folder of the release, where the stages run in the process itself.
        settings: Dumped `Settings`, for the same.
        token: API key, where the target is a gateway.
    """

    cell: Cell
    model: str
    target: str
    users: list[int]
    warm_up_s: float
    seconds: float
    most_requests: int
    timeout_s: float
    seed: int
    release_dir: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    token: str = ""

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Plan:
        """The plan that `asdict` made JSON of."""
        return cls(**{**document, "cell": Cell(**document["cell"])})


@dataclass(frozen=True)
class Outcome:
    """What came of a cell in one round.

    Attributes:
        latencies_ms: Of each answer within the measured time; in an open loop from the moment at which the
            request was to be sent, so that a server which stalls is charged for the queue it makes
            (G. Tene, "How NOT to Measure Latency", 2015: coordinated omission).
        seconds: The measured time.
        failed: Requests without an answer.
        degraded: Answers of which a part came from a fallback.
        steal_percent: CPU time that the hypervisor kept in the meantime.
        busy_percent: CPU time used in the meantime, by everything on the machine.
        load_average: Over the minute before the end.
        sender_cpu_percent: CPU time of the sending process, of one core.
        pss_mb: Memory of the process, where the stages run in it.
        rate: Requests a second that an open loop was to send.
        cpu_ms: CPU milliseconds that a user's answer cost, by who worked for it.
    """

    latencies_ms: list[float]
    seconds: float
    failed: int = 0
    degraded: int = 0
    steal_percent: float = 0.0
    busy_percent: float = 0.0
    load_average: float = 0.0
    sender_cpu_percent: float = 0.0
    pss_mb: float | None = None
    rate: float = 0.0
    cpu_ms: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)
