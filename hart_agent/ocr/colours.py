"""Everyday names of colours."""

from __future__ import annotations

from typing import Final

import numpy as np

COLOURS: Final = {
    "red": "red", "crimson": "red", "maroon": "red", "scarlet": "red", "orange": "orange", "yellow": "yellow",
    "golden": "yellow", "green": "green", "blue": "blue", "navy": "blue", "purple": "purple", "violet": "purple",
    "pink": "pink", "brown": "brown", "wooden": "brown", "black": "black", "dark": "black", "grey": "grey",
    "gray": "grey", "silver": "grey", "white": "white", "cream": "cream", "beige": "cream",
    "turquoise": "turquoise", "teal": "turquoise", "cyan": "turquoise",
}  # fmt: skip
"""Words for colours, and the names that `colour_name` gives them."""
_EXAMPLES: Final = {
    "red": ((190, 30, 40), (150, 20, 30), (220, 70, 60)),
    "orange": ((232, 124, 30), (240, 150, 60), (200, 100, 20)),
    "yellow": ((240, 205, 40), (250, 230, 100), (200, 165, 30)),
    "green": ((22, 106, 62), (60, 150, 70), (30, 70, 45), (120, 180, 90)),
    "turquoise": ((50, 170, 170), (30, 120, 130)),
    "blue": ((28, 74, 156), (60, 120, 200), (25, 40, 90), (110, 160, 215)),
    "purple": ((98, 48, 130), (140, 90, 170)),
    "pink": ((235, 150, 180), (220, 90, 140)),
    "brown": ((104, 64, 38), (140, 95, 60), (70, 42, 28), (165, 120, 80)),
    "black": ((30, 30, 32), (10, 10, 10), (50, 50, 54), (24, 26, 42)),
    "grey": ((142, 146, 150), (95, 98, 100), (185, 186, 188)),
    "white": ((238, 238, 232), (252, 252, 252), (220, 220, 216)),
    "cream": ((240, 228, 195), (225, 208, 170)),
}
"""sRGB, 0 to 255: what people call by that name on a sign, lit well, poorly and by a warm sun."""
_RIVALRY = 1.35
"""A colour also passes for a name if its nearest example is at most so much farther than that of its own name."""
_SLACK = 4.0


def colour_name(rgb: tuple[int, int, int]) -> str:
    """The everyday name of a colour, sRGB from 0 to 255."""
    return min(_EXAMPLES, key=lambda name: _nearest(rgb, name))


def colour_distance(rgb: tuple[int, int, int], name: str) -> float | None:
    """How far a colour is from what a name stands for, and twice how much farther than from its own name, in CIELAB
    units; None if it wouldn't be called so.
    """
    own, wanted = _nearest(rgb, colour_name(rgb)), _nearest(rgb, name)
    return wanted + 2 * (wanted - own) if wanted <= _RIVALRY * own + _SLACK else None


def _nearest(rgb: tuple[int, int, int], name: str) -> float:
    return float(np.linalg.norm(_lab(np.array(_EXAMPLES[name])) - _lab(np.array(rgb)), axis=-1).min())


def _lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB colours (D65), lightness at half weight: shade changes it more than the name."""
    linear = np.where(rgb <= 10.3, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    x, y, z = np.moveaxis(np.cbrt(np.maximum(xyz / np.array([0.9505, 1.0, 1.089]), 0.001)), -1, 0)
    return np.stack([58 * y - 8, 500 * (x - y), 200 * (y - z)], axis=-1)
