"""`recsys demo`: everything once, from data to recommendations."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli import pipeline, recommend, services
from recsys.cli.options import Device
from recsys.cli.output import results
from recsys.cli.steps import Steps
from recsys.schema import UNKNOWN
from recsys.settings import get_settings

_SUNDAY_EVENING = "2025-08-10T19:00"
_TUESDAY_MORNING = "2025-08-12T08:30"

_AFTERWARDS = """
Ask again
  {recsys} recommend --user {user} --device mobile --at {evening}
  {recsys} recommend --top 5 --json

  curl -s http://{http}/v2/models/ensemble_model/infer -d \\
    '{{"inputs": [{{"name": "user_id", "datatype": "INT64", "shape": [1, 1], "data": [{user}]}}]}}'

  {python} - <<'END'
  import numpy, tritonclient.grpc as triton
  user = triton.InferInput("user_id", [1, 1], "INT64")
  user.set_data_from_numpy(numpy.array([[{user}]]))
  answer = triton.InferenceServerClient("{grpc}").infer("ensemble_model", [user])
  print(answer.as_numpy("ordered_ids")[0, :10])
  END

Look and stop
  {recsys} status
  {recsys} evaluate
  {recsys} down
"""


def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of a data set; left out: a synthetic shop.", show_default=False),
    ] = None,
) -> None:
    """Train on a data set, start everything, and show recommendations."""
    from recsys.release.store import ReleaseStore

    steps = Steps()
    source = _synthetic(steps) if data is None else data
    release = pipeline.train(source, steps)
    # The demo shows what it just trained, also where an earlier release was served.
    ReleaseStore(get_settings().home / "releases").set_current(release)
    services.start(steps)
    user = known_user(get_settings().home / "data")
    for who, device, at in (
        (user, Device.MOBILE, _SUNDAY_EVENING),
        (UNKNOWN, Device.MOBILE, _SUNDAY_EVENING),
        (user, Device.DESKTOP, _TUESDAY_MORNING),
    ):
        results.print()
        recommend.show(recommend.ask(who, device, at), recommend.headline(who, device, at))
    results.print(_afterwards(user), soft_wrap=True, markup=False)
    results.print(_summary(release, steps.seconds), soft_wrap=True)


def known_user(data: Path) -> int:
    """The most active user of the last day that was trained on; of several the smallest id.

    Args:
        data: Folder of a clean data set.
    """
    from recsys.data.dataset import Dataset
    from recsys.schema import TRAIN_DAYS

    dataset = Dataset.open(data)
    last = max((day for day in dataset.days if day in TRAIN_DAYS), default=dataset.days[-1])
    counts = dataset.interactions([last])["user_id"].value_counts()
    return int(counts.index[counts == counts.max()].min())


def _summary(release: int, seconds: float) -> str:
    from recsys.release.store import ReleaseStore

    scores = ReleaseStore(get_settings().home / "releases").show(release).metrics
    chain, popularity = scores["chain"]["hit@10"], scores["baselines"]["popularity"]["hit@10"]
    return (
        f"Release {release} after {seconds:.0f} s. Of {scores['rows']:,} clicks on later days {chain:.1%} "
        f"are among its first 10; the 10 most popular items hold {popularity:.1%}."
    )


def _synthetic(steps: Steps) -> Path:
    """The synthetic shop of this home, made at the first time."""
    from recsys.data.synthetic import generate

    folder = get_settings().home / "synthetic"
    if not (folder / "meta.json").is_file():
        with steps.step("Synthetic shop") as note:
            generate(folder, progress=note)
    return folder


def _afterwards(user: int) -> str:
    home = get_settings().home
    option = "" if home.absolute() == Path("var").absolute() else f" --home {shlex.quote(_short(home))}"
    triton = services.document()["services"]["triton"]
    return _AFTERWARDS.format(
        recsys=shlex.quote(_short(Path(sys.executable).with_name("recsys"))) + option,
        python=shlex.quote(_short(Path(sys.executable))),
        user=user,
        evening=_SUNDAY_EVENING,
        http=triton["http"],
        grpc=triton["grpc"],
    )


def _short(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return str(path.absolute().relative_to(here)) if path.absolute().is_relative_to(here) else str(path)
