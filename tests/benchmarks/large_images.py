"""Large images: time and peak memory of one question, and of the image layer alone, each in a process of its own.

    python tests/benchmarks/large_images.py [--runs 3] [--only questions | layer] [--files "PNG 24 MP" ...]

A question is about a JPEG: a background from examples/ enlarged to the size, with one drawn sign. The layer's work is
what the views of a question take: the header, an overview of one megapixel and eight crops of 1000 x 800 pixels; next
to it stands one plain decode by Pillow in the same run; both in seconds of processor time, imports included,
which a busy machine leaves as they are. Peak memory is the process's largest resident set as
the operating system counts it, models included; the layer's is given in bytes a pixel, less that of an idle process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "drawn_scenes"))

import numpy as np
import scenes
from PIL import Image

Image.MAX_IMAGE_PIXELS = None

SIZES = {"24 MP": (6000, 4000), "100 MP": (12000, 8350)}
CHILD = (
    "import resource, sys; from hart_agent.cli import main; "
    "sys.argv = ['hart-agent', 'ask', sys.argv[1], sys.argv[2], '--json', '-q']\n"
    "try: main()\n"
    "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
)


def draw(size: tuple[int, int], path: Path) -> tuple[str, str]:
    """Write the image; returns a question and the text that answers it."""
    scene = scenes.draw_scene(3, 20)
    image = scene.image.resize(size, Image.Resampling.BICUBIC)
    sign = next(sign for sign in scene.signs if len(sign.lines) > 1)
    x0, y0, x1, y1 = sign.box
    place = (size[0] // 2, size[1] // 2)
    image.paste(scene.image.crop((x0 - 20, y0 - 20, x1 + 20, y1 + 20)), place)
    image.save(path, quality=92)
    return "What does the sign in the middle of the picture say?", " ".join(sign.lines)


FILES = {
    f"{kind} {megapixels} MP": (kind, ending, size)
    for megapixels, size in ((24, (6000, 4000)), (100, (12000, 8350)))
    for kind, ending in (
        ("JPEG", "jpg"), ("PNG", "png"), ("PNG RGBA", "png"), ("PNG palette", "png"), ("PNG 16-bit grey", "png"),
        ("PNG 16-bit RGB", "png"), ("TIFF", "tif"), ("WEBP", "webp"),
    )
}  # fmt: skip
IDLE = "from hart_agent.vision.source import SourceImage; from PIL import ImageCms"
PLAIN = """
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
Image.open(sys.argv[1]).load()
"""
LAYER = """
from hart_agent.vision.source import SourceImage
from hart_agent.vision.geometry import Box, Size
source = SourceImage(sys.argv[1])
source.render(source.size.box, Size(1200, 835))
overview = time.process_time() - started
for number in range(8):
    x, y = number * source.size.width // 9, number * source.size.height // 9
    source.render(Box(x, y, x + 1000, y + 800), Size(1000, 800))
    crop = crop if number else time.process_time() - started - overview
"""
MEASURED = """
import json, re, sys, time
from pathlib import Path
started = time.process_time(); overview = crop = 0.0
{work}
seconds = time.process_time() - started
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]  # of this process alone
print(json.dumps([seconds, overview, crop, int(peak) * 1024]))
"""


def noisy(size: tuple[int, int]) -> Image.Image:
    """A photo of that size, with the noise of a sensor, which is what compressors work on."""
    photo = scenes.draw_scene(3, 20).image.resize(size, Image.Resampling.BICUBIC)
    noise = Image.effect_noise((1024, 1024), 12)
    tile = Image.merge("RGB", [noise, noise.transpose(Image.Transpose.ROTATE_90), noise.rotate(180)])
    for x in range(0, size[0], 1024):
        for y in range(0, size[1], 1024):
            place = (x, y, min(x + 1024, size[0]), min(y + 1024, size[1]))
            part = photo.crop(place)
            photo.paste(Image.blend(part, tile.crop((0, 0, *part.size)), 0.15), place)
    return photo


def write(photo: Image.Image, kind: str, path: Path) -> None:
    """The photo as a file of a kind."""
    if kind == "PNG 16-bit RGB":
        import cv2

        cv2.imwrite(str(path), np.asarray(photo)[..., ::-1].astype(np.uint16) * 257)
        return
    if kind == "PNG 16-bit grey":
        photo = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    elif kind == "PNG RGBA":
        photo.putalpha(photo.convert("L").point(lambda value: min(255, 2 * value)))
    elif kind == "PNG palette":
        photo = photo.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    options = {"JPEG": {"quality": 92}, "TIFF": {"compression": "tiff_adobe_deflate"}, "WEBP": {"quality": 85}}
    photo.save(path, **options.get(kind, {"compress_level": 3}))


def measure(work: str, path: str) -> list[float]:
    """Seconds in all, to the overview, of the first crop; and the peak, in bytes."""
    command = [sys.executable, "-c", MEASURED.format(work=work), path]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def layer(runs: int, names: list[str]) -> None:
    """Print the table of the image layer."""
    heads = ("Pillow s", "ours s", "overview s", "first crop s")
    print(f"{'file':22} {' '.join(f'{head:>18}' for head in heads)} {'ratio':>6} {'B/pixel':>8}")
    idle = statistics.median(measure(IDLE, "")[3] for _ in range(3))
    for name in names:
        kind, ending, size = FILES[name]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"photo.{ending}"
            write(noisy(size), kind, path)
            plain, ours = [], []
            for _ in range(runs):  # in turns, so that both meet the same load
                plain.append(measure(PLAIN, str(path)))
                ours.append(measure(LAYER, str(path)))
        seconds, overview, crop, peak = ([run[index] for run in ours] for index in range(4))
        ratio = statistics.median(seconds) / statistics.median(run[0] for run in plain)
        per_pixel = (statistics.median(peak) - idle) / (size[0] * size[1])
        columns = ([run[0] for run in plain], seconds, overview, crop)
        shown = " ".join(f"{spread(column, 2):>18}" for column in columns)
        print(f"{name:22} {shown} {ratio:>6.2f} {per_pixel:>8.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["questions", "layer"])
    parser.add_argument("--files", nargs="+", choices=list(FILES), default=list(FILES))
    arguments = parser.parse_args()
    if arguments.only != "layer":
        questions(arguments.runs)
    if arguments.only != "questions":
        layer(arguments.runs, arguments.files)


def questions(runs: int) -> None:
    """Print the table of questions."""
    print(f"{'image':8} {'right':>6} {'seconds':>22} {'peak MB':>22}")
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo.jpg"
            question, wanted = draw(size, path)
            seconds, peaks, right = [], [], 0
            for _ in range(runs):
                started = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-c", CHILD, str(path), question], capture_output=True, text=True, check=False
                )
                seconds.append(time.perf_counter() - started)
                peaks.append(int(done.stderr.split()[-1]) / 1024)
                right += json.loads(done.stdout)["answer"] == wanted
        print(f"{name:8} {right}/{runs:<4} {spread(seconds, 2):>22} {spread(peaks, 0):>22}")


def spread(values: list[float], digits: int) -> str:
    """Median, and the range in brackets."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


if __name__ == "__main__":
    main()
