"""How soon a dropped photo of 100 megapixels is seen on the page of `hart-agent serve`, and how long a zoom step takes.

    python tests/benchmarks/serve_page.py [--runs 5] [--json FILE]

Headless Chromium, and the server as a process of its own. "first view" is the time from the drop, within the page,
until all tiles that the window needs at its resolution are painted; "zoom step" that from a call for twice the scale
until the same, in steps that need tiles of another level. The photo is a JPEG of 11600 x 8700 pixels, drawn and made
noisy as a photo is. Other work on the same cores makes every figure longer: the load of the machine is printed, and the
processor time that the server and all of the browser's processes spent. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "drawn_scenes"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np
import scenes
from browser import Browser, start_browser
from PIL import Image
from serve import processor_seconds, served

SIZE = (11600, 8700)
PLACES = [(0.3, 0.4), (0.7, 0.6), (0.2, 0.8)]
"""Points of the stage, as shares of its sides, that are zoomed into from the whole photo, to its full resolution."""
STEPS = 3
WATCH = """
window.shown = new Promise((done) => document.addEventListener('drop', () => {
  const began = performance.now();
  const look = () => {
    const v = document.getElementById('stage').viewer;
    if (v.photo && !document.getElementById('ask').disabled && v.complete && !v.frame) done(performance.now() - began);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, { once: true, capture: true }));
"""
STEP = """
const [act, done] = arguments, v = document.getElementById('stage').viewer;
const began = performance.now();
if (act) v.zoom(2, v.width * act[0], v.height * act[1]);
else v.whole();
const look = () => (v.complete && !v.frame ? done(performance.now() - began) : requestAnimationFrame(look));
look();
"""


def photo() -> Image.Image:
    """As large as asked for, and as hard to decode as a photo."""
    part = np.asarray(scenes.draw_scene(scenes.HELD_OUT_FROM, 16, size=(2900, 2900)).image)
    noise = np.random.default_rng(1).normal(0, 5, part.shape[:2])[..., None]
    noisy = Image.fromarray(np.clip(part + noise, 0, 255).astype(np.uint8))
    whole = Image.new("RGB", SIZE)
    for x in range(0, SIZE[0], 2900):
        for y in range(0, SIZE[1], 2900):
            whole.paste(noisy, (x, y))
    return whole


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def spent(*roots: int) -> float:
    """Processor milliseconds of processes and all that they started."""
    return 1000 * sum(processor_seconds(pid) for root in roots for pid in family(root))


def run(browser: Browser, server: int, address: str, path: Path) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds, and processor milliseconds, of the first view and of each zoom step."""
    ours = server, browser.driver.service.process.pid

    def timed(script: str, *arguments: Any) -> tuple[float, float]:
        before = spent(*ours)
        return float(browser.driver.execute_async_script(script, *arguments)), spent(*ours) - before

    browser.visit(f"http://{address}/")
    browser.js(WATCH)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    before = spent(*ours)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.command("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)
    first = browser.driver.execute_async_script("window.shown.then(arguments[0])")
    found = {"first view": [(float(first), spent(*ours) - before)], "zoom step": []}
    for place in PLACES:
        found["zoom step"] += [timed(STEP, place) for _ in range(STEPS)]
        timed(STEP, None)
    return found


def summary(name: str, values: list[tuple[float, float]]) -> dict[str, float | str]:
    ordered = sorted(wall for wall, _ in values)
    return {
        "what": name, "median_ms": round(statistics.median(ordered)), "least_ms": round(ordered[0]),
        "most_ms": round(ordered[-1]), "n": len(ordered),
        "median_processor_ms": round(statistics.median(processor for _, processor in values)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served() as (server, address):
        path = Path(folder) / "photo.jpg"
        photo().save(path, quality=90)
        print(f"{path.stat().st_size / 1e6:.0f} MB; load before: {os.getloadavg()[0]:.2f}")
        browser = start_browser()
        browser.driver.set_script_timeout(120)
        try:
            found = [run(browser, server.pid, address, path) for _ in range(arguments.runs)]
        finally:
            browser.driver.quit()
    rows = [summary(name, [each for one in found for each in one[name]]) for name in found[0]]
    for row in rows:
        line = (
            "{what:10}  median {median_ms} ms, {least_ms} to {most_ms}, of {n}; processor time {median_processor_ms} ms"
        )
        print(line.format(**row))
    print(f"load after: {os.getloadavg()[0]:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
