"""Drawing regions on an image."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFont

from hart_agent.vision.geometry import Rect

_COLOUR = (230, 30, 30)
_FRAMES = ("red", "green", "blue", "yellow", "orange", "purple", "cyan", "magenta")


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


def draw_frames(canvas: Image.Image, boxes: Iterable[Rect]) -> None:
    """Draw a frame on each region, each in another colour, as P2R's agents are shown them.

    Args:
        canvas: is drawn on.
        boxes: (x0, y0, x1, y1) in pixels of the canvas.

    Source: ZJU-REAL/Perceive-to-Reason, evaluation/p2r_utils.py (colours and width).
    """
    draw = ImageDraw.Draw(canvas)
    line = max(3, int(0.003 * canvas.width))
    for number, box in enumerate(boxes):
        draw.rectangle([int(value) for value in box], outline=_FRAMES[number % len(_FRAMES)], width=line)
