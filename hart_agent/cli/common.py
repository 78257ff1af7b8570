"""What the commands share: arguments, and JSON on stdout."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from hart_agent.errors import NoSuchImageError
from hart_agent.vision.opening import open_image
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS, SourceImage

ImageArgument = Annotated[
    str,
    typer.Argument(help="The image: a path, a URL, a data URL, or - for standard input.", show_default=False),
]
AllowDownload = Annotated[bool, typer.Option("--allow-download", help="The image may be a URL, which is fetched.")]
DEFAULT_MEGAPIXELS = DEFAULT_MAX_IMAGE_PIXELS // 1_000_000
MaxMegapixels = Annotated[int, typer.Option(min=1, metavar="N", help="Refuse larger images.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Progress shows calls as the model wrote them.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]  # read by `main`


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """How a command opens the image that it is given."""

    page: Annotated[
        int | None,
        typer.Option(min=1, help="Which frame or page of the image; the first by default.", show_default=False),
    ] = None
    allow_download: AllowDownload = False
    max_image_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS

    def open(self, image: str, question: str | None = None) -> SourceImage:
        """The image.

        Args:
            image: as it was named.
            question: that is asked about it.

        Raises:
            ImageError: it can't be used; if it isn't there, the message says what may have been meant.
        """
        try:
            return open_image(
                image,
                page=self.page,
                allow_download=self.allow_download,
                max_pixels=self.max_image_megapixels * 1_000_000,
                stdin=sys.stdin.buffer if sys.stdin is not None else None,
            )
        except NoSuchImageError as error:
            from hart_agent.cli.mistakes import instead_of_image

            advice = instead_of_image(image, question)
            raise NoSuchImageError(f"{error} {advice}" if advice else str(error)) from error


@dataclass(frozen=True, kw_only=True)
class ShownOptions:
    """What a command prints."""

    json_output: Json = False
    quiet: Quiet = False
    verbose: Verbose = False


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout, whatever its encoding."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a lone surrogate, or a narrow encoding: JSON's own escapes
        text = json.dumps(value, indent=2)
    print(text)
