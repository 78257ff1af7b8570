"""Runs that differ in one option, next to each other: a curve that can be printed, and what a question costs.

The curve is a file of its own as well, black on white, to be put into a paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hart_agent.evals.figures import INTERVAL, PERCENT
from hart_agent.html.markup import Html, document, element, join, packaged
from hart_agent.store.files import write_whole

PAGE: Final = "variants.html"
CURVE: Final = "variants.svg"

_WIDTH, _HEIGHT = 520, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 500, 16, 284
"""Of the plot in its picture: CSS pixels."""
_TEXT: Final = {"font-family": "Helvetica, Arial, sans-serif", "font-size": "12", "fill": "#000"}
_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Between two marks of accuracy."""
_SPREAD: Final = 8
"""From so much between the largest and the smallest value on, the axis is logarithmic."""

Point = tuple[str, Mapping[str, float]]
"""A value of the option, and the accuracy with its interval."""


def write_variants(name: str, reports: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Write the page and the curve.

    Args:
        name: of the option that differs.
        reports: by the values of the option, in the order in which they were asked for.
        folder: that holds the run of each value in a folder NAME-VALUE.

    Raises:
        OutputError: they can't be written.
    """
    drawn = curve(name, [(value, report["summary"]["accuracy"]) for value, report in reports.items()])
    write_whole(folder / CURVE, f'<?xml version="1.0" encoding="UTF-8"?>\n{drawn}\n')
    style = packaged("hart_agent.html", "page.css") + packaged("hart_agent.evals", "report.css")
    title = f"accuracy against {name.replace('_', ' ')}"
    body = join(
        element("h1", title.capitalize()),
        element("figure", drawn, class_="printed"),
        element("p", f"Each point is a run over the benchmark; bars are its {INTERVAL} over questions. The same "
                     f"questions are asked in all, so that a difference can be clear where intervals overlap: ",
                element("code", "hart-agent eval --compare A B"), f" tests it. The curve alone: {CURVE}.",
                class_="note muted"),
        _table(name, reports),
        *(element("p", element("code", report["citation"]), class_="note") for report in reports.values()),
    )  # fmt: skip
    write_whole(folder / PAGE, document(title, element("main", body, id="report"), style=style))


def curve(name: str, points: Sequence[Point]) -> Html:
    """Accuracy against the values of an option, as SVG, black on white: a line if they are numbers, else points."""
    places, numeric = _places([value for value, _ in points])
    low, high, step = _scale([accuracy for _, accuracy in points])

    def x(place: float) -> float:
        return round(_LEFT + 24 + place * (_RIGHT - _LEFT - 48), 2)

    def y(share: float) -> float:
        return round(_BOTTOM - (share - low) / (high - low) * (_BOTTOM - _TOP), 2)

    marks = [low + step * at for at in range(round((high - low) / step) + 1)]
    spots = [(x(place), accuracy) for place, (_, accuracy) in zip(places, points, strict=True)]
    line = " ".join(f"{at:g},{y(accuracy['value']):g}" for at, accuracy in spots)
    middle = (_TOP + _BOTTOM) / 2
    return element(
        "svg",
        element("rect", width=_WIDTH, height=_HEIGHT, fill="#fff"),
        *(_line(_LEFT, y(mark), _RIGHT, y(mark), "#ccc") for mark in marks),
        *(_words(f"{100 * mark:.0f} %", _LEFT - 8, y(mark) + 4, "end") for mark in marks),
        _line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, "#000"),
        *(_words(_shown(value), at, _BOTTOM + 20) for (at, _), (value, _) in zip(spots, points, strict=True)),
        _words(name.replace("_", " "), (_LEFT + _RIGHT) / 2, _HEIGHT - 12),
        _words("accuracy", 16, middle, transform=f"rotate(-90 16 {middle:g})"),
        element("polyline", points=line, fill="none", stroke="#000", stroke_width=1.5) if numeric else "",
        *(part for at, accuracy in spots for part in _whisker(at, y(accuracy["low"]), y(accuracy["high"]))),
        *(element("circle", cx=at, cy=y(accuracy["value"]), r=4, fill="#000") for at, accuracy in spots),
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", width=_WIDTH, height=_HEIGHT, role="img",
        aria_label=f"accuracy against {name}: "
        + ", ".join(f"{value}: {PERCENT.write(accuracy['value'])}" for value, accuracy in points),
    )  # fmt: skip


def _places(values: Sequence[str]) -> tuple[list[float], bool]:
    """Where each value lies on its axis, 0 to 1, and whether they are numbers; else they stand at equal distances."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = []
    if len(set(numbers)) < 2 or not all(map(math.isfinite, numbers)):
        return [at / max(1, len(values) - 1) for at in range(len(values))], False
    if min(numbers) > 0 and max(numbers) >= _SPREAD * min(numbers):
        numbers = [math.log(number) for number in numbers]
    least, most = min(numbers), max(numbers)
    return [(number - least) / (most - least) for number in numbers], True


def _scale(accuracies: Sequence[Mapping[str, float]]) -> tuple[float, float, float]:
    """Ends of the axis of accuracy, which hold all intervals, and the distance of its marks."""
    least, most = min(each["low"] for each in accuracies), max(each["high"] for each in accuracies)
    step = next((step for step in _STEPS if (most - least) / step <= 6), _STEPS[-1])
    low = math.floor(least / step + 1e-9) * step
    return low, max(math.ceil(most / step - 1e-9) * step, low + step), step


def _shown(value: str) -> str:
    return f"{int(value):,}" if value.isdecimal() else value


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> Html:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour)


def _whisker(x: float, low: float, high: float) -> list[Html]:
    caps = [_line(x - 4, at, x + 4, at, "#000") for at in (low, high)]
    return [_line(x, low, x, high, "#000"), *caps]


def _words(text: str, x: float, y: float, anchor: str = "middle", **more: str) -> Html:
    given: dict[str, str | float | bool | None] = {**{name.replace("-", "_"): each for name, each in _TEXT.items()}}
    return element("text", text, x=x, y=y, text_anchor=anchor, **given, **more)


def _table(name: str, reports: Mapping[str, Mapping[str, Any]]) -> Html:
    """Accuracy, failures if there are any, and costs, with a link to each run."""
    costs = sorted({cost for report in reports.values() for cost in report["per_question"]})
    failed = any(report["failed"] for report in reports.values())
    head = [name.replace("_", " "), "accuracy", INTERVAL, *(["questions that failed"] if failed else [])]
    head += [*(f"{cost.replace('_', ' ')} a question" for cost in costs)]
    rows = []
    for value, report in reports.items():
        accuracy, spent = report["summary"]["accuracy"], report["per_question"]
        shown = [PERCENT.write(accuracy["value"]), PERCENT.interval(accuracy)]
        shown += [f"{report['failed_questions']:,}"] if failed else []
        shown += [f"{spent[cost]:,g}" if cost in spent else "" for cost in costs]
        link = element("a", _shown(value), href=f"{quote(f'{name}-{value}')}/report.html")
        rows.append(element("tr", element("th", link, scope="row"), *(element("td", text) for text in shown)))
    header = element("thead", element("tr", *(element("th", text, scope="col") for text in head)))
    return element("table", header, element("tbody", *rows), class_="variants")
