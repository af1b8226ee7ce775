"""First step: a clean copy of the data set."""

from kfp.dsl import Dataset, Input, Metrics, Output, component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def validate(
    source: Input[Dataset],
    data: Output[Dataset],
    report: Output[Metrics],
    days: list = [],  # noqa: B006  (Kubeflow reads the default into the specification)
) -> None:
    """Checks a data set and writes a clean copy; bad rows are set aside and counted.

    Args:
        source: The data set as it came.
        data: Its clean copy, with `quarantine.parquet`, `validation.json` and, where days are given,
            `split.json`.
        report: Rows read and rows set aside.
        days: Those to train on; the next ones validate. Empty for the usual ones.
    """
    from recsys.data.dataset import Dataset as ShopData
    from recsys.data.splits import write_split
    from recsys.data.validate import validate as validate_data
    from recsys.kubeflow.events import report as say

    found = validate_data(source.path, data.path, say)
    if days:
        write_split(ShopData.open(data.path), [int(day) for day in days])
    report.log_metric("quarantined", found.quarantined)
    for name, table in found.tables.items():
        report.log_metric(f"{name} rows", table.rows)
