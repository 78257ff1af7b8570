"""What a run keeps of its pictures, next to the list of its questions: a small photo of each."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from hart_agent.evals.runner import Record
from hart_agent.html.pictures import scaled
from hart_agent.store.outputs import replace_file
from hart_agent.vision.source import SourceImage

PHOTOS: Final = "photos"
"""The folder, in that of the run."""

_AREA: Final = 640_000
"""Pixels of a photo: some 100 kB."""
_QUALITY: Final = 80
_HASH: Final = 24
"""Characters of an image's hash that name its photo."""


def photo_name(record: Record) -> str | None:
    """The photo of a record's image, from the run's folder: one for all questions on it. None if none was seen."""
    if not record.get("image_sha256"):
        return None
    page = f"-{record['page']}" if record.get("page") else ""
    return f"{PHOTOS}/{record['image_sha256'][:_HASH]}{page}.jpg"


def write_photo(record: Record, source: SourceImage, folder: Path) -> None:
    """Write the photo of a record, unless it is there.

    Args:
        record: of a question on the image.
        source: the image.
        folder: of the run.

    Raises:
        ImageError: the image's pixel data is damaged.
        OutputError: it can't be written.
    """
    name = photo_name(record)
    if name is None or (folder / name).exists():
        return
    photo = source.render(source.size.box, scaled(source.size, math.sqrt(_AREA / source.size.area)))
    replace_file(folder / name, lambda file: photo.save(file, "JPEG", quality=_QUALITY))
