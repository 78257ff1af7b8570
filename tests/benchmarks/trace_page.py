"""How large the page of a 24-megapixel question is, and how fast it is written and opened in headless Chromium.

    python tests/benchmarks/trace_page.py [--runs 5] [--json FILE]

Two images: a drawn scene as a real photo is, and noise, which is worse than any photo. "shown" is the time from the
start of the navigation until the page is loaded, its image decoded and the next frame drawn; the browser is fresh for
each run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "drawn_scenes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import scenes
from browser import start_browser

from hart_agent import Agent, ScriptedPolicy, SourceImage
from hart_agent.trace import trace_json, write_page

SIZE = (6000, 4000)
LIMIT_BYTES, LIMIT_SECONDS = 3_000_000, 1.0
SHOWN = """
const done = arguments[0];
const photo = document.querySelector('#photo image');
const image = new Image();
image.src = photo.getAttribute('href');
image.decode().then(() => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() / 1000))));
"""


def replies() -> list[str]:
    """Eight zooms and four crops in two turns each, and the answer."""

    def call(name: str, x: int, y: int, **more: str) -> str:
        box = [x, y, x + 120, y + 60]
        return f"<tool_call>{json.dumps({'name': name, 'arguments': {'bbox_2d': box, **more}})}</tool_call>"

    zooms = ["".join(call("zoom", 60 + 150 * i, 60 + 300 * j) for i in range(4)) for j in range(2)]
    crops = ["".join(call("crop", 60 + 150 * i, 90 + 300 * j, label="sign") for i in range(2)) for j in range(2)]
    return [*zooms, *crops, "<answer>yes</answer>", "<answer>yes</answer>"]


def shown(path: Path) -> float:
    """Seconds from the navigation to the drawn page."""
    browser = start_browser()
    try:
        browser.open(path)
        return float(browser.driver.execute_async_script(SHOWN))
    finally:
        browser.driver.quit()


def measure(name: str, image: Image.Image, folder: Path, runs: int) -> dict[str, float | str]:
    """One image: the page's bytes, the seconds to write it, and the median and largest seconds to show it."""
    path = folder / f"{name}.jpg"
    image.save(path, quality=90)
    trace = trace_json(Agent(ScriptedPolicy(replies())).ask(path, "is there a sign?"))
    started = time.perf_counter()
    write_page(trace, SourceImage(path), folder / f"{name}.html")
    written = time.perf_counter() - started
    times = [shown(folder / f"{name}.html") for _ in range(runs)]
    size = (folder / f"{name}.html").stat().st_size
    return {
        "image": name, "bytes": size, "written_s": round(written, 3),
        "shown_median_s": round(statistics.median(times), 3), "shown_max_s": round(max(times), 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8))
    images = {"scene": scenes.draw_scene(scenes.HELD_OUT_FROM, 16, size=SIZE).image, "noise": noise}
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, image, Path(folder), arguments.runs) for name, image in images.items()]
    print(f"{'image':8} {'bytes':>9} {'written s':>10} {'shown s, median':>16} {'max':>7}")
    for row in rows:
        print(
            f"{row['image']:8} {row['bytes']:9} {row['written_s']:10} {row['shown_median_s']:16} {row['shown_max_s']:7}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    if any(float(row["bytes"]) >= LIMIT_BYTES or float(row["shown_max_s"]) >= LIMIT_SECONDS for row in rows):
        sys.exit(f"over the limit of {LIMIT_BYTES} bytes or {LIMIT_SECONDS} s")


if __name__ == "__main__":
    main()
