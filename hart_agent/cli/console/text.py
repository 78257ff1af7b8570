"""Text that others wrote, made harmless for a terminal."""

from __future__ import annotations

import logging
import traceback
import unicodedata
from typing import Any

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of control characters (terminal escapes begin with one), halves of surrogate pairs, and separators of
lines and paragraphs."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates: they show text in another order than it has."""


def printable(text: str) -> str:
    """The text with control characters and changes of direction made visible; new lines and tabs stay.

    All else is kept, what Persian, Indic scripts and emoji are joined with included.
    """
    return "".join(map(_shown, text))


def one_line(text: str) -> str:
    """The text as `printable` makes it, on one line, so that it can't pass for another line of ours."""
    lines = printable(text).replace("\t", " ").split("\n")
    return " ".join(filter(None, (line.strip(" ") for line in lines)))


class PrintableFormatter(logging.Formatter):
    """Formats log records for a terminal.

    Attributes:
        tracebacks: whether an exception is shown with its traceback; otherwise in one line, with its place.
    """

    tracebacks = True

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (logging's name)
        _, error, trace = ei
        if self.tracebacks or trace is None:
            return super().formatException(ei)
        words = one_line("".join(traceback.format_exception_only(error)))
        place = traceback.extract_tb(trace)[-1]
        return f"  {words} (at {place.filename}, line {place.lineno}; --debug shows the traceback)"


def _shown(char: str) -> str:
    if char in "\n\t" or (unicodedata.category(char) not in _CONTROLS and char not in _TURNING):
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
