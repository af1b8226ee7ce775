"""Full training: from a data set to a release.

The release is put together before it is evaluated, not after: so what is measured is, byte for byte,
what is published.
"""

from kfp.dsl import Dataset, importer, pipeline

from components.assemble_release import assemble_release
from components.build_index import build_index
from components.encode_items import encode_items
from components.evaluate import evaluate
from components.features import features
from components.gate import gate
from components.publish import publish
from components.remeasure import remeasure
from components.take_current import take_current
from components.train_ranking import train_ranking
from components.train_retrieval import train_retrieval
from components.validate import validate
from pipelines.cluster import RELEASE_MOUNT, on_cpu, on_gpu, with_releases


@pipeline(
    name="full-training",
    description="From a data set to an evaluated, published release.",
)
def full_training(
    data: str,
    recipe: dict = {},  # noqa: B006  (Kubeflow reads the default into the specification)
    sizes: dict = {},  # noqa: B006
    floors: dict = {},  # noqa: B006
    days: list = [],  # noqa: B006
    store: str = RELEASE_MOUNT,
    fingerprint: str = "",
    settings_fingerprint: str = "",
) -> int:
    """Trains everything anew.

    Args:
        data: Folder or URI of the data set.
        recipe: Settings of the training; what is left out has its default.
        sizes: Settings of the evaluation and of the chain that it runs.
        floors: Settings of the gate.
        days: To train on; the next ones validate. Empty for the usual ones.
        store: The release store: a folder, by default the mounted volume's, or a URL.
        fingerprint: Of all inputs, to find the release again by.
        settings_fingerprint: Of the settings.

    Returns:
        The release number.
    """
    source = importer(artifact_uri=data, artifact_class=Dataset).output
    clean = on_cpu(validate(source=source, days=days)).outputs["data"]
    made = on_gpu(features(data=clean, recipe=recipe)).outputs
    tables = on_cpu(encode_items(data=clean, recipe=recipe)).outputs["tables"]
    examples = {"rows": made["rows"], "workflows": made["workflows"], "tables": tables, "data": clean}
    towers = on_gpu(train_retrieval(recipe=recipe, **examples)).outputs["towers"]
    ranker = on_gpu(train_ranking(recipe=recipe, towers=towers, **examples)).outputs["ranker"]
    parts = {"data": clean, "serving": made["serving"], "tables": tables, "towers": towers}
    index = on_cpu(build_index(**parts)).outputs["index"]
    release = on_cpu(assemble_release(ranker=ranker, index=index, **parts)).outputs["release"]
    evaluated = on_cpu(evaluate(release=release, data=clean, recipe=recipe, sizes=sizes))
    taken = with_releases(on_cpu(take_current(store=store)))
    taken.set_caching_options(False)  # what is current changes
    current = taken.outputs["current"]
    before = on_cpu(remeasure(current=current, data=clean, sizes=sizes))
    decision = on_cpu(
        gate(
            release=release,
            evaluation=evaluated.outputs["evaluation"],
            parent=current,
            parent_evaluation=before.outputs["evaluation"],
            floors=floors,
        )
    )
    published = publish(
        release=release,
        evaluation=evaluated.outputs["evaluation"],
        data=clean,
        judgement=decision.outputs["judgement"],
        store=store,
        fingerprint=fingerprint,
        settings_fingerprint=settings_fingerprint,
    )
    # A cached answer would name a release that the store may no longer hold.
    with_releases(on_cpu(published)).set_caching_options(False)
    return published.output
