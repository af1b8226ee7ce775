"""What Triton counted: how long requests waited at each model, and how long it computed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from recsys.errors import Unavailable
from recsys.serving.graph import MODELS

Stages = list[dict[str, Any]]
"""See `since`."""

_TIMEOUT_S: Final = 10.0
_PARTS: Final = ("queue", "compute_input", "compute_infer", "compute_output")


@dataclass(frozen=True)
class ModelCounts:
    """One model's counters since the server started, all versions together.

    Attributes:
        requests: Answered requests.
        rows: Their rows.
        executions: Calls of the model; several requests may share one.
        ns: Nanoseconds, summed over requests, by part: queue, compute_input, compute_infer, compute_output.
        batches: Rows of an execution -> how often.
    """

    requests: int = 0
    rows: int = 0
    executions: int = 0
    ns: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_PARTS, 0))
    batches: dict[int, int] = field(default_factory=dict)


def fetch(target: str) -> dict[str, ModelCounts]:
    """Every model's counters.

    Args:
        target: `host:port` of Triton's gRPC service.

    Raises:
        Unavailable: The server did not answer.
    """
    try:
        with InferenceServerClient(target) as client:
            found = client.get_inference_statistics(client_timeout=_TIMEOUT_S)
    except InferenceServerException as error:
        raise Unavailable(
            f"Triton at {target}", str(error.message()) or "no answer", "Start it with `recsys up`"
        ) from error
    counts: dict[str, ModelCounts] = {}
    for each in found.model_stats:
        counts[each.name] = _add(counts.get(each.name, ModelCounts()), each)
    return counts


def since(before: dict[str, ModelCounts], after: dict[str, ModelCounts]) -> Stages:
    """What happened between two readings.

    Returns:
        For each model that was asked, in the graph's order: its name; requests, executions and rows; the
        mean microseconds of a request in the queue and in computing, the latter also in parts; and how many
        executions had how many rows.
    """
    stages = []
    for name in sorted(after, key=_place):
        old, new = before.get(name, ModelCounts()), after[name]
        requests = new.requests - old.requests
        if not requests:
            continue
        mean = {part: (new.ns[part] - old.ns[part]) / requests / 1e3 for part in _PARTS}
        batches = Counter(new.batches)
        batches.subtract(old.batches)
        executions = new.executions - old.executions
        stages.append(
            {
                "model": name,
                "requests": requests,
                "executions": executions,
                "rows_per_execution": round((new.rows - old.rows) / max(1, executions), 2),
                "queue_us": round(mean["queue"], 1),
                "compute_us": round(sum(mean.values()) - mean["queue"], 1),
                **{f"{part}_us": round(mean[part], 1) for part in _PARTS[1:]},
                "batch_sizes": {str(rows): count for rows, count in sorted(batches.items()) if count},
            }
        )
    return stages


def _add(counts: ModelCounts, found: Any) -> ModelCounts:
    stats = found.inference_stats
    batches = Counter(counts.batches)
    batches.update({int(each.batch_size): int(each.compute_infer.count) for each in found.batch_stats})
    return ModelCounts(
        requests=counts.requests + stats.success.count,
        rows=counts.rows + found.inference_count,
        executions=counts.executions + found.execution_count,
        ns={part: counts.ns[part] + getattr(stats, part).ns for part in _PARTS},
        batches=dict(batches),
    )


def _place(name: str) -> tuple[int, str]:
    order = [model.name for model in MODELS]
    return (order.index(name) if name in order else len(order), name)
