"""Replicas and the nodes under them: what Karpenter starts, what a pod waits for, what is paid."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_LEAST_BILLED_S: Final = 60.0  # EC2 bills Linux by the second, a minute at least


@dataclass(frozen=True)
class Nodes:
    """How long things take between asking for a replica and its first answer.

    The defaults of drain and consolidation are the chart's and karpenter/'s. The other times differ between
    clusters: measure yours (`docs/capacity.md` says how).

    Attributes:
        replicas_per_node: Replicas that fit on a node: its GPUs.
        headroom: Replicas' worth of room kept free on warm nodes, by placeholder pods of low priority.
        node_start_s: From a pending pod to a node that is ready.
        image_pull_s: Pulling the image on a node that does not have it.
        model_ready_s: From the container's start to ready: fetch of the release, loading, warm-up.
        drain_s: From a pod's deletion to its end; it gets no new requests.
        consolidate_after_s: How long a node is empty before Karpenter removes it.
    """

    replicas_per_node: int = 1
    headroom: int = 0
    node_start_s: float = 90.0
    image_pull_s: float = 120.0
    model_ready_s: float = 30.0
    drain_s: float = 15.0
    consolidate_after_s: float = 600.0


class _State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@dataclass
class _Node:
    asked_at: float
    warm_at: float  # ready and the image is there
    replicas: int = 0
    empty_since: float = 0.0


@dataclass
class _Replica:
    number: int
    node: _Node
    turns_at: float  # ready, or gone when it drains
    state: _State = _State.STARTING


@dataclass(frozen=True)
class Moves:
    """What happened to replicas, by number."""

    opened: tuple[int, ...]
    closed: tuple[int, ...]


class Fleet:
    """Replicas on nodes over time.

    Args:
        nodes: Sizes and times.
        replicas: Replicas at the beginning, ready on warm nodes.
        most: Replicas that may be there at once, draining ones included.
    """

    def __init__(self, nodes: Nodes, replicas: int, most: int) -> None:
        self.nodes = nodes
        self._free_numbers = list(range(most))[::-1]
        self._fleet: list[_Node] = []
        self._replicas: list[_Replica] = []
        self._billed_s = 0.0
        self.scale_to(replicas, -1e6)
        self._grow(0.0)
        for replica in self._replicas:
            replica.state = _State.READY
        for node in self._fleet:
            node.asked_at, node.warm_at, node.empty_since = 0.0, 0.0, 0.0

    @property
    def ready(self) -> list[int]:
        """Numbers of the replicas that get requests, oldest first."""
        return [one.number for one in self._replicas if one.state is _State.READY]

    @property
    def wanted(self) -> int:
        """Replicas that are ready or on their way."""
        return sum(one.state is not _State.DRAINING for one in self._replicas)

    @property
    def node_count(self) -> int:
        """Nodes that are paid for."""
        return len(self._fleet)

    def node_seconds(self, now_s: float) -> float:
        """Seconds of nodes billed until now, from the time each was asked for."""
        return self._billed_s + sum(_billed(node, now_s) for node in self._fleet)

    def scale_to(self, replicas: int, now_s: float) -> None:
        """Ask for a number of replicas; what is too much goes unready ones first, then the newest."""
        while self.wanted > replicas:
            live = [one for one in self._replicas if one.state is not _State.DRAINING]
            victim = max(live, key=lambda one: (one.state is _State.STARTING, one.turns_at))
            victim.state, victim.turns_at = _State.DRAINING, now_s + self.nodes.drain_s
        while self.wanted < replicas and self._free_numbers:
            self._place(now_s)

    def advance(self, now_s: float) -> Moves:
        """Let time pass: replicas become ready or end, empty nodes go, missing room is started."""
        opened, closed = [], []
        for one in [one for one in self._replicas if one.turns_at <= now_s]:
            if one.state is _State.STARTING:
                one.state = _State.READY
                opened.append(one.number)
            elif one.state is _State.DRAINING:
                self._end(one, now_s)
                closed.append(one.number)
        self._grow(now_s)
        self._shrink(now_s)
        return Moves(tuple(opened), tuple(closed))

    def _place(self, now_s: float) -> None:
        free = [node for node in self._fleet if node.replicas < self.nodes.replicas_per_node]
        node = min(free, key=lambda node: (node.warm_at, -node.replicas)) if free else self._start(now_s)
        node.replicas += 1
        ready_at = max(now_s, node.warm_at) + self.nodes.model_ready_s
        self._replicas.append(_Replica(self._free_numbers.pop(), node, ready_at))

    def _start(self, now_s: float) -> _Node:
        node = _Node(now_s, now_s + self.nodes.node_start_s + self.nodes.image_pull_s, empty_since=now_s)
        self._fleet.append(node)
        return node

    def _end(self, one: _Replica, now_s: float) -> None:
        self._replicas.remove(one)
        self._free_numbers.append(one.number)
        one.node.replicas -= 1
        if not one.node.replicas:
            one.node.empty_since = now_s

    def _room(self) -> int:
        return sum(self.nodes.replicas_per_node - node.replicas for node in self._fleet)

    def _grow(self, now_s: float) -> None:
        """Placeholders that lost their room to a replica are pending: nodes start for them."""
        while self._room() < self.nodes.headroom:
            self._start(now_s)

    def _shrink(self, now_s: float) -> None:
        """Consolidation: nodes that are empty for long enough and whose room is not kept free."""
        for node in [node for node in self._fleet if not node.replicas]:
            rested = max(node.empty_since, node.warm_at) + self.nodes.consolidate_after_s <= now_s
            if rested and self._room() - self.nodes.replicas_per_node >= self.nodes.headroom:
                self._fleet.remove(node)
                self._billed_s += _billed(node, now_s)


def _billed(node: _Node, now_s: float) -> float:
    return max(_LEAST_BILLED_S, now_s - node.asked_at)
