"""The JSON object that `--json` prints: the result, or the error in its place. A program reads one, never two."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import Any

from hart_agent.errors import HartError


class _Printed:
    """Whether the command has printed its object."""

    already = False


def begin_output() -> None:
    """A command begins, which has printed nothing."""
    _Printed.already = False


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on stdout, whatever its encoding."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a lone surrogate, or a narrow encoding: JSON's own escapes
        text = json.dumps(value, indent=2)
    _Printed.already = True
    print(text)


def print_error(error: HartError) -> None:
    """The error by its kind (see `hart_agent.errors`), where no result was printed. A full stdout was told of."""
    if not _Printed.already:
        with suppress(OSError):
            print_json({"error": {"type": type(error).__name__, "message": str(error)}})
