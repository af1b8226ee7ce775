"""Daily fine-tuning: a release learns the days since its training.

Items, their embeddings, the index and the vocabularies stay: the query tower and the ranker learn. So a run
is short, and what it publishes shares most of its files with its parent. Parent and child are measured on the
same rows, those of the days after.
"""

from kfp.dsl import Dataset, importer, pipeline

from components.assemble_daily import assemble_daily
from components.daily_features import daily_features
from components.evaluate import evaluate
from components.finetune import finetune
from components.gate import gate
from components.promote import promote
from components.publish import publish
from components.remeasure import remeasure
from components.take_parent import take_parent
from components.validate import validate
from pipelines.cluster import RELEASE_MOUNT, on_cpu, on_gpu, with_releases


@pipeline(
    name="daily-finetuning",
    description="From a release and the days since, to a release that has learned them.",
)
def daily_finetuning(
    data: str,
    days: list = [],  # noqa: B006  (Kubeflow reads the default into the specification)
    release: int = 0,
    recipe: dict = {},  # noqa: B006
    measure: dict = {},  # noqa: B006
    sizes: dict = {},  # noqa: B006
    floors: dict = {},  # noqa: B006
    store: str = RELEASE_MOUNT,
    fingerprint: str = "",
    settings_fingerprint: str = "",
    hold: bool = False,
) -> int:
    """Learns new days.

    Args:
        data: Folder or URI of the data set, new days included.
        days: The days to learn; empty for all newer than the parent's but the newest one, which judges.
        release: The parent; 0 for the current release.
        recipe: Settings of the fine-tuning; what is left out has its default.
        measure: Settings of the training, as far as the evaluation depends on them.
        sizes: Settings of the evaluation and of the chain that it runs.
        floors: Settings of the gate.
        store: The release store: a folder, by default the mounted volume's, or a URL.
        fingerprint: Of all inputs, to find the release again by.
        settings_fingerprint: Of the settings.
        hold: Publish only; promotion is left to whoever runs the pipeline.

    Returns:
        The release number.
    """
    source = importer(artifact_uri=data, artifact_class=Dataset).output
    taken = take_parent(source=source, store=store, release=release, days=days)
    # What is current changes from night to night.
    with_releases(on_cpu(taken)).set_caching_options(False)
    parent, new_days = taken.outputs["parent"], taken.outputs["new_days"]
    clean = on_cpu(validate(source=source, days=taken.outputs["all_days"])).outputs["data"]
    rows = on_cpu(
        daily_features(
            data=clean,
            parent=parent,
            new_days=new_days,
            older_days=taken.outputs["older_days"],
            recipe=recipe,
        )
    ).outputs["rows"]
    tuned = on_gpu(finetune(parent=parent, rows=rows, recipe=recipe)).outputs
    assembled = on_cpu(
        assemble_daily(
            data=clean,
            parent=parent,
            towers=tuned["towers"],
            ranker=tuned["ranker"],
            new_days=new_days,
        )
    ).outputs["release"]
    before = on_cpu(remeasure(current=parent, data=clean, sizes=sizes))
    after = on_cpu(evaluate(release=assembled, data=clean, recipe=measure, sizes=sizes))
    decision = on_cpu(
        gate(
            release=assembled,
            evaluation=after.outputs["evaluation"],
            parent=parent,
            parent_evaluation=before.outputs["evaluation"],
            floors=floors,
        )
    )
    published = publish(
        release=assembled,
        evaluation=after.outputs["evaluation"],
        data=clean,
        judgement=decision.outputs["judgement"],
        store=store,
        fingerprint=fingerprint,
        settings_fingerprint=settings_fingerprint,
        parent=taken.outputs["number"],
    )
    with_releases(on_cpu(published)).set_caching_options(False)
    promoted = promote(
        release=published.output,
        parent=taken.outputs["number"],
        reason=decision.outputs["Output"],
        store=store,
        hold=hold,
    )
    with_releases(on_cpu(promoted)).set_caching_options(False)
    return published.output
