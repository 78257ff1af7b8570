"""Time and peak memory of one question about a JPEG of 24 and of 100 megapixels, each in a process of its own.

    python tests/benchmarks/large_images.py [--runs 3]

The photo is a background from examples/ enlarged to the size, with one drawn sign; peak memory is the process's largest
resident set as the operating system counts it, models included.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import scenes
from PIL import Image

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
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
