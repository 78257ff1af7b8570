"""What the agent does, as a person would say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_ROWS: Final = ("upper", "middle", "lower")
_COLUMNS: Final = ("left", "centre", "right")
_WHOLE: Final = 0.8
"""The share of the image from which a region is called the whole."""
_PHRASES: Final = {
    "zoom": "Zoomed into {place}",
    "crop": "Kept {place} as evidence",
    "verify": "Asked again with nothing but the evidence in sight",
    "ocr": "Read the text in {place}",
}


def call_words(call: Mapping[str, Any], size: tuple[int, int]) -> str:
    """A call in words.

    Args:
        call: of a turn of a trace.
        size: width and height of the original image, in pixels.
    """
    name, boxes = call["name"], [view["box"] for view in call["views"]]
    place = place_words(boxes[0], size) if boxes else "the image"
    if call["error"]:
        return f"Tried {name}, which failed"
    phrase = _PHRASES.get(name, "Used {name} on {place}")
    label = call["arguments"].get("label") if name == "crop" else None
    return phrase.format(name=name, place=place) + (f": {label}" if isinstance(label, str) and label else "")


def place_words(box: Sequence[int], size: tuple[int, int]) -> str:
    """Where a region lies.

    Args:
        box: x0, y0, x1, y1 in original pixels.
        size: width and height of the original image, in pixels.
    """
    x0, y0, x1, y1 = box
    if (x1 - x0) * (y1 - y0) >= _WHOLE * size[0] * size[1]:
        return "the whole image"
    row = _ROWS[min(2, 3 * (y0 + y1) // (2 * size[1]))]
    column = _COLUMNS[min(2, 3 * (x0 + x1) // (2 * size[0]))]
    if row == "middle":
        return "the centre" if column == "centre" else f"the {column} side"
    return f"the {row} middle" if column == "centre" else f"the {row} {column}"
