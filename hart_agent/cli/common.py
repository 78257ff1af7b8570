"""Arguments and options that the commands share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from hart_agent.cli.console.text import PrintableFormatter
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


def _hush(quiet: bool) -> bool:
    """Keep notes, which are logged as warnings, off stderr; errors are still shown."""
    for handler, _ in _own_handlers() if quiet else ():
        handler.setLevel(logging.ERROR)
    return quiet


def _shorten(debug: bool) -> bool:
    """Log exceptions without their tracebacks, unless these are asked for."""
    for _, formatter in _own_handlers():
        formatter.tracebacks = debug
    return debug


def _own_handlers() -> Iterator[tuple[logging.Handler, PrintableFormatter]]:
    """The command line's own."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, PrintableFormatter):
            yield handler, handler.formatter


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr.", callback=_hush)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Progress shows calls as the model wrote them.")]
Debug = Annotated[  # read by `main` as well
    bool, typer.Option("--debug", help="Show the traceback of an error.", callback=_shorten)
]


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
