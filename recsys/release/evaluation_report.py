"""An evaluation as a page with plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from recsys.release import html
from recsys.release.evaluation_plots import calibration_plot, hit_plot, span, trade_off_plot

_METRICS: Final = ("hit@10", "hit@100", "hit@300", "ndcg@10", "mrr")
_OWN: Final = ("chain", "retrieval")


def evaluation_page(document: Mapping[str, Any], of: str = "") -> str:
    """The page of an evaluation; what the document lacks is left out.

    Args:
        document: What `recsys evaluate --json` prints.
        of: What was measured, such as release 7.
    """
    rows = document.get("rows", 0)
    return html.page(
        f"Evaluation of {of}" if of else "Evaluation",
        [
            html.note(
                f"{rows:,} clicks of the days after training, each looked for among all items. hit@10 is the "
                "share found among the first ten; ndcg@10 counts a place further down for less, mrr is the "
                "mean of 1 / place. The chain is what a shop is served: the ranker orders what retrieval "
                "found. Small numbers are 95 % intervals: 1,000 draws of the users, with replacement."
            ),
            _headline(document),
            html.plots(*_curves(document)),
            _differences(document),
            _visitors(document),
            _unseen(document),
            _segments(document),
            _exposure(document),
            _calibration(document),
            _ordering(document.get("ordering", {})),
        ],
    )


def recommenders(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Everything that was measured on the same rows: chain, retrieval, then the baselines, by name."""
    own = {name: document[name] for name in _OWN if name in document}
    return own | dict(document.get("baselines", {}))


def oracles(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What could be found by who knew how the data was made; of the days measured, where the data tells."""
    found = {name: one for name, one in document.get("oracle", {}).items() if isinstance(one, Mapping)}
    return {name: one for name, one in found.items() if "valid_days" in name} or found


def _headline(document: Mapping[str, Any]) -> str:
    intervals = document.get("intervals", {})
    rows = [_line(name, found, intervals.get(name, {})) for name, found in recommenders(document).items()]
    hidden = document.get("anonymous", {})
    if "chain" in hidden:
        rows.append(_line("chain, anonymous", hidden["chain"], intervals.get("anonymous", {})))
    rows += [_line(name, found, {}) for name, found in oracles(document).items()]
    omitted = [f"{name}: {why}" for name, why in document.get("omitted", {}).items()]
    auc = document.get("ranker", {}).get("auc")
    said = (
        []
        if auc is None
        else [f"The ranker alone: AUC {auc:.3f}, {document['ranker']['negatives']} negatives."]
    )
    if document.get("oracle"):
        said.append("An oracle knows how the data was made: nothing can find more.")
    if omitted:
        said.append(f"Left out: {'; '.join(omitted)}.")
    return html.section(
        "Who finds the click",
        html.table(("", *_METRICS), rows, own=len(_OWN)),
        html.note(" ".join(said)) if said else "",
    )


def _line(name: str, found: Mapping[str, Any], ends: Mapping[str, Sequence[float]]) -> list[str]:
    cells = [html.number(found.get(metric), ends.get(metric)) for metric in _METRICS]
    return [escape(name.replace("_", " ")), *cells]


def _curves(document: Mapping[str, Any]) -> Iterator[str]:
    found = recommenders(document)
    yield hit_plot(found)
    if exposure := document.get("exposure"):
        points = {
            name: (exposure[name]["coverage"], own["ndcg@10"])
            for name, own in found.items()
            if name in exposure
        }
        yield trade_off_plot({name: [point] for name, point in points.items()}, "coverage of the catalogue")


def _differences(document: Mapping[str, Any]) -> str:
    rows = []
    for name, found in document.get("differences", {}).items():
        one = found["hit@10"]
        bar = span(one["mean"], one["interval"], (-0.05, 0.5), zero=True)
        cells = [
            html.number(found[m]["mean"], found[m]["interval"], signed=True) for m in ("hit@10", "ndcg@10")
        ]
        rows.append([escape(name.replace("_", " ")), *cells, bar])
    return html.section("Differences, paired by row", html.table(("", "hit@10", "ndcg@10", "hit@10"), rows))


def _visitors(document: Mapping[str, Any]) -> str:
    rows = []
    for kind, one in document.get("visitors", {}).items():
        ends = one["interval"]["hit@10"]
        popular = one["popularity"]["hit@10"]
        bar = span(one["chain"]["hit@10"], ends, (0, 1), others=[popular])
        cells = [f"{one['rows']:,}", html.number(one["chain"]["hit@10"], ends)]
        cells += [html.number(one["chain"]["ndcg@10"], one["interval"]["ndcg@10"]), html.number(popular)]
        rows.append([escape(kind), *cells, html.number(one["over_popularity"]), bar])
    if not rows:
        return ""
    limit = document.get("anonymous", {}).get("bound")
    said = "Clicks of users as if they had come for the first time, with their newest few clicks."
    if limit:
        said += (
            f" Before a click there are device, hour and day alone, from which at most {limit['hit@10']:.3f} "
            "can be found. Grey marks: popularity."
        )
    head = ("", "rows", "chain hit@10", "chain ndcg@10", "popularity hit@10", "ratio", "hit@10, 0 to 1")
    return html.section("Visitors whom nobody knows", html.note(said), html.table(head, rows))


def _unseen(document: Mapping[str, Any]) -> str:
    found = document.get("unseen", {})
    if not found.get("rows"):
        return ""
    intervals = found.get("intervals", {})
    rows = [_line(name, one, intervals.get(name, {})) for name, one in recommenders(found).items()]
    return html.section(
        "New items only",
        html.note(
            f"The {found['rows']:,} clicks on what the user had not clicked before, with all that they had "
            "clicked dropped from every list, as serving drops it."
        ),
        html.table(("", *_METRICS), rows, own=len(_OWN)),
    )


def _segments(document: Mapping[str, Any]) -> str:
    names = [name for name in document.get("baselines", {}) if name in ("popularity", "als")]
    rows, kinds = [], []
    for title, found in document.get("segments", {}).items():
        rows.append([escape(title), *[""] * (len(names) + 5)])
        rows += [_segment(label, one, names) for label, one in found.items()]
        kinds += ["head", *[""] * len(found)]
    said = "Intervals of nothing but misses are left out. "
    said += f"Grey marks: {' and '.join(names)}." if names else ""
    head = ("", "rows", "chain hit@10", "chain ndcg@10", "retrieval hit@300", *names, "hit@10, 0 to 1")
    return html.section("Kinds of rows", html.note(said) if rows else "", html.table(head, rows, kinds=kinds))


def _segment(label: str, found: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    ends, chain = found["interval"]["chain"], found["chain"]
    others = [found["baselines"][name]["hit@10"] for name in names]
    return [
        escape(label),
        f"{found['rows']:,}",
        html.number(chain["hit@10"], _wide(ends["hit@10"])),
        html.number(chain["ndcg@10"], _wide(ends["ndcg@10"])),
        html.number(found["retrieval"]["hit@300"], _wide(found["interval"]["retrieval"]["hit@300"])),
        *(html.number(value) for value in others),
        span(chain["hit@10"], ends["hit@10"], (0, 1), others=others),
    ]


def _wide(ends: Sequence[float]) -> Sequence[float] | None:
    """An interval that says something: draws of rows that all missed are all 0."""
    return ends if ends[0] < ends[1] else None


def _exposure(document: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(name.replace("_", " ")),
            *(html.number(one[key]) for key in ("coverage", "gini", "head", "mean_popularity")),
        ]
        for name, one in document.get("exposure", {}).items()
    ]
    return html.section(
        "What is shown",
        html.note(
            "Of the ten shown: share of the catalogue in any list, Gini coefficient of the showings, share "
            "of head items (those with half of the training clicks), mean popularity over an average "
            "item's. The last row is what was clicked."
        )
        if rows
        else "",
        html.table(("", "coverage", "Gini", "head", "popularity"), rows, own=len(_OWN)),
    )


def _calibration(document: Mapping[str, Any]) -> str:
    found = document.get("calibration", {})
    if not found.get("bins"):
        return ""
    return html.section(
        "What the ranker's probability is worth",
        html.note(
            f"{found['rows']:,} rows, {found['negatives']} negatives: expected calibration error "
            f"{found['ece']:.3f}, Brier score {found['brier']:.3f}, log loss {found['log_loss']:.3f}."
        ),
        html.plots(calibration_plot(found["bins"])),
    )


def _ordering(found: Mapping[str, Any]) -> str:
    if not found:
        return ""
    points = {
        name: [(one["diversity"], one["ndcg@10"]) for one in curve] for name, curve in found["curves"].items()
    }
    covered = {
        name: [(one["coverage"], one["ndcg@10"]) for one in curve] for name, curve in found["curves"].items()
    }
    rows = [
        [
            "" if number else escape(name),
            f"{one['setting']:g}",
            *(
                html.number(one[key])
                for key in ("ndcg@10", "hit@10", "diversity", "categories", "coverage", "gini")
            ),
        ]
        for name, curve in found["curves"].items()
        for number, one in enumerate(curve)
    ]
    head = ("", "setting", "ndcg@10", "hit@10", "difference within a list", "categories", "coverage", "Gini")
    return html.section(
        "Ordering: relevance against diversity",
        html.note(f"{found['rows']:,} clicks; the first ten of the ranked candidates, reordered."),
        html.plots(
            trade_off_plot(points, "difference within a list"),
            trade_off_plot(covered, "coverage of the catalogue"),
        ),
        html.table(head, rows),
        _off_policy(found.get("off_policy", [])),
    )


def _off_policy(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [escape(one["policy"]) if one["policy"] != before else "", escape(one["estimator"]),
         html.number(one["value"], one["interval"]), html.number(one["truth"]),
         f"{one['effective_rows']:,.0f}"]
        for before, one in zip([None, *(one["policy"] for one in found)], found, strict=False)
    ]  # fmt: skip
    return html.section(
        "Other policies, estimated from the exploring one's log",
        html.table(("policy", "estimator", "value", "truth", "effective rows"), rows),
    )
