"""Whether a benchmark's gold boxes are in pixels of its images, or on a grid of a thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hart_agent.errors import DatasetError, ImageError
from hart_agent.evals.items import Item

_GRID: Final = 1000
_LARGE: Final = 1500
"""Pixels. A box that lies anywhere on an image of these sides is within the grid in less than half of the cases."""
_ENOUGH: Final = 12
"""Images. That all boxes on so many large ones lie within the grid by chance happens once in 10,000 at most."""
_MOST: Final = 40


def refuse_thousandths(items: Sequence[Item], where: str) -> None:
    """See that gold boxes are pixels: on large images, some lie beyond the first thousand.

    Args:
        items: of a benchmark; the headers of some of their images are read.
        where: they were read from, for messages.

    Raises:
        DatasetError: all boxes on many large images lie within 0 to 1000.
    """
    boxed = list({item.image: item for item in items if item.boxes}.values())
    large = 0
    for item in boxed[:: max(1, len(boxed) // _MOST)]:
        if any(box.x1 > _GRID or box.y1 > _GRID for box in item.boxes):
            return
        try:
            with item.open() as image:
                large += min(image.size.width, image.size.height) >= _LARGE
        except ImageError:  # it is reported where the question is asked
            continue
    if large >= _ENOUGH:
        raise DatasetError(
            f"{where}: on {large} images of {_LARGE} pixels and more, every gold box lies within 0 to {_GRID}: they "
            "are thousandths of the image, it seems. Boxes are in pixels of the original: convert the file."
        )
