"""Standard streams that are closed, or that can't take what is printed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from hart_agent.errors import OutputError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_MODES: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed_streams() -> None:
    """Put the null device in the place of standard streams that are closed (`<&-`, `>&-`, `2>&-`).

    Otherwise they are None: an error would be printed among the answers, and the next file that is opened would take
    the number of standard output, to which libraries write.
    """
    for name, mode in _MODES.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 (it stays open)


@contextmanager
def printed_whole() -> Iterator[None]:
    """See that what was printed is out when the command ends. A reader that has left (`| head -1`) is no error.

    Raises:
        OutputError: standard output can't take it: the disk is full, say.
    """
    try:
        try:
            yield
        finally:
            with suppress(BrokenPipeError):
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OutputError(
            f"standard output can't be written: {error.strerror}. Make room, or send it elsewhere."
        ) from error
