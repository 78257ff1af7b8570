"""The image of a page, with its regions drawn over it, as SVG whose unit is a pixel of the original."""

from __future__ import annotations

from typing import Any

from hart_agent.html.markup import Html, element
from hart_agent.html.pictures import Picture
from hart_agent.vision.geometry import Box

_EDGE = 0.05
"""Share of the image's side. A number goes to the other side of a region that is nearer than this to the edge."""


def drawing(trace: dict[str, Any], photo: Picture, turns: list[int]) -> Html:
    """The photo, the views of each turn (shown with their turn), and the numbered evidence on top.

    Args:
        trace: whose regions to draw.
        photo: the downscaled image.
        turns: of each piece of evidence, the turn that committed it.
    """
    width, height = trace["image"]["width"], trace["image"]["height"]
    whole = {"x": 0, "y": 0, "width": width, "height": height, "preserveAspectRatio": "none"}
    views = [
        _region(Box(*view["box"]), "view", number, f"{view['id']}, a view of turn {number}")
        for number, turn in enumerate(trace["turns"], start=1)
        for call in turn["calls"]
        for view in call["views"]
        if [*view["box"]] not in [item["box"] for item in trace["evidence"]]
    ]
    crops, regions, tags = [], [], []
    for number, (item, turn) in enumerate(zip(trace["evidence"], turns, strict=True), start=1):
        box = Box(*item["box"])
        crops.append(element("image", **_rect(box), preserveAspectRatio="none", data_copy=number))
        regions.append(_region(box, "evidence", turn, f"Evidence {number}: {item['label']}"))
        tags.append(_tag(number, box, turn, width, height))
    return element(
        "svg",
        element("image", href=photo.url, **whole),
        *crops, *views, *regions, *tags,
        id="photo", viewBox=f"0 0 {width} {height}", preserveAspectRatio="xMidYMid meet", role="group",
        aria_label="The image", data_width=width, data_height=height,
    )  # fmt: skip


def _region(box: Box, kind: str, turn: int, name: str) -> Html:
    return element(
        "g",
        element("rect", **_rect(box), class_="halo"),
        element("rect", **_rect(box), class_="frame"),
        class_=f"region {kind}", role="button", tabindex=0, aria_label=name, data_turn=turn, data_box=numbers(box),
    )  # fmt: skip


def _tag(number: int, box: Box, turn: int, width: int, height: int) -> Html:
    """The number of a region, next to it and never on it. Its own unit is a CSS pixel; the script scales it."""
    right, below = box.x0 > width * (1 - _EDGE), box.y0 < height * _EDGE
    x, y = (box.x1 if right else box.x0), (box.y1 if below else box.y0)
    left, top = (-19 if right else 0), (3 if below else -21)
    return element(
        "g",
        element("rect", x=left, y=top, width=18, height=18, rx=3),
        element("text", str(number), x=left + 9, y=top + 13.5),
        class_="region tag", data_turn=turn, data_box=numbers(box), data_x=x, data_y=y, aria_hidden="true",
        transform=f"translate({x} {y}) scale({width / 900:.3f})",
    )  # fmt: skip


def _rect(box: Box) -> dict[str, int]:
    return {"x": box.x0, "y": box.y0, "width": box.width, "height": box.height}


def numbers(box: Box) -> str:
    """A box as the page's script reads it."""
    return " ".join(map(str, box.as_tuple()))
