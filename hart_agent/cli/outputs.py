"""The files that the commands write, and how each kind recognises its own: only where there is a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from PIL import ExifTags, Image

from hart_agent.errors import ConfigError, ImageError
from hart_agent.store.outputs import Output, check_outputs, head, replace_file
from hart_agent.vision.formats import decoding, open_allowed

__all__ = ["Force", "check_outputs", "is_results", "page", "picture", "results", "save_picture", "trace", "variants"]

Force = Annotated[
    bool, typer.Option("--force", help="Replace files that are there already and that hart-agent did not write.")
]

_SOFTWARE = "hart-agent"
_TITLE_END = b" - hart-agent</title>"  # pages of version 0.1 name no generator


def trace(path: Path | None) -> list[Output]:
    """The trace of a question."""
    return _listed(path, _is_trace, "a trace")


def page(path: Path | None) -> list[Output]:
    """A page for a browser."""
    return _listed(path, _is_page, "a page")


def variants(folder: Path) -> list[Output]:
    """The page and the curve of runs that differ in one option; the curve is ours where the page next to it is."""
    from hart_agent.evals.variants import CURVE, PAGE

    def is_curve(path: Path) -> bool:
        return _is_page(path.with_name(PAGE))

    return [*page(folder / PAGE), Output(folder / CURVE, is_curve, "a curve")]


def results(path: Path) -> list[Output]:
    """The results of a batch.

    Raises:
        ConfigError: the name promises another format, or standard output, which can't be resumed.
    """
    if str(path) == "-" or path.suffix.lower() in (".csv", ".parquet"):
        raise ConfigError(
            f"results are lines of JSON in a file, by which a batch is resumed; got {path}. Name a .jsonl file."
        )
    return _listed(path, is_results, "a file of results")


def picture(path: Path | None) -> list[Output]:
    """A picture, whose format is that of its name's ending.

    Raises:
        ConfigError: there is no such format.
    """
    if path is not None:
        _format_of(path)
    return _listed(path, _is_picture, "a picture")


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a picture, whole or not at all, marked as ours where its format has room for that.

    Raises:
        ConfigError: there is no such format, it can't hold the picture, or the path is not that of a regular file.
        OutputError: the file can't be written.
    """
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = _SOFTWARE
    image_format = _format_of(path)
    try:
        replace_file(path, lambda file: image.save(file, image_format, exif=exif))
    except ValueError as error:
        raise ConfigError(f"can't write {path} as {image_format} ({error}). Try a name that ends in .png.") from error


def _listed(path: Path | None, is_ours: Callable[[Path], bool], noun: str) -> list[Output]:
    return [] if path is None else [Output(path, is_ours, noun)]


def _format_of(path: Path) -> str:
    image_format = Image.registered_extensions().get(path.suffix.lower(), "")
    if image_format not in Image.SAVE:
        raise ConfigError(f"{path} has no ending of an image format that can be written; expected such as .png or .jpg")
    return image_format


def _is_trace(path: Path) -> bool:
    from hart_agent.trace.json import TRACE_SCHEMA

    start = head(path, 200)
    return start.startswith(b"{") and f'"schema": "{TRACE_SCHEMA}"'.encode() in start


def _is_page(path: Path) -> bool:
    from hart_agent.html.markup import GENERATOR

    start = head(path)
    return start.startswith(b"<!doctype html>") and (GENERATOR.encode() in start or _TITLE_END in start)


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file, decoding(str(path)):
            return bool(open_allowed(file).getexif().get(ExifTags.Base.Software) == _SOFTWARE)
    except (OSError, ImageError):
        return False


def is_results(path: Path) -> bool:
    """Whether the first line is a result, or what a killed batch left of one; `ResultFile` checks all lines."""
    try:
        with path.open("rb") as file:
            line = next((line for line in file if line.strip()), b"")
    except OSError:
        return False
    from hart_agent.batch.results import is_result

    try:
        return is_result(json.loads(line))
    except (ValueError, RecursionError):
        return not line.strip() or (not line.endswith(b"\n") and line.startswith(b'{"id":'))
