"""One typed place for everything that can be set: environment variables RECSYS_*."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    onnx_backend: Literal["python", "triton-cpu", "triton-gpu"] = Field(
        "python", description="what runs tower and ranker: the Python backend or Triton's own onnxruntime"
    )
    replicas: int = Field(1, ge=1, le=MOST_REPLICAS, description="Triton servers of a local system")
    fused_instances: int = Field(1, ge=1, description="processes of ensemble_fused, each with its own memory")
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


class ValkeySettings(BaseModel):
    """How to reach Valkey (or Redis); every call has a time limit."""

    url: str = "redis://127.0.0.1:6379/0"
    connect_timeout_s: float = Field(0.2, gt=0)
    timeout_s: float = Field(0.1, gt=0)


class SeenSettings(BaseModel):
    """The seen-item Bloom filter."""

    capacity: int = Field(1_000, ge=1, description="items per user and generation")
    error_rate: float = Field(0.01, gt=0, lt=1)
    rotation_s: int = Field(15 * 24 * 3600, ge=1, description="age of a generation; two are kept")
    form: Literal["auto", "native", "bitmap"] = Field(
        "auto",
        description="native: BF.* commands; bitmap: a Lua script; auto: native where the server has it",
    )


class RecentsSettings(BaseModel):
    """A user's newest clicks, which the session tower reads."""

    kept_s: int = Field(
        30 * 24 * 3600, ge=1, description="a click is forgotten at this age; longer than a training window"
    )


class FitSettings(BaseModel):
    """How one model is fitted; see `recsys.models.recipe` for how batch and epochs follow from the rows."""

    epochs: int = Field(1, ge=1)
    most_epochs: int = Field(30, ge=1, description="bound where there are few rows")
    steps_per_epoch: int = Field(150, ge=1, description="the batch is chosen to give at least as many")
    least_steps: int = Field(400, ge=1, description="in all; epochs are added to reach it")
    most_steps: int = Field(2_000, ge=1, description="in all; beyond, rows are seen fewer times")
    largest_batch: int = Field(8_192, ge=1)
    learning_rate: float = Field(0.01, gt=0, description="peak; see recsys.models.recipe.learning_rate")
    patience: int = Field(2, ge=1, description="epochs without a better validation before it stops")


class RetrievalSettings(FitSettings):
    """The two-tower model."""

    query_tower: Literal["static", "context", "session"] = Field(
        "session",
        description="static: the user alone; context: device, hour and weekday as well; session: and the "
        "newest clicks",
    )
    session_width: int = Field(32, ge=1, description="of the session encoder; a multiple of its heads")
    session_heads: int = Field(2, ge=1, description="of the session encoder's attention")
    session_layers: int = Field(1, ge=1, description="of the session encoder")
    session_forget: float = Field(
        0.1, ge=0, lt=1, description="share of training rows whose newest clicks are hidden"
    )
    session_forget_history: float = Field(
        0.0, ge=0, lt=1, description="share of training rows whose long-term history is hidden"
    )
    epochs: int = Field(4, ge=1)
    clicks: int = Field(
        48, ge=0, description="newest clicks a user that the user embedding is derived from; 0: none"
    )
    hidden: int = Field(128, ge=1, description="width of the towers' hidden layer")
    dropout: float = Field(0.1, ge=0, lt=1, description="of the query embedding, in training")
    whole_catalogue: int = Field(8_192, ge=1, description="up to so many items the softmax is over all")
    uniform_negatives: int = Field(4_096, ge=1, description="beyond: as many besides the batch's own items")
    log_q: bool = Field(True, description="beyond: scores are corrected by how often an item is drawn")


class EventSettings(BaseModel):
    """The log of events between the gateway and the behaviour worker."""

    log: Literal["valkey", "sqs"] = Field("valkey", description="a Valkey stream, or an Amazon SQS queue")
    max_length: int = Field(1_000_000, ge=1, description="events kept; beyond it new ones are refused")
    max_attempts: int = Field(5, ge=1, description="deliveries before an event is set aside")
    dedupe_s: int = Field(7 * 24 * 3600, ge=1, description="an event id is remembered at least this long")
    sqs_queue_url: str = ""
    sqs_dead_letter_url: str = ""
    sqs_timeout_s: float = Field(1.0, gt=0, description="time limit of one call to SQS, waiting apart")

    @model_validator(mode="after")
    def _queues_are_named(self) -> EventSettings:
        if self.log == "sqs" and not (self.sqs_queue_url and self.sqs_dead_letter_url):
            raise ValueError("log sqs needs sqs_queue_url and sqs_dead_letter_url")
        return self


class WorkerSettings(BaseModel):
    """The behaviour worker."""

    name: str = Field("", description="consumer of the event log; the host's name when empty")
    batch: int = Field(256, ge=1, le=10_000, description="events taken at a time")
    wait_s: float = Field(0.5, gt=0, le=5, description="how long one read waits for an event")
    claim_after_s: float = Field(5.0, gt=0, description="events of a silent worker are taken over after this")
    offline_s: float = Field(60.0, gt=0, description="how often behaviour goes to the offline store")
    timeout_s: float = Field(2.0, gt=0, description="time limit of one call to Valkey")
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(0, ge=0, le=65535, description="for Prometheus; 0: any free port")


class PopularitySettings(BaseModel):
    """Decayed interaction counts."""

    half_life_s: int = Field(24 * 3600, ge=1)
    trending_half_life_s: int = Field(3600, ge=1)
    size: int = Field(1_000, ge=1, description="items kept a list")


class RankingSettings(FitSettings):
    """The ranker."""

    model: Literal["dlrm", "dcn-v2"] = Field("dlrm", description="see recsys.models.dlrm.build")
    cross_layers: int = Field(2, ge=1, description="of dcn-v2")
    steps_per_epoch: int = Field(300, ge=1, description="the batch is chosen to give at least as many")
    learning_rate: float = Field(0.002, gt=0, description="peak; see recsys.models.recipe.learning_rate")
    newest_rows: int = Field(120_000, ge=1, description="rows to train on: the newest say most")
    embedding_dim: int = Field(32, ge=1, description="width of each category's embedding")
    bottom: tuple[int, ...] = Field((64,), description="hidden layers over the numbers and embeddings")
    top: tuple[int, ...] = Field((64, 32), description="hidden layers over the interactions")
    negatives: int = Field(15, ge=1, description="items that each click is ranked against")
    retrieved_share: float = Field(0.8, ge=0, le=1, description="of them, drawn as retrieval would show them")
    popular_share: float = Field(0.1, ge=0, le=1, description="drawn by popularity, like in-batch negatives")
    validation_rows: int = Field(4_000, ge=0, description="clicks of the last day held out, at most")
    intent: int = Field(16, ge=0, description="width of the network over the newest clicks; 0: none")
    popularity: bool = Field(False, description="whether it is told how popular an item is right now")
    head_loss: float = Field(
        0.1, ge=0, description="weight of carts' and purchases' losses; 0: no such heads"
    )
    cart_value: float = Field(
        0.0, ge=0, description="clicks that putting into the cart is worth in the score"
    )
    purchase_value: float = Field(0.0, ge=0, description="clicks that a purchase is worth, beside the cart's")

    @property
    def uniform_share(self) -> float:
        """What is left: drawn from the whole catalogue alike."""
        return 1 - self.retrieved_share - self.popular_share


class GatewaySettings(BaseModel):
    """The shops' door: HTTP in front of Triton."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535, description="0: any free port")
    triton: str = Field("", description="host:port of Triton's gRPC service; this machine's when empty")
    keys_file: Path | None = Field(None, description="hashed API keys; <home>/gateway/keys.json when not set")
    mode: Literal["ensemble", "precomputed"] = Field(
        "ensemble", description="precomputed: batch answers first, the ensemble for users without one"
    )
    deadline_s: float = Field(0.4, gt=0, description="longest an answer may take; callers may ask for less")
    max_calls: int = Field(32, ge=1, description="calls to Triton under way; beyond it fallbacks answer")
    reserve_s: float = Field(0.12, gt=0, description="part of the deadline that is kept for a fallback")
    batch_size: int = Field(32, ge=1, le=64, description="users in one call to Triton at most")
    batch_wait_s: float = Field(0.001, ge=0, le=0.1, description="wait for company while others are asked")
    batch_lanes: int = Field(2, ge=1, description="calls at once; beyond it users gather until one ends")
    max_body_bytes: int = Field(262_144, ge=1_024)
    rate_per_s: float = Field(500.0, gt=0, description="requests a second and key")
    burst: int = Field(1_000, ge=1, description="requests of a key at once")
    popular_refresh_s: float = Field(10.0, gt=0, description="how often the popular list is read")
    precompute_items: int = Field(50, ge=1, description="items of a batch answer")
    precompute_ttl_s: int = Field(2 * 24 * 3600, ge=1, description="life of a batch answer")

    @model_validator(mode="after")
    def _reserve_fits(self) -> GatewaySettings:
        if self.reserve_s >= self.deadline_s:
            raise ValueError("reserve_s must be less than deadline_s")
        return self


class EvaluationSettings(BaseModel):
    """How much a release is measured on."""

    rows: int = Field(40_000, ge=1, description="clicks of the validation days")
    anonymous_rows: int = Field(10_000, ge=1, description="of them, seen again as nobody's")
    unseen_rows: int = Field(20_000, ge=1, description="of them, seen again with the seen items dropped")
    auc_rows: int = Field(40_000, ge=2, description="rows for the ranker's AUC")


class TrainingSettings(BaseModel):
    """The training recipe; the defaults are what the repository's results were measured with."""

    seed: int = 42
    mask_user_share: float = Field(0.05, ge=0, le=1)
    mask_device_share: float = Field(0.05, ge=0, le=1)
    validation_share: float = Field(0.2, ge=0, lt=1, description="of the last day's users, not trained on")
    validation_rows: int = Field(4_000, ge=0, description="their clicks, at most")
    retrieval: RetrievalSettings = RetrievalSettings()
    ranking: RankingSettings = RankingSettings()


class FinetuneSettings(BaseModel):
    """How a release learns new days; what is not named here is as its parent was trained."""

    replay_share: float = Field(0.5, ge=0, description="rows of older days for each row of the new ones")
    replay_half_life_days: float = Field(4.0, gt=0, description="a row so much older is half as likely")
    retrieval: FitSettings = FitSettings(
        epochs=1, steps_per_epoch=100, least_steps=100, largest_batch=4_096, learning_rate=0.001
    )
    ranking: FitSettings = FitSettings(epochs=1, steps_per_epoch=150, least_steps=100, learning_rate=0.0005)


class DaskSettings(BaseModel):
    """Where NVTabular's statistics over training rows are computed; see `recsys.features.backend`."""

    cluster: str = Field(
        "off",
        pattern=r"^(off|local|cuda|[a-z]+://\S+)$",
        description="off: in the step's own process; local: processes here; cuda: one for each GPU "
        "(dask-cuda); tcp://host:port: a scheduler that runs",
    )
    workers: int = Field(2, ge=1, description="processes of local")
    memory_mb: int = Field(2_000, ge=100, description="of each of them; beyond it Dask spills to disk")
    gpu_pool: float = Field(0.5, gt=0, lt=1, description="share of a GPU's memory that cuda takes at once")
    timeout_s: float = Field(60.0, gt=0, description="to reach the scheduler")


class EncoderSettings(BaseModel):
    """What turns texts and images into vectors; see `recsys.encoders.encoder.make_encoder`."""

    text: str = Field("tfidf-svd", description="tfidf-svd, sentence-transformers:NAME or clip:NAME")
    image: str = Field("color-shape", description="color-shape or clip:NAME")


class GateSettings(BaseModel):
    """What a release must reach before it may be served; see `recsys.release.gate`.

    A limit holds for the whole interval of a value. `kept_*` are shares of what the parent reaches.
    """

    retrieval_hit: float = Field(0.3, ge=0, le=1, description="least retrieval hit@300")
    ranker_auc: float = Field(0.55, ge=0, le=1, description="least AUC of the ranker")
    over_popularity: float = Field(0.9, ge=0, description="least chain hit@10, as a share of popularity's")
    over_retrieval: float = Field(0.99, ge=0, description="least chain NDCG@10, as a share of retrieval's")
    coverage: float = Field(0.01, ge=0, le=1, description="least share of the items in anyone's first ten")
    alive: float = Field(0.2, ge=0, le=1, description="least share of the items that retrieval ever finds")
    calibration_error: float = Field(0.25, ge=0, le=1, description="greatest ECE of the ranker")
    parity: float = Field(1e-3, ge=0, description="greatest distance of an export from the trained model")
    kept_retrieval: float = Field(0.98, ge=0, description="retrieval hit@300")
    kept_chain: float = Field(0.98, ge=0, description="chain NDCG@10")
    kept_auc: float = Field(0.98, ge=0, description="AUC of the ranker")
    kept_coverage: float = Field(0.8, ge=0, description="coverage@10 of the chain")
    kept_alive: float = Field(0.9, ge=0, description="share of the items that retrieval finds")
    calibration_loss: float = Field(0.02, ge=-1, le=1, description="greatest ECE above the parent's")
    compare: bool = Field(True, description="with the parent; false lets a release pass on the floors alone")
    latency: float = Field(1.15, gt=0, description="greatest time of a request's models, of the parent's")
    rounds: int = Field(150, ge=3, description="rounds in which a release and its parent take turns")
    resamples: int = Field(1_000, ge=50, description="draws of an interval")
    confidence: float = Field(0.95, gt=0, lt=1, description="share of the draws inside an interval")
    seed: int = 0


class PromotionSettings(BaseModel):
    """How a release is put before the shop; see `recsys.release.promote`."""

    at_once: int = Field(1, ge=1, description="replicas that load at the same time")
    standby: bool = Field(True, description="keep the release before loaded, so that going back is instant")
    drain_s: float = Field(1.0, ge=0, description="between the switch and the unloading of the old release")
    load_s: float = Field(120.0, gt=0, description="longest that one model may take to load")
    requests: int = Field(16, ge=1, description="recorded requests that warm a replica and are compared")
    tolerance: float = Field(1e-5, ge=0, description="of scores, between a replica and the release itself")
    agent_port: int = Field(8003, ge=0, le=65535, description="of the agent beside each Triton on a cluster")
    admin_key: SecretStr = Field(SecretStr(""), description="of Triton's model control and of the agents")


class TrialSettings(BaseModel):
    """A challenger beside the release that is served; see `recsys.online.trial`."""

    refresh_s: float = Field(1.0, gt=0, description="how often a gateway reads which challenger there is")
    recorded: int = Field(256, ge=1, description="requests kept to warm the next release with")
    record_every_s: float = Field(1.0, ge=0, description="least time between two requests that are kept")
    queue: int = Field(256, ge=1, description="copies and exposures that wait; beyond it they are dropped")
    exposures: int = Field(200_000, ge=1, description="exposures kept")
    shown: int = Field(10, ge=1, le=100, description="first items of an answer that count as shown")


class ReleaseSettings(BaseModel):
    """The store of releases."""

    keep: int = Field(0, ge=0, description="newest releases left after each publication; 0: all")


class MlflowSettings(BaseModel):
    """MLflow as tracking server and registry beside the store; nothing that serves needs it."""

    uri: str = Field("", description="such as sqlite:////srv/mlflow.db or https://mlflow; empty: not used")
    experiment: str = "recsys"
    model: str = Field("recsys", description="name in the registry; its versions are the releases")
    timeout_s: int = Field(10, ge=1, description="time limit of one call")


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
