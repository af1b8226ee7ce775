"""A release onto the cluster."""

from kfp.dsl import component

from components.image import TRAINING_IMAGE


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def roll_out(release: int, store: str, name: str, namespace: str, chart: str, in_place: bool) -> int:
    """Has Helm serve a release: `helm upgrade --install` with its number.

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
    from recsys.kubeflow.events import report
    from recsys.kubeflow.roll_out import roll_out as serve

    number = serve(store, release, name=name, namespace=namespace, chart=chart, in_place=in_place)
    report(f"release {number} is served", 1.0)
    return number
