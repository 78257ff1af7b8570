"""How large the list of 10,000 questions is, and how fast it opens in headless Chromium.

    python tests/benchmarks/listing_page.py [--runs 5] [--questions 10000] [--json FILE]

"shown" is the time from the start of the navigation to the first frame with questions in it; the browser is fresh for
each run. "task", "script" and "layout" are the processor time of the page's main thread until then
(Performance.getMetrics), which depends less on what else the machine does. With them stands the machine's load.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from browser import start_browser

from hart_agent.evals.listing import listing_page
from hart_agent.evals.rows import rows_of_run

LIMIT_SECONDS = 2.0
WORDS = (
    "the sign on left side of a small red car near second building reads what is colour shown in crop zoom so".split()
)
SHOWN = """
const done = arguments[0];
requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() / 1000)));
"""


def record(number: int, draw: random.Random) -> dict[str, Any]:
    """A question as runs keep it, with a reply as long as those of models that think aloud."""

    def words(count: int) -> str:
        return " ".join(draw.choices(WORDS, k=count))

    right = draw.random() < 0.7
    x, y = draw.randrange(7000), draw.randrange(5000)
    return {
        "key": f"question-{number:05}#0", "id": f"question-{number:05}", "repeat": 0,
        "category": f"kind {draw.randrange(12)}", "question": words(14).capitalize() + "?",
        "options": [words(2) for _ in range(4)], "gold": "A", "answer": "A" if right else "B",
        "reply": f"<think>{words(80)}.</think><answer>A</answer>", "right": right, "untagged": draw.random() < 0.05,
        "verdict": "supported" if right else "unsupported", "boxes": [[x, y, x + 200, y + 120]],
        "gold_boxes": [[x + 20, y, x + 180, y + 100]], "image": [8000, 6000], "file": f"photos/{number:05}.jpg",
        "turns": 4, "seconds": 7.25, "usage": {"input_tokens": 9000, "output_tokens": 300, "requests": 5},
        "error": None, "controls": {}, "order": [0, 1, 2, 3], "image_sha256": f"{draw.getrandbits(256):064x}",
    }  # fmt: skip


def measured(page: Path) -> dict[str, float]:
    """One opening in a fresh browser: seconds."""
    browser = start_browser()
    try:
        browser.command("Performance.enable", timeDomain="threadTicks")
        browser.open(page)
        shown = float(browser.driver.execute_async_script(SHOWN))
        found = {entry["name"]: entry["value"] for entry in browser.command("Performance.getMetrics")["metrics"]}
        times = {name: float(found[f"{name.capitalize()}Duration"]) for name in ("task", "script", "layout")}
        assert browser.js("return document.querySelectorAll('.line').length") > 10
        return {"shown": shown, **times}
    finally:
        browser.driver.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    draw = random.Random(0)
    rows = rows_of_run([record(number, draw) for number in range(options.questions)])
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "questions.html"
        page.write_text(listing_page("10,000 questions", rows), encoding="utf-8")
        runs = [measured(page) for _ in range(options.runs)]
        size = page.stat().st_size
    load = os.getloadavg()[0]
    print(f"{options.questions:,} questions, {size / 1e6:.1f} MB; load {load:.1f} on {os.cpu_count()} cores")
    for name in runs[0]:
        values = [run[name] for run in runs]
        print(f"{name:8} median {statistics.median(values):6.3f} s   {min(values):.3f} to {max(values):.3f}")
    if options.json is not None:
        options.json.write_text(json.dumps({"bytes": size, "load": load, "runs": runs}, indent=2) + "\n")
    if statistics.median(run["shown"] for run in runs) > LIMIT_SECONDS:
        raise SystemExit(f"slower than {LIMIT_SECONDS} s")


if __name__ == "__main__":
    main()
