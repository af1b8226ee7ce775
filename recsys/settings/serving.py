"""Settings of the served ensemble."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field, model_validator

from recsys.compiler import can_embed_python

MOST_REPLICAS: Final = 16
"""Triton servers of a local system, at most."""


class ServingSettings(BaseModel):
    """Widths and limits of the served ensemble."""

    retrieved: int = Field(400, ge=1, description="R, candidates from the index")
    ranked: int = Field(300, ge=1, description="K, candidates that reach the ranker")
    returned: int = Field(100, ge=1, description="N, items in an answer")
    max_batch_size: int = Field(64, ge=1)
    variant: Literal["ensemble", "fused"] = Field(
        "ensemble",
        description="ensemble: fourteen models; fused: their stages in one process, ensemble_fused",
    )
    stages: Literal["processes", "embedded"] = Field(
        default_factory=lambda: "embedded" if can_embed_python() else "processes",
        description="all in Triton's own process, which needs a C compiler and is the default where one is; "
        "or a Python process for each model",
    )
    onnx_backend: Literal["python", "triton-cpu", "triton-gpu"] = Field(
        "python", description="what runs tower and ranker: the Python backend or Triton's own onnxruntime"
    )
    replicas: int = Field(1, ge=1, le=MOST_REPLICAS, description="Triton servers of a local system")
    fused_instances: int = Field(1, ge=1, description="of ensemble_fused; processes where stages run in some")
    ranker_threads: int = Field(2, ge=1, le=64, description="users of one request ranked side by side")
    load_nice: int = Field(5, ge=0, le=19, description="how much loading models yield to answering ones")
    http_port: int = Field(8000, ge=0, le=65535, description="0: any free port")
    grpc_port: int = Field(8001, ge=0, le=65535)
    metrics_port: int = Field(8002, ge=0, le=65535)
    request_timeout_s: float = Field(2.0, gt=0)
    item_refresh_s: float = Field(60.0, gt=0, description="how often Feast's item values are re-read")
    sampling: Literal["top", "weighted"] = Field("top", description="weighted: without replacement, seeded")
    temperature: float = Field(0.1, gt=0, description="of the softmax over an answer's scores")
    sampling_temperature: float = Field(
        0.005, gt=0, description="of the draws of a weighted answer; lower is closer to the best by score"
    )
    sampling_seed: int = Field(0, ge=0)
    diversity: float = Field(0.0, ge=0, le=1, description="weight of difference; 0: by score alone")
    diversity_by: Literal["mmr", "dpp"] = Field("mmr", description="how difference is weighed")
    max_per_category: int = Field(0, ge=0, description="items of a top-level category in an answer; 0: any")
    explore: float = Field(
        0.0, ge=0, description="temperature of answers that try things, their chances put out; 0: none"
    )
    popular_places: int = Field(4, ge=0, description="candidates that are popular over all")
    category_places: int = Field(4, ge=0, description="candidates popular in the user's top category")
    trending_places: int = Field(4, ge=0, description="candidates popular within the last hour or so")
    sources_refresh_s: float = Field(10.0, gt=0, description="how often these lists are read")
    index_shards: str = Field(
        "",
        pattern=r"^([\w.-]+:\d+(,[\w.-]+:\d+)*)?$",
        description="host:port,… of the servers that hold the index in parts; empty: it is in this process",
    )
    index_timeout_s: float = Field(0.15, gt=0, description="time limit of a call to each of them")
    index_silence: Literal["others", "error"] = Field(
        "others", description="one does not answer: the others' candidates, flagged, or an error"
    )

    @model_validator(mode="after")
    def _widths_narrow(self) -> ServingSettings:
        if not self.returned <= self.ranked <= self.retrieved:
            raise ValueError("widths must narrow: returned <= ranked <= retrieved")
        return self
