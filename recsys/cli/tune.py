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
        list[Path] | None,
        typer.Option(
            help="Folder of a data set; left out: the one trained on. Given again: settings that suit all, "
            "the cheapest first.",
            show_default=False,
        ),
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
    --judge the best settings meet the recipe on the real days after, which no trial saw. Of several data
    sets the geometric mean of NDCG@10 counts.
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
    from recsys.tune.study import inner_days, objective_of
    from recsys.tune.study import tune as search

    folders = data or [imported(settings.home)]
    fewer, kept = measured_on_fewer(settings), settings.home / "tune"
    benches = [Bench(one, kept, inner_days(Dataset.open(one)), "popularity") for one in folders]
    if once:
        print(f"ndcg={objective_of([bench.run(fewer).document for bench in benches]):.6f}")
        return
    steps = Steps()
    with steps.step("Tune") as note:
        found = search(benches, fewer, kept / "study.db", trials=trials, minutes=minutes, progress=note)
    if judged and found["best"] is not None and found["best"]["trial"] > 0:
        from recsys.tune.judge import judge

        seeds = [settings.training.seed + number for number in range(judged)]
        found["judged"] = []
        for folder in folders:
            whole = Bench(folder, settings.home / "runs", baselines="popularity")
            with steps.step(f"Judge on {folder.name}") as note:
                met = judge(whole, settings, found["best"]["settings"], seeds, note)
            found["judged"].append({"data": folder.name, **met})
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
        heads = ("trial", "NDCG@10", "of each", "training")
        results.print(table("Best trials", heads, [_trial(one) for one in done[:_SHOWN]], right=heads))
    best = found["best"]
    if best is None:
        results.print("No trial was finished.")
        return
    begun = "" if found["begun"] is None else f"; the recipe it began with: {found['begun']:.4f}"
    results.print(f"Best: trial {best['trial']}, NDCG@10 {best['value']:.4f}{begun}")
    for one in found.get("judged", []):
        _show_judged(one)
    results.print(variables(best["settings"]), markup=False, soft_wrap=True)


def _trial(one: dict[str, Any]) -> tuple[str, ...]:
    each = " ".join(f"{value:.4f}" for value in one["data_sets"])
    return f"{one['trial']}", f"{one['value']:.4f}", each, f"{one['seconds']:.0f} s"


def _show_judged(found: dict[str, Any]) -> None:
    means = [found[name] for name in ("recipe", "found")]
    rows = [
        (path, *(f"{mean[path]:.4f}" for mean in means), change(one), ends(one["interval"]))
        for path, one in found["difference"].items()
    ]
    heads = ("", "recipe", "best trial", "difference", "95 % interval")
    unseen = f"{found['rows']:,} clicks that the search did not see"
    title = f"{found['data']}: on {unseen}, {len(found['seeds'])} seeds"
    results.print(table(title, heads, rows, heads[1:]))
    verdict = "better than the recipe" if found["better"] else "not better than the recipe beyond noise"
    results.print(f"On {found['data']} the best trial is {verdict} (NDCG@10 of the chain).")
