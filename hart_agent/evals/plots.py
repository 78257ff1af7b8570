"""The plots of a report, as inline SVG: they take the page's colours, and their unit is the share of their width.

Positions are percentages, so that a plot fills its place at any width while text and strokes keep their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hart_agent.html.markup import Html, element

_BAR = 8
"""Height of a bar, in CSS pixels."""


def estimate_bar(estimate: dict[str, Any], *, mark: float | None = None) -> Html:
    """A bar of one table row: a value of 0 to 1, and its interval.

    Args:
        estimate: `value`, `low` and `high`.
        mark: a value to compare with, drawn as a line through the row.
    """
    low, high = _percent(estimate["low"]), _percent(estimate["high"])
    return _row(
        element("line", x1=_percent(mark), x2=_percent(mark), y1="0", y2="100%", class_="mark")
        if mark is not None
        else "",
        _bar(estimate["value"], "bar"),
        element("line", x1=low, x2=high, y1="50%", y2="50%", class_="whisker"),
        element("circle", cx=_percent(estimate["value"]), cy="50%", r=3.5, class_="point"),
    )


def share_bar(share: float, kind: str) -> Html:
    """A bar of one table row: a share of 0 to 1 without an interval, in the colour of the class `kind`."""
    return _row(_bar(share, f"bar solid {kind}"))


def axis(scale: tuple[str, str, str]) -> Html:
    """The scale over a column of bars: what to write at its start, in its middle and at its end."""
    places = zip(scale, (0, 0.5, 1), ("start", "middle", "end"), strict=True)
    return element(
        "svg",
        *(element("text", text, x=_percent(at), y="50%", dy="0.35em", text_anchor=side) for text, at, side in places),
        class_="row", aria_hidden="true",
    )  # fmt: skip


def curve(xs: Sequence[float], shares: Sequence[float], mark: float, label: str, name: str) -> Html:
    """A line of shares over x, both 0 to 1, y upwards, with a point for each.

    Args:
        xs: where the points lie.
        shares: how high.
        mark: an x that is marked by a line.
        label: written over the mark.
        name: says in words what the plot shows.
    """
    points = list(zip(xs, shares, strict=True))
    ticks = (0, 0.25, 0.5, 0.75, 1)
    return element(
        "svg",
        *(_line(0, tick, 1, tick, "grid") for tick in ticks),
        *(element("text", f"{tick:.0%}", x=-8, y=_percent(1 - tick), dy="0.32em", text_anchor="end") for tick in ticks),
        *(element("text", f"{tick:g}", x=_percent(tick), y="100%", dy="1.5em", text_anchor="middle") for tick in ticks),
        _line(mark, 0, mark, 1, "mark"),
        element("text", label, x=_percent(mark), y=-8, text_anchor="middle", class_="label"),
        *(_line(*left, *right, "curve") for left, right in pairwise(points)),
        *(
            element("circle", cx=_percent(x), cy=_percent(1 - y), r=5 if x == mark else 3, class_="point")
            for x, y in points
        ),
        class_="curve-plot", role="img", aria_label=name,
    )  # fmt: skip


def _row(*shapes: Html | str) -> Html:
    grid = (_line(at, 0, at, 1, "grid") for at in (0, 0.5, 1))
    return element("svg", *grid, *shapes, class_="row", aria_hidden="true")


def _bar(share: float, kind: str) -> Html:
    return element(
        "rect", x=0, y="50%", width=_percent(share), height=_BAR, transform=f"translate(0 {-_BAR / 2:g})", class_=kind
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    """A line between two points of the unit square, y upwards."""
    return element("line", x1=_percent(x1), y1=_percent(1 - y1), x2=_percent(x2), y2=_percent(1 - y2), class_=kind)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
