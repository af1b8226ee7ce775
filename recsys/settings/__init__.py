"""One typed place for everything that can be set: environment variables RECSYS_*."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.settings.online import (
    EventSettings,
    GatewaySettings,
    PopularitySettings,
    RecentsSettings,
    SeenSettings,
    ValkeySettings,
    WorkerSettings,
)
from recsys.settings.releases import (
    GateSettings,
    MlflowSettings,
    PromotionSettings,
    ReleaseSettings,
    TrialSettings,
)
from recsys.settings.serving import MOST_REPLICAS, ServingSettings
from recsys.settings.training import (
    DaskSettings,
    EncoderSettings,
    EvaluationSettings,
    FinetuneSettings,
    FitSettings,
    RankingSettings,
    RetrievalSettings,
    TrainingSettings,
)

__all__ = [
    "MOST_REPLICAS",
    "DaskSettings",
    "EncoderSettings",
    "EvaluationSettings",
    "EventSettings",
    "FinetuneSettings",
    "FitSettings",
    "GateSettings",
    "GatewaySettings",
    "MlflowSettings",
    "PopularitySettings",
    "PromotionSettings",
    "RankingSettings",
    "RecentsSettings",
    "ReleaseSettings",
    "RetrievalSettings",
    "SeenSettings",
    "ServingSettings",
    "Settings",
    "TrainingSettings",
    "TrialSettings",
    "ValkeySettings",
    "WorkerSettings",
    "get_settings",
]


class Settings(BaseSettings):
    """All settings; `RECSYS_SERVING__RANKED=200` sets `serving.ranked`."""

    model_config = SettingsConfigDict(env_prefix="RECSYS_", env_nested_delimiter="__", extra="ignore")

    profile: Literal["local", "eks"] = "local"
    home: Path = Path("var")
    gpu: bool = Field(False, description="cuDF, CuPy, faiss-gpu and onnxruntime's CUDA provider")
    serving: ServingSettings = ServingSettings()
    valkey: ValkeySettings = ValkeySettings()
    seen: SeenSettings = SeenSettings()
    recents: RecentsSettings = RecentsSettings()
    events: EventSettings = EventSettings()
    worker: WorkerSettings = WorkerSettings()
    popularity: PopularitySettings = PopularitySettings()
    gateway: GatewaySettings = GatewaySettings()
    training: TrainingSettings = TrainingSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    encoders: EncoderSettings = EncoderSettings()
    dask: DaskSettings = DaskSettings()
    gate: GateSettings = GateSettings()
    releases: ReleaseSettings = ReleaseSettings()
    mlflow: MlflowSettings = MlflowSettings()
    promotion: PromotionSettings = PromotionSettings()
    trial: TrialSettings = TrialSettings()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once from the environment.

    Raises:
        pydantic.ValidationError: A variable holds a value that is out of range.
    """
    return Settings()
