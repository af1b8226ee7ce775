"""Serving on a cluster: a published release alone, or a full training and what came of it."""

from kfp.dsl import pipeline

from components.roll_out import roll_out as roll_out_step
from pipelines.cluster import RELEASE_MOUNT, on_cpu, with_releases
from pipelines.full_training import full_training

CHART = "/opt/recsys/chart"
"""Where the training image holds the chart."""


@pipeline(name="roll-out", description="Has the cluster serve a published release.")
def roll_out(
    release: int = 0,
    store: str = RELEASE_MOUNT,
    name: str = "recsys",
    namespace: str = "recsys",
    chart: str = CHART,
    in_place: bool = True,
) -> int:
    """Serves a release, on all pods or on none.

    Args:
        release: Its number; 0: the newest that passed its gate.
        store: The release store that the chart reads.
        name: Of Helm's installation.
        namespace: Where it is.
        chart: Folder or address of the chart.
        in_place: Through the chart's promotion, which runs `recsys release promote`; else by new pods.

    Returns:
        The release's number.
    """
    where = {"store": store, "name": name, "namespace": namespace, "chart": chart}
    served = roll_out_step(release=release, in_place=in_place, **where)
    # What is served changes, so nothing is to be taken from a cache.
    with_releases(on_cpu(served, cpu="1", memory="2G")).set_caching_options(False)
    return served.output


@pipeline(name="train-and-roll-out", description="From a data set to a release that the cluster serves.")
def train_and_roll_out(
    data: str,
    store: str = RELEASE_MOUNT,
    recipe: dict = {},  # noqa: B006  (Kubeflow reads the default into the specification)
    sizes: dict = {},  # noqa: B006
    floors: dict = {},  # noqa: B006
    days: list = [],  # noqa: B006
    name: str = "recsys",
    namespace: str = "recsys",
    chart: str = CHART,
    in_place: bool = True,
) -> int:
    """Trains everything anew and serves the release; one that its gate refuses fails here and is not served.

    Args:
        data: Folder or URI of the data set.
        store: The release store, which the chart reads as well.
        recipe: Settings of the training.
        sizes: Settings of the evaluation.
        floors: Settings of the gate.
        days: To train on; empty for the usual ones.
        name: Of Helm's installation.
        namespace: Where it is.
        chart: Folder or address of the chart.
        in_place: See `roll_out`.

    Returns:
        The release's number.
    """
    trained = full_training(data=data, recipe=recipe, sizes=sizes, floors=floors, days=days, store=store)
    where = {"store": store, "name": name, "namespace": namespace, "chart": chart}
    served = roll_out(release=trained.output, in_place=in_place, **where)
    return served.output
