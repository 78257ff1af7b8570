"""The text reader: finds and reads lines of text in an image, offline, and groups them into signs.

It knows nothing of questions; the tool `ocr` and the embedded policy both use it.
"""

from hart_agent.ocr.lines import Line, bounds, locate, merge
from hart_agent.ocr.reader import HeatMap, TextLine, TextReader, TextRegion
from hart_agent.ocr.signs import Sign, as_one, group

PACKAGES = ("onnxruntime", "rapidocr==3.10.0")
"""What it and its models come from, as `pyproject.toml` requires it."""

__all__ = [
    "PACKAGES",
    "HeatMap",
    "Line",
    "Sign",
    "TextLine",
    "TextReader",
    "TextRegion",
    "as_one",
    "bounds",
    "group",
    "locate",
    "merge",
]
