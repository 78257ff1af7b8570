"""A tool for hart-agent that reads QR codes."""

from __future__ import annotations

from hart_agent import Box, ToolContext, ToolError, View, tool

SMALLEST = 21
"""Modules along a side of the smallest QR code; each takes a pixel at least."""


@tool(timeout=20)
def qr_code(context: ToolContext, bbox_2d: Box, image: View | None = None) -> str:
    """Read the QR codes in a region of the original photo: what each says, and its place. Make the box a little larger
    than the code.
    """
    import cv2
    import numpy as np

    if min(bbox_2d.width, bbox_2d.height) < SMALLEST:
        raise ToolError(f"a QR code has at least {SMALLEST} pixels a side; give a larger region than {bbox_2d.size}")
    pixels = context.pixels(bbox_2d, magnify=True)
    _, texts, corners, _ = cv2.QRCodeDetector().detectAndDecodeMulti(np.asarray(pixels.convert("L")))
    found = []
    for text, quad in zip(texts, corners if corners is not None else (), strict=False):
        if text:
            shrink = np.array([bbox_2d.width / pixels.width, bbox_2d.height / pixels.height])
            (x0, y0), (x1, y1) = (edge * shrink + (bbox_2d.x0, bbox_2d.y0) for edge in (quad.min(0), quad.max(0)))
            place = context.locate((float(x0), float(y0), float(x1), float(y1)), image or context.views["overview"])
            found.append(f"{text!r} at {place}")
    return "\n".join(found) or "No QR code can be read there. Try a tighter or a larger region."
