"""What the commands share: exit codes, JSON on stdout, and checks that come before the work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hart_agent.errors import ConfigError
from hart_agent.vision.source import DEFAULT_MAX_IMAGE_PIXELS

EXIT_DIFFERENT = 1
EXIT_NO_ANSWER = 3

DEFAULT_MEGAPIXELS = DEFAULT_MAX_IMAGE_PIXELS // 1_000_000
MaxMegapixels = Annotated[int, typer.Option(min=1, metavar="N", help="Refuse larger images.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]  # read by `main`


def check_writable(path: Path | None, *, keep: Path) -> None:
    """Complain before the work is done, not after it; what was read is never written over."""
    if path is None:
        return
    try:
        folder, overwrites = path.is_dir(), path.exists() and keep.exists() and path.samefile(keep)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}. Choose another path.") from error
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"{path} can't be written: there is no folder {path.absolute().parent}. Make it first.")
    if folder:
        raise ConfigError(f"{path} can't be written: it is a folder. Give the path of a file.")
    if overwrites:
        raise ConfigError(f"{path} can't be written: that would overwrite {str(keep)!r}. Choose another file.")


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout, whatever its encoding."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a lone surrogate, or a narrow encoding: JSON's own escapes
        text = json.dumps(value, indent=2)
    print(text)
