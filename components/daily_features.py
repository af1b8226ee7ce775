"""Rows of the new days and a replay sample, as the parent's workflows expect them."""

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def daily_features(
    data: Input[Dataset],
    parent: Input[Model],
    new_days: list,
    older_days: list,
    recipe: dict,
    rows: Output[Dataset],
    counts: Output[Metrics],
) -> None:
    """Joins the rows point-in-time and counts what the parent's vocabulary does not know.

    Args:
        data: The validated data set.
        parent: The release that learns.
        new_days: The days to learn.
        older_days: Those that a sample is replayed of.
        recipe: Settings of the fine-tuning.
        rows: `rows.parquet`, raw rows with cold-start masking.
        counts: Rows, and new users and items, which have no code of their own.
    """
    from pathlib import Path

    from recsys.data.dataset import Dataset as ShopData
    from recsys.features.daily import daily_rows
    from recsys.kubeflow.events import report
    from recsys.kubeflow.recipe import settings_of

    new, older = ([int(day) for day in days] for days in (new_days, older_days))
    settings = settings_of({"finetune": recipe}).finetune
    report(f"joining {len(new)} new days and a sample of {len(older)} older ones")
    made = daily_rows(ShopData.open(data.path), Path(parent.path), new, older, settings)
    Path(rows.path).mkdir(parents=True)
    made.frame.to_parquet(Path(rows.path) / "rows.parquet", index=False)
    for name, count in made.counts.items():
        counts.log_metric(name.replace("_", " "), count)
    report(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in made.counts.items()), 1.0)
