"""Decoded pixels as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Samples:
    """An image as an array: a byte a channel, where Pillow takes four bytes for three channels. Has what `Pixels` asks.

    Attributes:
        mode: Pillow's name of how its pixels are stored.
        info: what the file says of it.
        width, height: in pixels.
    """

    def __init__(self, samples: NDArray[np.uint8], mode: str, info: dict[Any, Any]) -> None:
        self._samples = samples
        self.mode = mode
        self.info = info
        self.height, self.width = samples.shape[:2]

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """A part, of the same mode."""
        import numpy as np

        part = np.ascontiguousarray(self._samples[box[1] : box[3], box[0] : box[2]])
        image = Image.new(self.mode, (box[2] - box[0], box[3] - box[1]), None)  # not filled with zeros first
        image.frombytes(part)
        return image
