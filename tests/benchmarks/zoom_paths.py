"""The views of one question, by us, by the peers' zoom paths and by libvips: time and peak memory, in one run.

    python tests/benchmarks/zoom_paths.py [--runs 3] [--files "TIFF 100 MP" ...] [--ways ours libvips ...]

The work: an overview of 1200 x 835 pixels and eight regions of 1000 x 800, each encoded for sending. Each way has a
process of its own, ways take turns; seconds are those of the processor, imports and libraries left out, and of the
clock, of ours also the processor's for the overview and for the first region; the peak is the process's largest
resident set.

- `Pillow`: one plain decode and nothing else, for comparison.
- `Qwen-Agent`: as its image_zoom_in_qwen3vl.py does it: every call opens and decodes the file, crops, resizes (BICUBIC)
  to at least 256 x 32 x 32 pixels, and saves a PNG, which is then read again and sent as JPEG.
- `verl`: as its image_zoom_in_tool.py does it: one decode, shrunk to 12.8 megapixels, of which all crops are.
  It sees less: of 100 megapixels a third in each direction.
- `ours`: the image layer, and the encoding of a request. `ours, base`: the same without TurboJPEG and libvips, which it
  decodes with where they are installed (pip install hart-agent[large]; see docs/cost.md).
- `libvips`: the fastest parts that install here (pip install pyvips pyvips-binary); left out where they don't.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np
from image_files import tiff
from large_images import noisy, spread, write

MAX_PIXELS = 16384 * 28 * 28
"""To which qwen-vl-utils shrinks an image."""

PILLOW = """
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
def work(path, boxes):
    Image.open(path).load()
"""
OURS = """
from hart_agent.backends.openai.images import data_url
from hart_agent.vision.geometry import Box, Frame, Size
from hart_agent.vision import turbojpeg, vips
from hart_agent.vision.source import SourceImage, View
turbojpeg._library(), vips._vips()
def work(path, boxes):
    source = SourceImage(path, max_pixels=10**9)
    views = [(source.size.box, Size(1200, 835)), *((Box(*box), Size(1000, 800)) for box in boxes)]
    for number, (box, size) in enumerate(views):
        started = time.process_time()
        data_url(View(str(number), "zoom", source.render(box, size), Frame(box, size)), 0)
        if number < 2:
            parts.append(time.process_time() - started)
"""
OURS_BASE = f"""
from hart_agent.vision import turbojpeg, vips
turbojpeg._library = vips._vips = lambda: None
{OURS}"""
QWEN_AGENT = """
import base64, io, math, tempfile, uuid
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
def sent(path, size=None):
    image = Image.open(path)
    image = image.convert("RGB")
    image = image.resize(size, Image.BICUBIC) if size else image
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue())
def work(path, boxes):
    sent(path, (1200, 835))
    with tempfile.TemporaryDirectory() as folder:
        for box in boxes:
            crop = Image.open(path).crop(box)
            crop = crop.resize((992, 800), Image.BICUBIC)
            name = f"{folder}/{uuid.uuid4()}.png"
            crop.save(name)
            sent(name)
"""
VERL = f"""
import base64, io
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
def sent(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue())
def work(path, boxes):
    image = Image.open(path).convert("RGB")
    scale = min(1.0, ({MAX_PIXELS} / (image.width * image.height)) ** 0.5)
    image = image.resize((int(image.width * scale) // 28 * 28, int(image.height * scale) // 28 * 28))
    sent(image.resize((1200, 835)))
    for box in boxes:
        sent(image.crop([round(side * scale) for side in box]))
"""
LIBVIPS = """
import base64, pyvips
def work(path, boxes):
    overview = pyvips.Image.thumbnail(path, 1200, height=835, size="force")
    base64.b64encode(overview.jpegsave_buffer(Q=90))
    image = pyvips.Image.new_from_file(path)
    for left, top, right, bottom in boxes:
        base64.b64encode(image.crop(left, top, right - left, bottom - top).jpegsave_buffer(Q=90))
"""
WAYS = {
    "Pillow": PILLOW,
    "ours": OURS,
    "ours, base": OURS_BASE,
    "libvips": LIBVIPS,
    "verl": VERL,
    "Qwen-Agent": QWEN_AGENT,
}
CHILD = """
import json, re, sys, time
from pathlib import Path
{way}
boxes, parts = json.loads(sys.argv[2]), []
clock, processor = time.perf_counter(), time.process_time()
work(sys.argv[1], boxes)
seconds = time.process_time() - processor, time.perf_counter() - clock
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps([*seconds, int(peak) * 1024 / 1e6, *parts]))
"""
SIZES = {"24 MP": (6000, 4000), "100 MP": (12000, 8350), "400 MP": (24000, 16700)}
KINDS = ("JPEG", "PNG", "TIFF", "pyramid")
FILES = {f"{kind} {name}": (kind, size) for name, size in SIZES.items() for kind in KINDS}
USUAL = ("JPEG 24 MP", "JPEG 100 MP", "JPEG 400 MP", "PNG 100 MP", "TIFF 100 MP", "pyramid 100 MP")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", nargs="+", choices=FILES, default=list(USUAL))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    ways = [way for way in arguments.ways if way != "libvips" or find_spec("pyvips")]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    heads = (
        f"{'processor s':>19} {'/ ours':>6} {'clock s':>19} {'peak MB':>8} {'overview s':>19} {'first region s':>19}"
    )
    print(f"{'file':14} {'way':10} {heads}")
    for name in arguments.files:
        kind, size = FILES[name]
        boxes = [(x := n * size[0] // 9, y := n * size[1] // 9, x + 1000, y + 800) for n in range(8)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo"
            if kind in ("TIFF", "pyramid"):
                path.write_bytes(tiff(_levels(size, kind == "pyramid"), tile=256))
            else:
                write(noisy(size), kind, path.with_suffix(f".{kind.lower()}"))
                path = path.with_suffix(f".{kind.lower()}")
            found: dict[str, list[list[float]]] = {way: [] for way in ways}
            for _ in range(arguments.runs):
                for way in ways:
                    command = [sys.executable, "-c", CHILD.format(way=WAYS[way]), str(path), json.dumps(boxes)]
                    found[way].append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
        ours = statistics.median(run[0] for run in found.get("ours", [[1.0]]))
        for way, runs in found.items():
            processor, clock, peak, *parts = ([run[index] for run in runs] for index in range(len(runs[0])))
            ratio = statistics.median(processor) / ours
            columns = f"{spread(processor, 2):>19} {ratio:>6.2f} {spread(clock, 2):>19} {statistics.median(peak):>8.0f}"
            print(f"{name:14} {way:10} {columns} {' '.join(f'{spread(part, 2):>19}' for part in parts)}", flush=True)


def _levels(size: tuple[int, int], all_of_them: bool) -> list[tuple[np.ndarray, dict[int, tuple[int, ...]]]]:
    """A photo, and its halves, as long as they are larger than a tile."""
    photo = noisy(size)
    levels = [(np.asarray(photo), {254: (0,)})]
    while all_of_them and min(photo.size) > 256:
        photo = photo.reduce(2)
        levels.append((np.asarray(photo), {254: (1,)}))
    return levels


if __name__ == "__main__":
    main()
