"""Image files that no library writes: broken, odd, or made to do harm."""

from __future__ import annotations

import struct
import zlib


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
