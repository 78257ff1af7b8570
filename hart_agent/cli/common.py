"""What the commands share: exit codes, JSON on stdout, and checks that come before the work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from hart_agent.errors import ConfigError
from hart_agent.vision.opening import open_image
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS, SourceImage

EXIT_DIFFERENT = 1
EXIT_NO_ANSWER = 3

ImageArgument = Annotated[
    str,
    typer.Argument(help="The image: a path, a URL, a data URL, or - for standard input.", show_default=False),
]
Page = Annotated[
    int | None, typer.Option(min=1, help="Which frame or page of the image; the first by default.", show_default=False)
]
AllowDownload = Annotated[bool, typer.Option("--allow-download", help="The image may be a URL, which is fetched.")]
DEFAULT_MEGAPIXELS = DEFAULT_MAX_IMAGE_PIXELS // 1_000_000
MaxMegapixels = Annotated[int, typer.Option(min=1, metavar="N", help="Refuse larger images.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Progress shows calls as the model wrote them.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]  # read by `main`


def open_argument(image: str, *, page: int | None, allow_download: bool, max_megapixels: int) -> SourceImage:
    """The image that a command was given.

    Raises:
        ImageError: it can't be used.
    """
    return open_image(
        image,
        page=page,
        allow_download=allow_download,
        max_pixels=max_megapixels * 1_000_000,
        stdin=sys.stdin.buffer if sys.stdin is not None else None,
    )


def check_writable(path: Path | None, *, keep: Path | None) -> None:
    """Complain before the work is done, not after it; what was read is never written over.

    Args:
        path: of the output, if one was asked for.
        keep: the file that is read, if it is one.
    """
    if path is None:
        return
    try:
        folder, overwrites = path.is_dir(), _same(path, keep)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}. Choose another path.") from error
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path} can't be written: there is no folder {path.absolute().parent}. Make it first.")
    if folder:
        raise ConfigError(f"{path} can't be written: it is a folder. Give the path of a file.")
    if overwrites:
        raise ConfigError(f"{path} can't be written: that would overwrite {str(keep)!r}. Choose another file.")


def check_image_name(path: Path) -> None:
    """Complain of a file name whose ending is not that of an image format that can be written."""
    Image.init()
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise ConfigError(f"{path} has no ending of an image format; expected such as .png or .jpg")


def _same(path: Path, keep: Path | None) -> bool:
    return keep is not None and path.exists() and keep.exists() and path.samefile(keep)


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout, whatever its encoding."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a lone surrogate, or a narrow encoding: JSON's own escapes
        text = json.dumps(value, indent=2)
    print(text)
