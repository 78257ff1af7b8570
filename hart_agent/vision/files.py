"""The bytes of an image: a file that must stay the same while it is in use, or a file that is held in memory."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hart_agent.errors import ImageError, NoSuchImageError


@dataclass(frozen=True)
class EncodedImage:
    """An image file in memory, out of a table, say.

    Attributes:
        name: for messages and traces.
        data: the bytes of the file.
    """

    name: str
    data: bytes = field(repr=False)

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The file, to be read."""
        yield io.BytesIO(self.data)

    def sha256(self) -> str:
        """Hash of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


class ImageFile:
    """A file on the disk, as it was when this was made.

    Args:
        path: of a regular file.

    Raises:
        NoSuchImageError: there is no such file.
        ImageError: it is something else.
        PermissionError: it may not be looked at.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = _state(_checked_stat(path))

    @property
    def name(self) -> str:
        """The path as given."""
        return str(self.path)

    @property
    def current(self) -> bool:
        """Whether the file is still there and the same."""
        try:
            return _state(self.path.stat()) == self._state
        except OSError:
            return False

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The file, to be read.

        Raises:
            ImageError: it is gone, or another one than before, or it changed meanwhile.
        """
        _checked_stat(self.path)
        with self.path.open("rb") as file:
            self._check(file)
            try:
                yield file
            finally:
                self._check(file)

    def sha256(self) -> str:
        """Hash of the bytes.

        Raises:
            ImageError: see `opened`.
        """
        with self.opened() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]

    def _check(self, file: IO[bytes]) -> None:
        if _state(os.fstat(file.fileno())) != self._state:
            raise ImageError(f"{self.path} was changed while it was in use. Ask again.")


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _checked_stat(path: Path) -> os.stat_result:
    try:
        found = path.stat()
    except PermissionError:
        raise
    except (OSError, ValueError) as error:  # missing; or no possible file name
        raise NoSuchImageError(_missing(path, error)) from error
    if not stat.S_ISREG(found.st_mode):  # reading a pipe could wait for ever
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise ImageError(f"{path} is {kind}. Give the path of one image file.")
    return found


def _missing(path: Path, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.ENAMETOOLONG:
        return f"{path}: no such file: no name is so long. Check the path of the image."
    if number == errno.ELOOP:
        return f"{path}: no such file, but a link that leads back to itself. Give the path of the image."
    try:
        target = path.readlink()
    except (OSError, ValueError):
        return f"{path}: no such file. Check the path of the image."
    return f"{path}: no such file: it is a link to {target}, which is not there. Give the path of the image."
