"""The shapes in which models write a box, each read where it leaves no doubt.

Read are four numbers in a row, also as texts or inside one more list; two corners, `[[x0, y0], [x1, y1]]`; named
corners; an object that holds the box under one of its usual names; and a text of any of these, in brackets of any kind
or without, and with the markers in which some families put boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from hart_agent.dialogue.json_repair import whole_json
from hart_agent.errors import ReplyFormatError

Numbers: TypeAlias = list[int | float]
"""The four numbers of a box in the order in which the policy writes them."""

BOX_NAMES: Final = ("bbox_2d", "bbox", "box", "box_2d", "bounding_box")
"""Under which models are trained to write a box."""

_CORNERS: Final = (
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
)
_MARKERS: Final = ("<|box_start|>", "<|box_end|>", "<|begin_of_box|>", "<|end_of_box|>", "<box>", "</box>")
_BRACKETS: Final = str.maketrans("()", "[]")
_MAX_TEXT: Final = 1000
"""Characters of a text that may be a box."""
_MAX_LAYERS: Final = 4
"""Lists, objects and texts around the numbers."""


def read_box(value: Any, *, y_first: bool = False) -> Numbers | None:
    """The numbers of a box, or None if the value is not one box without doubt.

    Args:
        value: as JSON holds it.
        y_first: whether the policy writes y before x; decides the order for corners that are named.
    """
    return _read(value, y_first, _MAX_LAYERS)


def read_boxes(value: Any, *, y_first: bool = False) -> list[Any] | None:
    """The boxes of a list, with what is not a box left as it is; None if the value is no list of boxes.

    One box that stands alone is a list of one.
    """
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, list):
        boxes = [read_box(item, y_first=y_first) for item in value]
        if any(boxes):
            return [item if box is None else box for item, box in zip(value, boxes, strict=True)]
    box = read_box(value, y_first=y_first)
    return None if box is None else [box]


def named_box(values: Mapping[str, Any]) -> tuple[tuple[str, ...], Any] | None:
    """The box among named values: the names that make it up, and the box as written; None unless there is just one."""
    found: list[tuple[tuple[str, ...], Any]] = [((name,), values[name]) for name in BOX_NAMES if name in values]
    for names in _CORNERS:
        if all(name in values for name in names):
            found.append((names, {name: values[name] for name in names}))
    return found[0] if len(found) == 1 else None


def _read(value: Any, y_first: bool, layers: int) -> Numbers | None:
    if not layers:
        return None
    if isinstance(value, str):
        return _read(_json(value), y_first, layers - 1)
    if isinstance(value, Mapping):
        return _read_named(value, y_first, layers)
    if not isinstance(value, list):
        return None
    if len(value) == 1:
        return _read(value[0], y_first, layers - 1)
    if len(value) == 2 and all(isinstance(corner, list) and len(corner) == 2 for corner in value):
        value = [*value[0], *value[1]]
    numbers = [number for number in map(_number, value[:5]) if number is not None]
    return numbers if len(numbers) == len(value) == 4 else None


def _read_named(values: Mapping[str, Any], y_first: bool, layers: int) -> Numbers | None:
    found = named_box(values)
    if found is None:
        return None
    names, box = found
    if len(names) == 1:
        return _read(box, y_first, layers - 1)
    x0, y0, x1, y1 = (_number(box[name]) for name in names)
    if x0 is None or y0 is None or x1 is None or y1 is None:
        return None
    return [y0, x0, y1, x1] if y_first else [x0, y0, x1, y1]


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        try:
            value = whole_json(value.strip()) if len(value) <= _MAX_TEXT else None
        except ReplyFormatError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _json(text: str) -> Any:
    """The value of a text that may hold a box; None if it holds anything else."""
    if len(text) > _MAX_TEXT:
        return None
    for marker in _MARKERS:
        text = text.replace(marker, " ")
    text = text.translate(_BRACKETS).strip()
    if "," not in text:
        text = ",".join(text.split())
    for candidate in (text, f"[{text}]"):
        try:
            return whole_json(candidate)
        except ReplyFormatError:
            continue
    return None
