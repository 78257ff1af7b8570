"""Views as data URLs: lossless where that is cheap, and smaller only as far as a byte budget demands."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from hart_agent.vision.source import PerImage, View

QUALITIES = (92, 80, 65, 45, 25)
"""JPEG quality at each level; at level 0, small views are PNG."""
SMALL_PIXELS = 160_000
"""Area of a view up to which PNG is used."""
DEFAULT_MAX_BYTES = 16_000_000
"""Of all images in one request. Public services take 20 MB and more."""

_encoded: PerImage[dict[int, str]] = PerImage()
"""A conversation is sent again each turn: the same bytes, which are encoded once, and which a server can cache."""


def data_url(view: View, level: int) -> str:
    """The view's pixels as a data URL.

    Args:
        view: its size is not changed, for boxes are written on it.
        level: index into `QUALITIES`; the higher, the fewer bytes.
    """
    known = _encoded.get(view.image, dict)
    if level not in known:
        lossless = level == 0 and view.frame.size.area <= SMALL_PIXELS
        buffer = io.BytesIO()
        if lossless:
            view.image.save(buffer, "PNG")
        else:
            view.image.save(buffer, "JPEG", quality=QUALITIES[level], subsampling=0 if level == 0 else -1)
        kind = "png" if lossless else "jpeg"
        known[level] = f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return known[level]


def is_encoded(view: View) -> bool:
    """Whether the view was encoded before, so that sending it takes no work."""
    return view.image in _encoded


def total_bytes(views: Sequence[View], level: int) -> int:
    """The length of all data URLs together, in bytes."""
    return sum(len(data_url(view, level)) for view in views)


def choose_level(views: Sequence[View], max_bytes: int) -> int:
    """The best level at which all views fit into a number of bytes; the last one if none does."""
    last = len(QUALITIES) - 1
    return next((level for level in range(last) if total_bytes(views, level) <= max_bytes), last)
