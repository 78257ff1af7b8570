"""Drawing regions on an image."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

_COLOUR = (230, 30, 30)


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
