"""Image files that no library writes: broken, odd, or made to do harm."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk with its right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, with hardly any data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(bytes(100))), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def cmyk_profile(inks: dict[tuple[int, int, int, int], tuple[int, int, int]]) -> bytes:
    """An ICC profile that says what colour ink makes.

    Args:
        inks: for each of the 16 combinations of cyan, magenta, yellow and black, 0 or 1, the colour as Lab: L from 0 to
            100, a and b from -128 to 127.
    """
    straight = bytes(range(256))
    grid = b"".join(
        bytes([round(inks[c, m, y, k][0] * 2.55), inks[c, m, y, k][1] + 128, inks[c, m, y, k][2] + 128])
        for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)
    )  # fmt: skip
    matrix = struct.pack(">9i", *(65536 if place % 4 == 0 else 0 for place in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + 4 * straight + grid + 3 * straight
    table += bytes(-len(table) % 4)
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(table))
    header = struct.pack(
        ">III4s4s4s12s4s", 144 + len(table), 0, 0x02400000, b"prtr", b"CMYK", b"Lab ", bytes(12), b"acsp"
    )
    header += bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header + bytes(128 - len(header)) + tags + table


def tiff(
    pages: list[tuple[np.ndarray, dict[int, tuple[int, ...]]]],
    *,
    tile: int | None = 16,
    order: str = "<",
    big: bool = False,
    below: bool = False,
) -> bytes:
    """A TIFF of zlib-compressed tiles, which no library at hand writes.

    Args:
        pages: of each, height x width (x channels) samples, and further tags (short integers).
        tile: the side of a tile; None for strips of sixteen rows.
        order: of the bytes, "<" or ">".
        big: whether places have 64 bits.
        below: whether the pages after the first are its sub-directories.
    """
    place, inline = ("Q", 8) if big else ("I", 4)
    data = bytearray(({"<": b"II", ">": b"MM"}[order]) + struct.pack(order + "H", 43 if big else 42))
    data += struct.pack(order + "HHQ", 8, 0, 0) if big else struct.pack(order + "I", 0)
    heads: list[int] = []
    links = [len(data) - inline]
    for page in reversed(pages) if below else pages:
        samples, tags = page
        height, width = samples.shape[:2]
        channels = samples.shape[2] if samples.ndim == 3 else 1
        across, down = tile or width, tile or 16
        starts, lengths = [], []
        for y in range(0, height, down):
            for x in range(0, width, across):
                part = samples[y : y + down, x : x + across]
                if tile:
                    bottom, right = down - part.shape[0], across - part.shape[1]
                    part = np.pad(part, [(0, bottom), (0, right)] + [(0, 0)] * (samples.ndim - 2))
                packed = zlib.compress(part.astype(part.dtype.newbyteorder(order)).tobytes())
                starts.append(len(data))
                lengths.append(len(packed))
                data += packed
        kind = {"f": 3, "u": 1}[samples.dtype.kind]
        entries: dict[int, tuple[str, tuple[int, ...]]] = {
            256: ("I", (width,)), 257: ("I", (height,)), 258: ("H", (samples.dtype.itemsize * 8,) * channels),
            259: ("H", (8,)), 262: ("H", (2 if channels >= 3 else 1,)), 277: ("H", (channels,)),
            339: ("H", (kind,) * channels),
        }  # fmt: skip
        if tile:
            entries |= {
                322: ("I", (tile,)),
                323: ("I", (tile,)),
                324: (place, tuple(starts)),
                325: ("I", tuple(lengths)),
            }
        else:
            entries |= {273: (place, tuple(starts)), 278: ("I", (down,)), 279: ("I", tuple(lengths))}
        if below and page is pages[0]:
            entries[330] = (place, tuple(heads))
        entries |= {tag: ("H", values) for tag, values in tags.items()}
        table = bytearray()
        for tag, (code, values) in sorted(entries.items()):
            packed = struct.pack(f"{order}{len(values)}{code}", *values)
            if len(packed) > inline:
                packed, at = struct.pack(order + place, len(data)), packed
                data += at
            table += struct.pack(order + "HH" + place, tag, {"H": 3, "I": 4, "Q": 16}[code], len(values))
            table += packed.ljust(inline, b"\0")
        head = len(data)
        heads.append(head)
        data += struct.pack(order + ("Q" if big else "H"), len(entries)) + table + bytes(inline)
        if not below or page is pages[0]:
            struct.pack_into(order + place, data, links[-1], head)
            links.append(len(data) - inline)
    return bytes(data)
