"""Where results are written: regular files, replaced as a whole, and none that hart-agent did not write.

A link is followed: it stays, and the file that it points to is replaced. Pipes, sockets and devices are refused, for a
file that is replaced atomically would take their place.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hart_agent.errors import ConfigError, OutputError

_NEW_FILE = 0o666  # less the umask
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class Output:
    """A file that a command is going to write.

    Attributes:
        path: as it was given.
        is_ours: whether the file that is there now was written by hart-agent, and may be replaced. It is called with
            files that are not empty.
        noun: what is written, for messages.
    """

    path: Path
    is_ours: Callable[[Path], bool]
    noun: str


def check_outputs(outputs: Iterable[Output], *, inputs: Sequence[Path | None] = (), force: bool = False) -> None:
    """Refuse outputs that can't be written or would destroy something. Called before the work; changes nothing.

    Args:
        outputs: all files that the command writes.
        inputs: files that it reads, which are never overwritten.
        force: whether files may be replaced that hart-agent did not write.

    Raises:
        ConfigError: the message names the path and what to do.
    """
    seen: set[Path] = set()
    for output in outputs:
        path = output.path
        try:
            target = regular_file(path)
            overwritten = next((each for each in inputs if each is not None and _same(target, each)), None)
            stranger = target.exists() and target.stat().st_size > 0 and not force and not output.is_ours(target)
        except OSError as error:
            raise ConfigError(f"{path} can't be written: {error.strerror}. Choose another path.") from error
        if overwritten is not None:
            raise ConfigError(
                f"{path} can't be written: that would overwrite {str(overwritten)!r}. Choose another file."
            )
        if target in seen:
            raise ConfigError(f"{path} can't be written: two outputs would be one file. Give each its own path.")
        if stranger:
            raise ConfigError(
                f"{path} is there already and is not {output.noun} that hart-agent wrote: it is left untouched. Choose "
                "another path, or replace it with --force."
            )
        seen.add(target)


def regular_file(path: Path) -> Path:
    """The file that is written for a path: links are followed.

    Raises:
        ConfigError: there is something else than a regular file, or no folder for it, or one that can't be written.
        OSError: the path can't be examined: its name is too long, say.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except NotADirectoryError:
        mode = stat.S_IFREG  # its parent is named below
    if stat.S_ISDIR(mode):
        raise ConfigError(f"{path} can't be written: it is a folder. Give the path of a file.")
    if not stat.S_ISREG(mode):
        kind = next((noun for test, noun in _KINDS if test(mode)), "not a regular file")
        raise ConfigError(f"{path} can't be written: it is {kind}. Give the path of a regular file.")
    try:
        target = path.resolve()
    except RuntimeError as error:  # a ring of links, before Python 3.13
        raise ConfigError(f"{path} can't be written: its links form a ring. Choose another path.") from error
    if not target.parent.is_dir():
        raise ConfigError(f"{path} can't be written: there is no folder {target.parent}. Make it first.")
    if not os.access(target.parent, os.W_OK):
        raise ConfigError(f"{path} can't be written: Permission denied. Choose another path.")
    return target


def replace_file(path: Path, write: Callable[[BinaryIO], object], *, mode: int | None = None) -> None:
    """Write a file, whole or not at all. A file that is there keeps its permissions.

    Args:
        path: of a regular file, or of a link to one, which stays.
        write: is given the new file, open for writing.
        mode: permissions of the file before anything is in it; by default those of the old or of any new file.

    Raises:
        ConfigError: the path is not that of a regular file.
        OutputError: it can't be written.
    """
    try:
        target = regular_file(path)
        if mode is None and target.exists():
            mode = stat.S_IMODE(target.stat().st_mode)
        temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
        try:
            # Exclusive, so that a link that someone put there is not followed.
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _NEW_FILE
            )
            with os.fdopen(descriptor, "wb") as file:
                if mode is not None:
                    temporary.chmod(mode)
                write(file)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror or error}. Choose another path.") from error


def head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file, from which an output is recognised; none if it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)
