"""The directories of a TIFF: read as they stand in the file, and written for a part of it (TIFF 6.0; BigTIFF)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, Final

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by its type."""

_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_LONG: Final = 4
_SUB_DIRECTORIES: Final = 330
_MOST_ENTRIES: Final = 4096
_MOST_BYTES: Final = 64_000_000
"""Of one entry; the places of 8 million tiles."""


@dataclass(frozen=True)
class Directory:
    """What a TIFF says of one of its images.

    Attributes:
        order: of its bytes, "<" or ">".
        entries: type, count and bytes of each tag.
        next: where the next directory is; 0 if this is the last.
    """

    order: str
    entries: Mapping[int, tuple[int, int, bytes]]
    next: int

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The values of a tag that holds integers; none if it is missing, or holds something else."""
        kind, count, data = self.entries.get(tag, (0, 0, b""))
        return struct.unpack(f"{self.order}{count}{_INTEGERS[kind]}", data) if kind in _INTEGERS else ()

    def number(self, tag: int, default: int) -> int:
        """The first value of a tag."""
        return next(iter(self.numbers(tag)), default)


def directories(file: IO[bytes]) -> Iterator[Directory]:
    """The directories of the chain, first to last, each once.

    Raises:
        ValueError, struct.error: the file is damaged.
    """
    file.seek(0)
    order, big = _kind(file.read(4))
    file.seek(8 if big else 4)
    (place,) = struct.unpack(order + ("Q" if big else "I"), file.read(8 if big else 4))
    seen: set[int] = set()
    while place and place not in seen:
        seen.add(place)
        found = _read(file, place, order, big)
        yield found
        place = found.next


def sub_directories(file: IO[bytes], parent: Directory) -> Iterator[Directory]:
    """The directories that a directory names as its own.

    Raises:
        ValueError, struct.error: the file is damaged.
    """
    file.seek(0)
    order, big = _kind(file.read(4))
    for place in parent.numbers(_SUB_DIRECTORIES):
        yield _read(file, place, order, big)


def headed(
    order: str, entries: Mapping[int, tuple[int, int, bytes]], places: int, lengths: Sequence[int]
) -> tuple[bytes, list[int]]:
    """How a TIFF of one directory begins, and where each of its encoded parts has to stand behind it.

    Args:
        order: of the bytes.
        entries: as in a `Directory`, without where the parts are.
        places: the tag that says it.
        lengths: of the parts, in bytes; they follow one another.
    """
    table = dict(entries)
    table[places] = longs(order, *range(len(lengths)))  # of the right size, to know where the parts begin
    *starts, _ = accumulate(lengths, initial=8 + len(_directory(order, table)))
    table[places] = longs(order, *starts)
    magic = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return magic + _directory(order, table), starts


def longs(order: str, *values: int) -> tuple[int, int, bytes]:
    """An entry of 32-bit integers."""
    return _LONG, len(values), struct.pack(f"{order}{len(values)}I", *values)


def _kind(magic: bytes) -> tuple[str, bool]:
    try:
        return {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}[magic]
    except KeyError:
        raise ValueError("not a TIFF") from None


def _read(file: IO[bytes], place: int, order: str, big: bool) -> Directory:
    inline = 8 if big else 4
    file.seek(place)
    (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
    if count > _MOST_ENTRIES:
        raise ValueError(f"a directory of {count} entries")
    head = struct.Struct(order + ("HHQ" if big else "HHI"))
    table = file.read(count * (head.size + inline) + inline)
    entries = {}
    for start in range(0, count * (head.size + inline), head.size + inline):
        tag, kind, values = head.unpack_from(table, start)
        length = _SIZES.get(kind, 0) * values
        data = table[start + head.size : start + head.size + inline]
        if length > _MOST_BYTES:
            raise ValueError(f"an entry of {length} bytes")
        if length > inline:
            file.seek(struct.unpack(order + ("Q" if big else "I"), data)[0])
            data = file.read(length)
        if len(data) >= length:
            entries[tag] = kind, values, data[:length]
    (following,) = struct.unpack(order + ("Q" if big else "I"), table[-inline:])
    return Directory(order, entries, following)


def _directory(order: str, entries: Mapping[int, tuple[int, int, bytes]]) -> bytes:
    """The directory at the beginning of a file, behind its eight bytes of header."""
    beyond = 8 + 2 + 12 * len(entries) + 4
    table, values = [struct.pack(f"{order}H", len(entries))], b""
    for tag, (kind, count, data) in sorted(entries.items()):
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack(f"{order}I", beyond + len(values))
            values += data + b"\0" * (len(data) % 2)
        table.append(struct.pack(f"{order}HHI", tag, kind, count) + place)
    return b"".join((*table, struct.pack(f"{order}I", 0), values))
