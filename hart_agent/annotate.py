"""Drawing the evidence on the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hart_agent.errors import ConfigError
from hart_agent.imaging import SourceImage
from hart_agent.types import Evidence

_COLOUR = (230, 30, 30)


def annotate(image: SourceImage, evidence: Sequence[Evidence]) -> Image.Image:
    """The upright image at full resolution with numbered frames around, never over, the evidence."""
    canvas = image.render(image.size.box, image.size).copy()  # the image keeps its own
    draw_numbered(canvas, [item.box.as_tuple() for item in evidence])
    return canvas


def draw_numbered(canvas: Image.Image, boxes: Iterable[tuple[int, int, int, int]]) -> None:
    """Draw numbered frames around, never over, regions.

    Args:
        canvas: is drawn on.
        boxes: (x0, y0, x1, y1) in pixels of the canvas, half-open.
    """
    draw = ImageDraw.Draw(canvas)
    line = max(2, round(max(canvas.size) / 1000))
    font = ImageFont.load_default(size=line * 10)
    for number, (x0, y0, x1, y1) in enumerate(boxes, start=1):
        draw.rectangle((x0 - line, y0 - line, x1 + line - 1, y1 + line - 1), outline=_COLOUR, width=line)
        below = y0 < line * 14
        corner = (x0 - line, y1 + line * 2) if below else (x0 - line, y0 - line * 2)
        anchor = "la" if below else "ld"
        draw.rectangle(draw.textbbox(corner, str(number), font, anchor=anchor), fill=_COLOUR)
        draw.text(corner, str(number), "white", font, anchor=anchor)


def write_annotated(image: SourceImage, evidence: Sequence[Evidence], path: Path) -> None:
    """Draw the evidence and save the image; the file name's ending decides the format.

    Raises:
        ConfigError: the ending is unknown, or the file can't be written.
    """
    try:
        annotate(image, evidence).save(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"can't write the annotated image to {path} ({error}); try a .png or .jpg name") from error
