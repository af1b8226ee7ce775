"""Differences of Triton's counters."""

from __future__ import annotations

from recsys.bench.statistics import ModelCounts, since

QUEUE = {"queue": 1_000_000, "compute_input": 100_000, "compute_infer": 4_000_000, "compute_output": 200_000}


def counts(times: int) -> ModelCounts:
    return ModelCounts(
        requests=10 * times,
        rows=30 * times,
        executions=5 * times,
        ns={part: ns * times for part, ns in QUEUE.items()},
        batches={2: times, 8: 4 * times},
    )


def test_only_what_happened_in_between_counts() -> None:
    before = {"dlrm_ranking": counts(2), "query_tower": counts(1)}
    after = {"dlrm_ranking": counts(5), "query_tower": counts(1)}
    (stage,) = since(before, after)
    assert stage["model"] == "dlrm_ranking"
    assert (stage["requests"], stage["executions"], stage["rows_per_execution"]) == (30, 15, 6.0)
    assert (stage["queue_us"], stage["compute_us"], stage["compute_infer_us"]) == (100.0, 430.0, 400.0)
    assert stage["batch_sizes"] == {"2": 3, "8": 12}


def test_models_come_in_the_order_of_the_graph() -> None:
    after = {name: counts(1) for name in ("ensemble_model", "dlrm_ranking", "context_preprocessor")}
    assert [stage["model"] for stage in since({}, after)] == [
        "context_preprocessor",
        "dlrm_ranking",
        "ensemble_model",
    ]
