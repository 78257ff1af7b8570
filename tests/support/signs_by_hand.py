"""Lines and signs that nobody had to read, for tests of what is made of them."""

from __future__ import annotations

from hart_agent.ocr import Line, Sign
from hart_agent.vision.geometry import Size

PHOTO = Size(3000, 2400)
BLUE, RED, YELLOW, WHITE, GREEN = (28, 74, 156), (178, 32, 38), (240, 202, 36), (238, 238, 232), (22, 106, 62)


def line(text: str, x: float, y: float, *, height: float = 20, background: tuple[int, int, int] = WHITE) -> Line:
    """A level line with its top left corner at (x, y), each letter 0.6 as wide as the line is high."""
    rect = (x, y, x + 0.6 * height * len(text), y + height)
    return Line(text, 0.95, rect, height, 0.0, background, False)


def sign(*texts: str, at: tuple[float, float] = (1400, 1000), **style: object) -> Sign:
    """Rows of one line each, 30 pixels apart."""
    x, y = at
    return Sign(tuple((line(text, x, y + 30 * row, **style),) for row, text in enumerate(texts)))  # type: ignore[arg-type]
