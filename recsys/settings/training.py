"""Settings of training, fine-tuning and evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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
    session_width: int = Field(64, ge=1, description="of the session encoder; a multiple of its heads")
    session_heads: int = Field(2, ge=1, description="of the session encoder's attention")
    session_layers: int = Field(1, ge=1, description="of the session encoder")
    session_forget: float = Field(
        0.1, ge=0, lt=1, description="share of training rows whose newest clicks are hidden"
    )
    session_forget_history: float = Field(
        0.0, ge=0, lt=1, description="share of training rows whose long-term history is hidden"
    )
    epochs: int = Field(4, ge=1)
    learning_rate: float = Field(0.0046, gt=0, description="peak; see recsys.models.recipe.learning_rate")
    clicks: int = Field(
        48, ge=0, description="newest clicks a user that the user embedding is derived from; 0: none"
    )
    hidden: int = Field(128, ge=1, description="width of the towers' hidden layer")
    dropout: float = Field(0.1, ge=0, lt=1, description="of the query embedding, in training")
    whole_catalogue: int = Field(8_192, ge=1, description="up to so many items the softmax is over all")
    uniform_negatives: int = Field(4_096, ge=1, description="beyond: as many besides the batch's own items")
    log_q: bool = Field(True, description="beyond: scores are corrected by how often an item is drawn")


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
        epochs=1, steps_per_epoch=200, least_steps=200, largest_batch=4_096, learning_rate=0.0005
    )
    ranking: FitSettings = FitSettings(epochs=1, steps_per_epoch=40, least_steps=40, learning_rate=0.0005)


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
