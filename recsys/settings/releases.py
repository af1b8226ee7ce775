"""Settings of releases: what they must reach, how they are put before the shop."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr


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
