"""The memory of commands that run for long."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters' names in glibc's malloc.h."""

_LARGE: Final = 1 << 20
"""Bytes of a block, or of the end of a heap, that goes back to the system as soon as it is freed."""


def return_freed_memory() -> None:
    """Let what is freed go back to the system: images, first of all.

    glibc keeps blocks of up to 32 MB that were freed for the next ones, apart for many threads. A process that decodes
    images in threads for hours grows to three times what it needs. With other libraries of C, and where the user has
    set glibc's own variables, nothing is changed.
    """
    is_set = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if sys.platform != "linux" or is_set:
        return
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        change(_TRIM_THRESHOLD, _LARGE)
        change(_MMAP_THRESHOLD, _LARGE)
