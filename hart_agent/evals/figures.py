"""The parts of a report's page that are drawn or tabulated. A part that has nothing to show is None.

The numbers stand in tables, each with its bar, so that the table is the plot's text and the plot needs no other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hart_agent.evals.controls import TITLES
from hart_agent.evals.metrics import IOGT_THRESHOLD
from hart_agent.evals.plots import axis, curve, estimate_bar, share_bar
from hart_agent.evals.statistics import CONFIDENCE, REMOVING_CONTROLS
from hart_agent.html.markup import Html, element, join

Estimated = dict[str, Any]
"""`hart_agent.evals.statistics.Estimate`, as JSON."""

INTERVAL = f"{CONFIDENCE:.0%} interval"

_CONTROLS = {control.value: title.capitalize() for control, title in TITLES.items()}
_ORDERS = {"shuffled": "Shuffled", "reversed": "The reverse of it", "both": "Right in both"}


@dataclass(frozen=True)
class Unit:
    """How numbers are written.

    Attributes:
        factor: one in this unit.
        digits: after the point.
        name: follows the number.
        scale: what to write at 0, 0.5 and 1 of an axis.
    """

    factor: int
    digits: int
    name: str
    scale: tuple[str, str, str]

    def write(self, value: float) -> str:
        """A number with its unit."""
        return f"{self.factor * value:.{self.digits}f}{self.name}"

    def interval(self, estimate: Estimated) -> str:
        """The interval of an estimate."""
        return f"{self.factor * estimate['low']:.{self.digits}f} to {self.write(estimate['high'])}"


PERCENT = Unit(100, 1, "%", ("0", "50", "100%"))
POINTS = Unit(100, 1, " points", ("0", "50", "100"))
RATIO = Unit(1, 3, "", ("0", "0.5", "1"))


def section(title: str, body: Html, note: str, **attributes: str) -> Html:
    """A part of the page: title, content, and what to know of it."""
    return element("section", element("h2", title), body, element("p", note, class_="note muted"), **attributes)


def categories(report: dict[str, Any]) -> Html | None:
    """Accuracy by category, and by further kinds of question, the best first; None where all are of one kind."""
    summary = report["summary"]
    accuracy = summary["accuracy"]["value"]
    kinds = {"Category": summary["by_category"], **summary["by_label"]}
    tables = [
        _estimates(kind.capitalize(), _body(_best_first(shares), mark=accuracy))
        for kind, shares in kinds.items()
        if len(shares) > 1
    ]
    if not tables:
        return None
    return section(
        "Accuracy by category",
        join(*tables),
        f"The line is the accuracy over all questions, {PERCENT.write(accuracy)}.",
        id="categories",
    )


def headlines(report: dict[str, Any]) -> Html | None:
    """The figures that the benchmark's paper or harness reports, under their names."""
    found = report.get("headlines")
    if not found:
        return None
    return section(
        "As the benchmark reports it",
        _estimates("Figure", _body(found.items())),
        "The names are those of the benchmark's paper or harness. A macro average, or Avg-C, is the mean over kinds of "
        "questions, whatever their numbers.",
        id="headlines",
    )


def _best_first(shares: dict[str, Estimated]) -> list[tuple[str, Estimated]]:
    found = sorted(shares.items(), key=lambda entry: (-entry[1]["value"], entry[0]))
    return [(name or "no category", estimate) for name, estimate in found]


def sweep(report: dict[str, Any]) -> Html | None:
    """The share of the questions that are grounded at each threshold."""
    grounding = report["summary"]["grounding"]
    if grounding is None:
        return None
    thresholds, shares = report["thresholds"], grounding["sweep"]
    grounded = PERCENT.write(grounding["grounded"]["value"])
    name = (
        f"Share of the questions grounded by IoGT threshold: {PERCENT.write(shares[0])} above {thresholds[0]:g}, "
        f"{grounded} above {IOGT_THRESHOLD}, {PERCENT.write(shares[-1])} above {thresholds[-1]:g}"
    )
    rows = (
        element("tr", element("th", f"{threshold:.2f}", scope="row"), element("td", PERCENT.write(share)))
        for threshold, share in zip(thresholds, shares, strict=True)
    )
    table = element("table", element("thead", _heads("IoGT above", "Grounded")), element("tbody", *rows))
    return section(
        "Grounded at each IoGT threshold",
        join(
            curve(thresholds, shares, IOGT_THRESHOLD, f"{IOGT_THRESHOLD}: {grounded}", name),
            element("details", element("summary", "The numbers"), table),
        ),
        "IoGT is the share of a gold box that a predicted box covers; the best pair counts.",
        id="sweep",
    )


def controls(report: dict[str, Any]) -> Html | None:
    """What is still right under each control, next to the accuracy."""
    shares, accuracy = report["summary"]["controls"], report["summary"]["accuracy"]
    if not shares:
        return None
    removing = [(_CONTROLS[name], shares[name]) for name in REMOVING_CONTROLS if name in shares]
    others = [(_CONTROLS[name], share) for name, share in shares.items() if name not in REMOVING_CONTROLS]
    groups = (
        ([("Accuracy", accuracy)], None),
        (removing, "Still right with the evidence taken away"),
        (others, "Nothing taken away: right before any tool is used"),
    )
    bodies = (_body(rows, title=title, mark=accuracy["value"]) for rows, title in groups if rows)
    return section(
        "Controls",
        _estimates("Asked", *bodies),
        "An answer that stays right without its evidence was not read from it.",
        id="controls",
    )


def verdicts(report: dict[str, Any]) -> Html:
    """The share of the questions with each verdict."""
    rows = (
        element(
            "tr",
            element("th", verdict.capitalize(), scope="row", class_=verdict),
            element("td", share_bar(share, verdict), element("b", PERCENT.write(share)), class_="plot"),
        )
        for verdict, share in report["summary"]["verdicts"].items()
    )
    return section(
        "Verdicts of the self-check",
        element("table", _bars_head("Verdict", "Share"), element("tbody", *rows), class_="bars shares"),
        "Asked again with the evidence alone, the policy gives the same answer (supported), another (unsupported) or "
        "none (insufficient).",
        id="verdicts",
    )


def crossed(report: dict[str, Any]) -> Html | None:
    """Right and wrong answers by right and wrong boxes."""
    grounding = report["summary"]["grounding"]
    if grounding is None:
        return None
    table = grounding["table"]
    total = sum(table.values())

    def row(name: str, *counts: int) -> Html:
        cells = (
            element(
                "td", element("b", f"{count:,}"), " ", element("span", PERCENT.write(count / total), class_="muted")
            )
            for count in (*counts, sum(counts))
        )
        return element("tr", element("th", name, scope="row"), *cells)

    right = table["right_answer_right_box"], table["right_answer_wrong_box"]
    wrong = table["wrong_answer_right_box"], table["wrong_answer_wrong_box"]
    return section(
        "Answers and boxes",
        element(
            "table",
            element("thead", _heads("", "Right box", "Wrong box", "All")),
            element("tbody", row("Right answer", *right), row("Wrong answer", *wrong)),
            element("tfoot", row("All", right[0] + wrong[0], right[1] + wrong[1])),
        ),
        f"Over the {total:,} questions with gold boxes. A box is right when its IoGT is above {IOGT_THRESHOLD}; a "
        "missing box is wrong.",
        id="crossed",
    )


def orders(report: dict[str, Any]) -> Html | None:
    """The accuracy with the options in each order, and in both."""
    found = report["orders"]
    if found is None:
        return None
    rows = [(title, found[name]) for name, title in _ORDERS.items()]
    return section(
        "Orders of the options",
        _estimates("Order", _body(rows)),
        "The same questions with their options in two orders. Far fewer right in both means that letters are guessed.",
        id="orders",
    )


def repeats(report: dict[str, Any]) -> Html | None:
    """The mean of several runs with its intervals, and what is no accuracy."""
    found = report["repeats"]
    if found is None:
        return None
    means = [("Over questions and runs", found["mean"]), ("Over runs alone", found["over_runs"])]
    passed = [
        (f"One of {k} answers right (pass@{k})", estimate) for k, estimate in found["pass_at"].items() if k != "1"
    ]
    runs = ", ".join(PERCENT.write(accuracy) for accuracy in found["accuracies"])
    best = ", ".join(f"{k}: {PERCENT.write(value)}" for k, value in found["best_of"].items() if k != "1")
    return section(
        "Several runs",
        _estimates("Mean", _body(means), _body(passed, title="No accuracy: somebody has to know which one is right")),
        f"Each run: {runs}; standard deviation {POINTS.write(found['deviation'])}. Expected of the best of k runs, "
        f"which is no accuracy either: {best}.",
        id="repeats",
    )


def judgement(report: dict[str, Any]) -> Html | None:
    """What a judge says of answers in free text, in addition to the rule."""
    found = report.get("judgement")
    if found is None:
        return None
    rows = [("The rule", found["rule"]), ("The judge", found["accuracy"]), ("They agree", found["agreement"])]
    kappa = f" Cohen's kappa is {found['kappa']:.2f}." if found["kappa"] is not None else ""
    return section(
        "Answers in free text, judged",
        _estimates("Right by", _body(rows)),
        f"By {found['judge']}, whose verdicts count nowhere else.{kappa} Replies without a verdict: {found['unread']}.",
        id="judgement",
    )


def boxes(report: dict[str, Any]) -> Html | None:
    """IoGT, which a large box flatters, next to the measures that it does not."""
    grounding = report["summary"]["grounding"]
    if grounding is None:
        return None
    rows = [
        ("IoGT", grounding["iogt"]),
        ("Precision", grounding["precision"]),
        ("Area fraction", report["summary"]["area_fraction"]),
        ("IoU, best box", grounding["iou"]),
        ("IoU, all boxes", grounding["union_iou"]),
        ("Every gold box covered", grounding["all_grounded"]),
    ]
    found = [(name, estimate) for name, estimate in rows if estimate is not None]
    return section(
        "How tight the boxes are",
        _estimates("Measure", _body(found, unit=RATIO), unit=RATIO),
        "A box over the whole image has an IoGT of 1. Precision is the share of the evidence that is to the point, and "
        "area fraction the share of the image under it, both where there is a box.",
        id="boxes",
    )


def _estimates(name: str, *bodies: Html, unit: Unit = PERCENT) -> Html:
    """A table of estimates with their bars."""
    return element("table", _bars_head(name, INTERVAL, "n", unit=unit), *bodies, class_="bars")


def _body(
    rows: Iterable[tuple[str, Estimated]],
    *,
    title: str | None = None,
    mark: float | None = None,
    unit: Unit = PERCENT,
) -> Html:
    """Rows of a table of estimates, under their title if they have one; for the mark see `estimate_bar`."""
    lines = (
        element(
            "tr",
            element("th", name, scope="row"),
            element(
                "td", estimate_bar(estimate, mark=mark), element("b", unit.write(estimate["value"])), " ",
                element("span", unit.interval(estimate), class_="muted"), class_="plot",
            ),
            element("td", f"{estimate['count']:,}"),
        )
        for name, estimate in rows
    )  # fmt: skip
    head = element("tr", element("th", title, scope="rowgroup", colspan=3, class_="muted")) if title else ""
    return element("tbody", head, *lines)


def _bars_head(*names: str, unit: Unit = PERCENT) -> Html:
    """The head of a table whose second column is drawn."""
    first, drawn, *others = names
    return element(
        "thead",
        element(
            "tr",
            element("th", first, scope="col"),
            element("th", axis(unit.scale), drawn, scope="col", class_="plot"),
            *(element("th", name, scope="col") for name in others),
        ),
    )


def _heads(*names: str) -> Html:
    return element("tr", *(element("th", name, scope="col") if name else element("td") for name in names))
