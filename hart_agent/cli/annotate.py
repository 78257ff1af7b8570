"""Drawing the evidence on the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from hart_agent.cli.outputs import save_picture
from hart_agent.tooling.records import Evidence
from hart_agent.vision.drawing import draw_numbered
from hart_agent.vision.source import SourceImage


def annotate(image: SourceImage, evidence: Sequence[Evidence]) -> Image.Image:
    """The upright image at full resolution with numbered frames around, never over, the evidence."""
    canvas = image.render(image.size.box, image.size).copy()  # the image keeps its own
    draw_numbered(canvas, [item.box.as_tuple() for item in evidence])
    return canvas


def write_annotated(image: SourceImage, evidence: Sequence[Evidence], path: Path) -> None:
    """Draw the evidence and save the image; the file name's ending decides the format.

    Raises:
        ConfigError: the ending is unknown, or the format can't hold the image.
        OutputError: the file can't be written.
    """
    save_picture(annotate(image, evidence), path)
