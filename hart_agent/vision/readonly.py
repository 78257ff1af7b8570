"""Images that several users share: they can be looked at, copied and converted, and not changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

if TYPE_CHECKING:
    from PIL._imaging import ImagingCore

_SHARED: Final = "these pixels are shared and can't be changed; change a copy: image.copy()"


class ReadOnlyImage(Image.Image):
    """Pixels that others see as well. Every method that would change them raises TypeError; `copy()` gives an image
    that can be changed. Made by `freeze`.
    """

    @property
    def im(self) -> ImagingCore:
        return super().im

    @im.setter
    def im(self, im: ImagingCore) -> None:
        # Pillow's flag `readonly` makes its methods put a copy here before they change anything.
        raise TypeError(_SHARED)

    def frombytes(self, *arguments: Any) -> None:
        """Raises TypeError: the one method of Pillow that writes without asking the flag."""
        raise TypeError(_SHARED)

    def close(self) -> None:
        """Do nothing: others still look at it."""

    def __reduce__(self) -> tuple[Callable[[Image.Image], Image.Image], tuple[Any, ...]]:
        return freeze, (self.copy(),)


def freeze(image: Image.Image) -> Image.Image:
    """Make an image read-only, where it is: no pixels are copied. One that Pillow opened is loaded first."""
    if not isinstance(image, ReadOnlyImage):
        image.load()
        image.readonly = 1
        image.__class__ = ReadOnlyImage
    return image
