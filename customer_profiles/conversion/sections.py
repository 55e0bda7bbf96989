"""The page in words and figures, section by section: what the UI, the terminal and the card all show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from customer_profiles.conversion.evaluation import REPORTED
from customer_profiles.conversion.importance import inputs_of
from customer_profiles.conversion.labels import DEFINITIONS
from customer_profiles.conversion.page import Page
from customer_profiles.conversion.promotion import EXPECTED_OVER_ACTUAL, JUDGED
from customer_profiles.features.catalogue import TRAITS

RANKING = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "lift_10": "lift@10 %",
    "recall_10": "recall@10 %",
}
PROBABILITIES = {
    "log_loss": "log loss",
    "brier": "Brier",
    "expected_over_actual": "expected / actual",
    "ece": "ECE",
}
SHOWN = {**RANKING, **PROBABILITIES}
"""Metrics in which models stand side by side, and what they are called."""
MEANINGS = {
    "roc_auc": "how often one who does it stands above one who does not",
    "average_precision": "the part who do it among those above one who does, on average; by lot: the rate",
    "log_loss": "mean surprise at what came; 0 is perfect",
    "brier": "mean squared distance of the chance from what came; 0 is perfect",
    "expected_over_actual": "the sum of the chances / how many did it",
    "ece": "mean distance of promised from actual rate over the deciles; 0.02 is 2 points",
    "ece_by_chance": "the ECE that chances which are exactly right stay below in 97.5 % of such tests",
    "calibration_slope": "1: chances spread as they should; below: too far apart; above: too close together",
    "accuracy": "the part that is told rightly if 50 % and more counts as yes",
    "majority_accuracy": "the same if everybody is told the more frequent outcome",
    "precision_at_cutoff": "the part who do it among those above the cut-off",
    "recall_at_cutoff": "the part of all who do it that is above the cut-off",
}
AT_A_SHARE = {
    "lift": "how many times more of them among the highest {} % than by lot",
    "recall": "the part of all who do it among the highest {} %",
}
"""What a marketer reads of a metric; those at a share of the customers share a sentence."""
RIVALS = {
    "conversion_network": "a network and boosted trees together",
    "base_rate": "the same chance for all, in the order of a lot",
    "rfm_rule": "points for how recently, how often and for how much one bought",
    "logistic_regression": "a weighted sum of the inputs",
    "hist_gradient_boosting": "boosted decision trees alone",
    "seed_recipe": "a small network on principal components of the rows that lack nothing (the base rate, if "
    "these are under 100)",
    "champion": "the model that served until now",
}
"""What a marketer reads of the models that stand beside the page's."""
SETS = {"train": "learnt from", "test": "judged on"}
MOST_INPUTS = 15
LIMITS = (
    "It is about all customers who are scored. Whom you may contact, consent decides; "
    "`profiles/customer_profiles` counts them on each day's list.",
    "It says who will do it, not whom a contact will make do it: that takes a randomised control group.",
    "It was judged on one snapshot. Days unlike it (holidays, price changes) can turn out differently.",
    "A value outside the training range counts as the nearest one seen.",
    "Returns under an order id of their own cannot be matched, and do not undo a conversion.",
    "An input that matters to the model need not be a cause: changing it changes no customer.",
)


class Section(NamedTuple):
    """A part of the page: a title, a sentence or two, and rows of one table."""

    title: str
    says: str
    rows: list[dict[str, str]]


def sections(page: Page) -> list[Section]:
    """The page, most useful first."""
    changes = [{**row, "what": SHOWN.get(row["what"], row["what"])} for row in page.tables["changes"]]
    return [
        Section(
            "Contact",
            f"{page.contact} {_profit_says(page)}{_anyhow(page)} Highest: by this version's "
            "conversion_probability, in profiles/conversion_scores and for the first label in the published "
            "profiles. All figures are the test's, scaled to today's customers, whose chances may add up to "
            "another number. From: the lowest chance on the test's list; today's differs, so count customers "
            "down from the highest. Of 100: how many of 100 contacted do it. Reached: the part of all who do "
            "it. In brackets: 95 % intervals.",
            _lists(page),
        ),
        Section("Predicts", page.predicts, _examples(page)),
        Section(
            "Ranking",
            "On a later day, of customers it never saw. 95 % intervals. ROC-AUC: how often one who does it "
            "stands above one who does not (0.5 is chance, 1 is perfect). Average precision: the part who do "
            "it among those above one who does, on average (by lot: the rate). Lift@10 %: how many times "
            "more of them are among the highest tenth than in a tenth drawn by lot; recall: the part of them "
            "there. " + _rivals(page),
            _models(page, RANKING),
        ),
        Section(
            "Probabilities",
            "Log loss and Brier: how far the chances lay from what came; less is better. Expected / actual "
            f"is 1 and ECE near 0 where a promised 10 % means one in ten. {page.sufficiency}",
            _models(page, PROBABILITIES),
        ),
        Section(
            "Beside the others",
            "This model's figure less the other's; less log loss is better. Better and worse: the interval "
            "leaves out 0. Insufficient evidence: it could be chance.",
            _differences(page),
        ),
        Section(
            "Deciles",
            "Tenths of the test's customers, highest first. Expected: the sum of their chances. Rate: the "
            "part who did it.",
            _deciles(page),
        ),
        *_groups(page),
        Section(
            "Inputs",
            "ROC-AUC that is lost if an input's values are dealt anew among the customers, those of all its "
            "days (7, 30, ...) together. Inputs that tell the same stand in for each other, so that none "
            "loses much. Noise: the interval holds 0.",
            _inputs(page),
        ),
        Section(
            "Uplift",
            "What a contact changed, where chance chose whom to contact: the rate of the contacted less that "
            "of the control arm, in points. Of customers who never trained, by profiles from before it. "
            "Highest: of those whom this model ranks so. Qini is 0 if the ranking says nothing of it, and 1 "
            "at best; the verdict is of Qini alone. A difference whose interval holds 0 can be chance."
            + (" The rates are of those who stay." if DEFINITIONS[page.label].turned else ""),
            _uplift(page),
        ),
        Section(
            "Since the champion",
            "On the same customers." if changes else "No champion was judged beside it.",
            changes,
        ),
        Section(
            "Every metric",
            "Of this model."
            + (
                " The cut-off is the chance from which a contact pays: its cost / the margin."
                if DEFINITIONS[page.label].pays
                else ""
            ),
            _every_metric(page),
        ),
        Section(
            "Canaries",
            "Signs of a model that knows the future. If one of them FAILED, it never serves, and the run "
            "stops; LOOK asks somebody to look, and stops nothing.",
            _canaries(page),
        ),
        Section("Known limits", "", [{"limit": limit} for limit in LIMITS]),
    ]


Triple = Sequence[float | None]
"""A value and the ends of its 95 % interval; ``None`` for what has no value."""


def figure(triple: Triple, digits: int = 3) -> str:
    """``0.784 (0.753-0.813)``; nothing for what has no value."""
    value, low, high = (None if each is None else round(each, digits) + 0.0 for each in triple)
    if value is None:
        return ""
    if low is None or high is None:
        return f"{value:,.{digits}f}"
    dash = " to " if low < 0 else "-"
    return f"{value:,.{digits}f} ({low:,.{digits}f}{dash}{high:,.{digits}f})"


def metric_figure(triple: Triple) -> str:
    """A metric's figure: lifts and ratios from 1 on with two digits, what lies below with three."""
    return figure(triple, 2 if (triple[0] or 0) >= 1 else 3)


def _triple(row: dict[str, Any], name: str, times: float = 1) -> Triple:
    cells = (row[name + end] for end in ("", "_low", "_high"))
    return [None if cell is None else times * cell for cell in cells]


def _profit_says(page: Page) -> str:
    """At which list the profit is largest, since the setting's share need not be it."""
    if not DEFINITIONS[page.label].pays:
        return "Profit is not told: nobody brings a margin by leaving."
    best = max(page.tables["lists"], key=lambda row: row["profit_minor"])
    largest = (
        f"is largest at {best['customers']:,} contacted"
        if best["profit_minor"] > 0
        else "is nowhere above 0: contact nobody for it"
    )
    return f"Profit, in {page.money_unit} by the margin and cost named below, {largest}."


def _anyhow(page: Page) -> str:
    """That a list holds those too who need no contact; nobody answers a contact that was not made."""
    if DEFINITIONS[page.label].asked:
        return ""
    return " Who would have done it without a contact counts too: what contacting changes, Uplift tells."


def _lists(page: Page) -> list[dict[str, str]]:
    definition = DEFINITIONS[page.label]
    return [
        {
            "contacted": f"{row['customers']:,} ({row['share']:.0%})",
            "from": f"{row['cutoff']:.1%}",
            definition.they: figure(_triple(row, "buyers"), 0),
            "of 100": figure(_triple(row, "precision", 100), 0),
            "reached, %": figure(_triple(row, "recall", 100), 0),
            **(
                {"profit": figure(_triple(row, "profit_minor", 10**-page.minor_digits), 0)}
                if definition.pays
                else {}
            ),
        }
        for row in page.tables["lists"]
    ]


def _examples(page: Page) -> list[dict[str, str]]:
    return [
        {
            "customers": SETS[row["set"]],
            "as of": row["snapshots"],
            "profiles": f"{row['rows']:,}",
            "did it": f"{row['positives']:,}",
            "rate": f"{row['rate']:.1%}",
        }
        for row in page.tables["examples"]
    ]


def _models(page: Page, metrics: dict[str, str]) -> list[dict[str, str]]:
    cells = {(row["model"], row["metric"]): row for row in page.tables["metrics"]}
    models = dict.fromkeys(row["model"] for row in page.tables["metrics"])
    ordered = sorted(models, key=lambda model: model != page.model)
    return [
        {
            "model": model.replace("_", " "),
            **{title: _cell(cells[model, metric]) for metric, title in metrics.items()},
        }
        for model in ordered
    ]


def _cell(row: dict[str, Any]) -> str:
    return metric_figure((row["value"], row["low"], row["high"]))


def _rivals(page: Page) -> str:
    models = dict.fromkeys(row["model"] for row in page.tables["metrics"])
    told = [f"{model.replace('_', ' ')}, {RIVALS[model]}" for model in models if model != page.model]
    return f"Beside it: {'; '.join(told)}."


def _differences(page: Page) -> list[dict[str, str]]:
    cells = {(row["baseline"], row["metric"]): row for row in page.tables["differences"]}
    others = dict.fromkeys(row["baseline"] for row in page.tables["differences"])
    return [
        {
            "other": other.replace("_", " "),
            **{SHOWN[metric]: _difference(cells[other, metric]) for metric in JUDGED},
        }
        for other in others
    ]


def _difference(row: dict[str, Any]) -> str:
    return f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}) {row['verdict']}"


def _deciles(page: Page) -> list[dict[str, str]]:
    return [
        {
            "decile": str(row["decile"]),
            "customers": f"{row['customers']:,}",
            "expected": f"{row['expected']:,.0f}",
            "did it": f"{row['actual']:,}",
            "rate, %": figure([100 * row[name] for name in ("rate", "low", "high")], 0),
        }
        for row in page.tables["deciles"]
    ]


def _groups(page: Page) -> list[Section]:
    """A section for each grouping."""
    groups = page.tables["groups"]
    return [
        _grouping(name, [row for row in groups if row["grouping"] == name])
        for name in dict.fromkeys(row["grouping"] for row in groups)
    ]


def _grouping(name: str, rows: list[dict[str, Any]]) -> Section:
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row["says"]:
            notes.setdefault(row["says"], []).append(row["group"])
    smallest, largest = EXPECTED_OVER_ACTUAL
    told = "".join(f" {note.capitalize()}: {', '.join(which)}." for note, which in notes.items())
    return Section(
        f"By {name}",
        "On the list: the part of the group among the highest. Reached: of those of the group who did it, "
        "the part on the list. Expected / actual should be 1 everywhere; a group is named if its "
        f"whole interval lies outside {smallest} to {largest}.{told}",
        [
            {
                name: row["group"],
                "customers": f"{row['customers']:,}",
                "rate": f"{row['rate']:.0%}",
                "on the list, %": figure(_triple(row, "selected", 100), 0),
                "reached, %": figure(_triple(row, "recall", 100), 0),
                "expected / actual": figure(_triple(row, "expected_over_actual"), 2),
                "ROC-AUC": figure(_triple(row, "roc_auc"), 2),
            }
            for row in rows
        ],
    )


def _inputs(page: Page) -> list[dict[str, str]]:
    traits = inputs_of(list(TRAITS))
    return [
        {
            "input": row["input"],
            "ROC-AUC lost": figure((row["loss"], row["low"], row["high"]))
            + ("" if row["low"] > 0 else " noise"),
            "what it is": _defined(traits.get(row["input"], [])),
        }
        for row in page.tables["inputs"][:MOST_INPUTS]
    ]


def _defined(columns: Sequence[str]) -> str:
    """What a trait is, whatever its window; nothing for one that there is no more."""
    if not columns:
        return ""
    trait = TRAITS[columns[0]]
    return trait.definition.removesuffix(f", last {trait.window} days")


def _uplift(page: Page) -> list[dict[str, str]]:
    """Pages of earlier trainings have none."""
    return [
        {
            "campaign": row["campaign"],
            **(
                {
                    "contacted": f"{row['treated']:,}",
                    "control": f"{row['control']:,}",
                    "all": figure(_triple(row, "effect", 100), 1),
                    "highest 10 %": figure(_triple(row, "uplift_10", 100), 1),
                    "highest 30 %": figure(_triple(row, "uplift_30", 100), 1),
                    "Qini": figure(_triple(row, "qini"), 2),
                }
                if "qini" in row
                else {}
            ),
            "verdict": row["says"],
        }
        for row in page.tables.get("uplift", [])
    ]


def _every_metric(page: Page) -> list[dict[str, str]]:
    cells = {row["metric"]: row for row in page.tables["metrics"] if row["model"] == page.model}
    return [
        {"metric": metric, "value": _cell(cells[metric]), "what it is": _meaning(metric)}
        for metric in REPORTED
        if DEFINITIONS[page.label].pays or not metric.endswith("_at_cutoff")
    ]


def _meaning(metric: str) -> str:
    name, _, share = metric.rpartition("_")
    return AT_A_SHARE[name].format(share) if name in AT_A_SHARE else MEANINGS[metric]


def _canaries(page: Page) -> list[dict[str, str]]:
    rows: Sequence[dict[str, Any]] = page.tables["canaries"]
    failed = {"warn": "LOOK", "error": "FAILED"}
    return [
        {"check": f"{'passed' if row['passed'] else failed[row.get('severity', 'error')]}: {row['says']}"}
        for row in rows
    ]
