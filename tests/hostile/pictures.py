"""Damaged and odd image files of every allowed format: each is shown, or refused with an `ImageError`.

They are decoded in children of this process, so that one that crashes, hangs or takes all memory is noticed.
"""

from __future__ import annotations

import io
import os
import random
import resource
import select
import signal
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hart_agent.errors import ImageError
from hart_agent.vision.formats import FORMATS
from hart_agent.vision.geometry import Box, Size
from hart_agent.vision.opening import open_image

MAX_PIXELS = 20_000_000
MEMORY = 3 << 30
"""Bytes of address space that a child may add to those it starts with."""
SECONDS = 20
"""Of processor time for one file; more is a hang."""
WALL = 300
"""Seconds without an answer; the machine may be busy."""
AT_ONCE = 200
"""Files of one child."""
_EDGES = (0, 1, 0x7F, 0x80, 0xFF)
_WORDS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


Sound = list[tuple[str, bytes]]
"""Files that are damaged: suffix and content."""


def by_format(files: Sound) -> dict[str, Sound]:
    """Files by the format that Pillow, asked for the allowed ones alone, takes them for; "none" is one, too."""
    found: dict[str, Sound] = {}
    for suffix, data in files:
        name = "HEIF" if data[4:11] in (b"ftyphei", b"ftypmif") else "none"
        with suppress(Exception), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            name = image.format or name
        found.setdefault(name, []).append((suffix, data))
    return dict(sorted(found.items()))


def seeds(samples: Path | None) -> Sound:
    """Sound files: drawn here, from the tests' data, and from a folder of samples. Each with its format's suffix."""
    drawn = [(kind.lower(), data) for kind, data in _drawn()]
    data = sorted((Path(__file__).parent.parent / "vision" / "data").iterdir())
    more = sorted(path for path in samples.rglob("*") if path.is_file()) if samples else []
    files = [(path.suffix.lstrip("."), path.read_bytes()) for path in [*data, *more] if path.stat().st_size < 300_000]
    return drawn + files


def _drawn() -> Iterator[tuple[str, bytes]]:
    noise = np.random.default_rng(5).integers(0, 256, (60, 90, 4), dtype=np.uint8)
    noise[:40] = 200
    colour = Image.fromarray(noise[..., :3])
    clear = Image.fromarray(noise)
    grey, palette, bits = colour.convert("L"), colour.convert("P"), colour.convert("1")
    deep = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    real = Image.fromarray(noise[..., 0].astype(np.float32) / 255)
    frames: dict[str, Any] = {"save_all": True, "append_images": [colour.rotate(90), colour.rotate(180)]}
    for image, kind, options in [
        (colour, "JPEG", {}), (colour, "JPEG", {"progressive": True}), (colour.convert("CMYK"), "JPEG", {}),
        (grey, "JPEG", {"restart_marker_blocks": 2}), (colour, "JPEG", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
        (colour, "MPO", frames),
        *((image, "PNG", {}) for image in (colour, clear, grey, palette, bits, deep)), (colour, "PNG", frames),
        (colour, "WEBP", {}), (clear, "WEBP", {"lossless": True}), (colour, "WEBP", frames),
        (palette, "GIF", {}), (colour, "GIF", frames), (palette, "GIF", {"transparency": 3}),
        *((colour, "TIFF", {"compression": how}) for how in
          (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "zstd")),
        (bits, "TIFF", {"compression": "group4"}), (bits, "TIFF", {"compression": "group3"}), (colour, "TIFF", frames),
        (deep, "TIFF", {}), (real, "TIFF", {}), (deep, "TIFF", {"compression": "tiff_lzw"}),
        (colour.convert("CMYK"), "TIFF", {}), (colour.convert("LAB"), "TIFF", {}), (clear, "TIFF", {}),
        (colour, "BMP", {}), (palette, "BMP", {}), (clear, "BMP", {}), (bits, "BMP", {}), (colour, "DIB", {}),
        (colour, "AVIF", {}), (clear, "AVIF", {}), (colour, "AVIF", frames),
        (colour, "JPEG2000", {}), (clear, "JPEG2000", {"irreversible": True}), (deep, "JPEG2000", {}),
        (colour, "PPM", {}), (grey, "PPM", {}), (bits, "PPM", {}), (deep, "PPM", {}), (real, "PPM", {}),
        (clear, "ICO", {}), (clear, "ICO", {"bitmap_format": "bmp"}), (clear.resize((128, 128)), "ICNS", {}),
        (colour, "TGA", {}), (colour, "TGA", {"compression": "tga_rle"}), (palette, "TGA", {}), (clear, "TGA", {}),
        (colour, "PCX", {}), (palette, "PCX", {}), (bits, "PCX", {}), (colour, "QOI", {}), (clear, "QOI", {}),
        (colour, "SGI", {}), (grey, "SGI", {}),
    ]:  # fmt: skip
        buffer = io.BytesIO()
        more = {
            name: [frame.copy() for frame in value] if isinstance(value, list) else value
            for name, value in options.items()
        }
        image.copy().save(buffer, kind, **more)  # a copy, for writers leave their settings on images
        yield kind, buffer.getvalue()


def damaged(data: bytes, others: Sound, draw: random.Random) -> bytes:
    """A file with one to six injuries, most of them near its start, where the headers are."""
    result = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        size = len(result)
        if size < 8:
            break
        at = draw.randrange(min(size, 200)) if draw.random() < 0.6 else draw.randrange(size)
        match draw.randrange(9):
            case 0:
                result[at] ^= 1 << draw.randrange(8)
            case 1:
                result[at] = draw.choice(_EDGES)
            case 2:
                word = struct.pack(draw.choice("<>") + "I", draw.choice(_WORDS))
                result[at : at + 4] = word[: draw.choice((2, 4))]
            case 3:
                del result[at:]
            case 4:
                del result[at : at + draw.randrange(1, 64)]
            case 5:
                result[at:at] = result[at : at + draw.randrange(1, 512)] * draw.choice((1, 1, 2, 50))
            case 6:
                result[at:at] = draw.randbytes(draw.randrange(1, 64))
            case 7:
                _, other = draw.choice(others)
                cut = draw.randrange(len(other))
                result[at:] = other[cut:]
            case 8:
                result += draw.choice((b"\0", draw.randbytes(64), bytes(result)))
    return bytes(result)


def show(path: Path) -> str:
    """Do with a file what a question does; the name of what came of it."""
    try:
        with open_image(path, max_pixels=MAX_PIXELS) as source:
            whole = source.size.box
            view = source.render(whole, Size(min(64, source.size.width), min(48, source.size.height)))
            part = source.render(Box(whole.x0, whole.y0, whole.x0 + 1, whole.y0 + 1), Size(1, 1))
            assert (view.mode, part.mode) == ("RGB", "RGB"), (view.mode, part.mode)
            assert part.size == (1, 1)
            return "shown"
    except ImageError as error:
        message = str(error)
        assert path.name in message, message
        assert len(message) < 1000, message
        return "refused"


def attack(folder: Path, seed: int, count: int, samples: Path | None) -> tuple[int, list[str], str]:
    """Damage so many files, as many of each format. How many, what failed, and the outcomes by format.

    Their sound originals come first, in addition.
    """
    sound, draw = seeds(samples), random.Random(seed)
    groups = by_format(sound)
    whole = [(kind, suffix, data) for kind, group in groups.items() for suffix, data in group]
    shown, refused = Counter[str](), Counter[str]()
    failures: list[str] = []
    tried = 0
    while tried < len(sound) + count:
        if tried < len(whole):
            batch = whole[tried : tried + AT_ONCE]
        else:
            batch = [_damaged(groups, sound, draw) for _ in range(min(AT_ONCE, len(sound) + count - tried))]
        paths = [folder / f"{at}-{kind}.{suffix}" for at, (kind, suffix, _) in enumerate(batch)]
        for path, (_, _, data) in zip(paths, batch, strict=True):
            path.write_bytes(data)
        for (kind, _, data), (path, outcome) in zip(batch, _in_child(paths), strict=True):
            tried += 1
            shown[kind] += outcome == "shown"
            refused[kind] += outcome == "refused"
            if outcome not in ("shown", "refused"):
                kept = Path("build") / "hostile" / f"{seed}-{tried}-{path.name}"
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(data)
                failures.append(f"{kept}: {outcome}")
        for path in paths:
            path.unlink()
    counted = ", ".join(f"{kind} {shown[kind]} + {refused[kind]}" for kind in groups)
    return tried, failures, f"From {len(sound)} files, shown + refused with a sentence: {counted}."


def _damaged(groups: dict[str, Sound], sound: Sound, draw: random.Random) -> tuple[str, str, bytes]:
    kind = draw.choice(list(groups))
    suffix, data = draw.choice(groups[kind])
    return kind, suffix if draw.random() < 0.8 else draw.choice(sound)[0], damaged(data, sound, draw)


def _in_child(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """What comes of each file. A child that ends or hangs has failed at the file it had begun; another goes on."""
    left = list(paths)
    while left:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                _show_all(left, writer)
            finally:  # without memory, say, it must not go on as its parent would
                os._exit(1)
        os.close(writer)
        said, has_answered = b"", True
        while has_answered := bool(select.select([reader], [], [], WALL)[0]):
            part = os.read(reader, 65536)
            if not part:
                break
            said += part
            *whole, said = said.split(b"\n")
            for line in whole:
                yield left.pop(0), line.decode()
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if left:
            number = os.WTERMSIG(status)
            hung = not has_answered or number in (signal.SIGXCPU, signal.SIGKILL)
            yield left.pop(0), "hangs" if hung else f"ends the process with signal {number}"


def _show_all(paths: list[Path], writer: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)
    before = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (before + MEMORY, before + MEMORY))
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]  # which can be lowered only
    for path in paths:
        spent = int(time.process_time())
        resource.setrlimit(resource.RLIMIT_CPU, (spent + SECONDS, most))
        try:
            outcome = show(path)
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}".replace("\n", " ")[:500]
        os.write(writer, f"{outcome}\n".encode())
