"""`recsys tune`: search better settings for the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli.evaluate_tables import change, ends
from recsys.cli.options import Json
from recsys.cli.output import print_json, results, table
from recsys.cli.steps import Steps
from recsys.errors import BadUse
from recsys.settings import Settings, get_settings

_TUNED_ROWS = 10_000
_SHOWN = 5


def tune(
    *,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of a data set; left out: the one trained on.", show_default=False),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="How many the study shall have in all.")] = 20,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="After which no further trial begins.", show_default=False)
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="One trial with the settings as they are, for Katib: ndcg=….")
    ] = False,
    katib: Annotated[
        bool, typer.Option("--katib", help="Write the same search as a Katib experiment instead.")
    ] = False,
    image: Annotated[str, typer.Option(help="With --katib: the container image of a trial.")] = "",
    judged: Annotated[
        int,
        typer.Option(
            "--judge", min=0, help="Then train recipe and best with so many seeds; 0: not.", metavar="SEEDS"
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """Search the recipe's settings on the training days alone; the study goes on where it stopped.

    The study is kept in <home>/tune/study.db. The last two training days stand in for the days after. With
    --judge the best settings meet the recipe on the real days after, which no trial saw.
    """
    settings = get_settings()
    if judged == 1:
        raise BadUse("--judge 1", "one training tells nothing of luck", "Give at least 2 seeds")
    if katib:
        from recsys.tune.katib import experiment

        print(experiment(settings, trials, image), end="")
        return
    from recsys.data.dataset import Dataset
    from recsys.local.shop_data import imported
    from recsys.tune.runs import Bench
    from recsys.tune.seeds import value
    from recsys.tune.study import OBJECTIVE, inner_days
    from recsys.tune.study import tune as search

    folder = data or imported(settings.home)
    bench = Bench(folder, settings.home / "tune", inner_days(Dataset.open(folder)), "popularity")
    if once:
        print(f"ndcg={value(bench.run(measured_on_fewer(settings)).document, OBJECTIVE):.6f}")
        return
    steps = Steps()
    with steps.step("Tune") as note:
        found = search(
            bench,
            measured_on_fewer(settings),
            settings.home / "tune" / "study.db",
            trials=trials,
            minutes=minutes,
            progress=note,
        )
    if judged and found["best"] is not None and found["best"]["trial"] > 0:
        from recsys.tune.judge import judge

        seeds = [settings.training.seed + number for number in range(judged)]
        whole = Bench(folder, settings.home / "runs", baselines="popularity")
        with steps.step("Judge") as note:
            found["judged"] = judge(whole, settings, found["best"]["settings"], seeds, note)
    if json:
        print_json(found)
    else:
        show(found)


def measured_on_fewer(settings: Settings) -> Settings:
    """The settings with samples that are large enough to tell trials apart."""
    rows = min(_TUNED_ROWS, settings.evaluation.rows)
    smaller = {
        "rows": rows,
        "anonymous_rows": min(1_000, rows),
        "auc_rows": min(4_000, rows * 2),
        "unseen_rows": min(1_000, rows),
    }
    return settings.model_copy(update={"evaluation": settings.evaluation.model_copy(update=smaller)})


def show(found: dict[str, Any]) -> None:
    """Print what a search found.

    Args:
        found: What `recsys tune --json` prints.
    """
    from recsys.tune.overrides import variables

    results.print(f"{found['trials']} trials, {found['pruned']} ended early, {found['failed']} failed")
    if found["importance"]:
        rows = [(name, f"{share:.2f}") for name, share in found["importance"].items()]
        results.print(table("What moved it", ("setting", "share"), rows, right=("share",)))
    done = sorted((one for one in found["tried"] if one["value"] is not None), key=lambda one: -one["value"])
    if done:
        rows = [(f"{one['trial']}", f"{one['value']:.4f}") for one in done[:_SHOWN]]
        results.print(table("Best trials", ("trial", "NDCG@10"), rows, right=("trial", "NDCG@10")))
    best = found["best"]
    if best is None:
        results.print("No trial was finished.")
        return
    begun = "" if found["begun"] is None else f"; the recipe as it is: {found['begun']:.4f}"
    results.print(f"Best: trial {best['trial']}, NDCG@10 {best['value']:.4f}{begun}")
    if "judged" in found:
        _show_judged(found["judged"])
    results.print(variables(best["settings"]), markup=False, soft_wrap=True)


def _show_judged(found: dict[str, Any]) -> None:
    means = [found[name] for name in ("recipe", "found")]
    rows = [
        (path, *(f"{mean[path]:.4f}" for mean in means), change(one), ends(one["interval"]))
        for path, one in found["difference"].items()
    ]
    heads = ("", "recipe", "best trial", "difference", "95 % interval")
    title = f"On {found['rows']:,} clicks that the search did not see, {len(found['seeds'])} seeds"
    results.print(table(title, heads, rows, heads[1:]))
    verdict = "better than the recipe" if found["better"] else "not better than the recipe beyond noise"
    results.print(f"The best trial is {verdict} (NDCG@10 of the chain).")
