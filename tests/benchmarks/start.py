"""What it costs to start: the imports, the help, and a question until its first request.

    python tests/benchmarks/start.py [--before CHECKOUT] [--runs 7]

Processor time of a new interpreter, user and system, in milliseconds: the median of the runs, and the least; the rows
take turns. With `--before` the same is measured in another checkout. `libraries` is what `ask` needs that is not ours:
the parser of the command line, which checks arguments with pydantic, and the HTTP client. Linux only.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import loopback
from PIL import Image

HELP = "import sys; sys.argv = ['hart-agent', '--help']; from hart_agent.cli import main; main()"
ROWS = {
    "bare interpreter": "",
    "import hart_agent": "import hart_agent",
    "from hart_agent import Agent": "from hart_agent import Agent",
    "hart-agent --help": HELP,
    "libraries": "import aiohttp, pydantic, typer",
    "ask, to its first request": "",
}


def processor_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def started(command: list[str], checkout: Path, folder: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    return subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def of_code(code: str, checkout: Path, folder: str) -> float:
    """Milliseconds of processor time until the interpreter has ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if started([sys.executable, "-c", code], checkout, folder).wait():
        raise SystemExit(f"this failed: {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def of_asking(checkout: Path, folder: str) -> float:
    """Milliseconds of processor time until the server gets the first request of `hart-agent ask`."""
    taken: list[float] = []

    def noted(handler: loopback.Handler) -> None:
        taken.append(processor_ms(process.pid))
        loopback.say("<answer>x</answer>")(handler)

    with loopback.serve([noted] * 4) as server:
        command = [sys.executable, "-m", "hart_agent", "ask", "photo.png", "what?", "--base-url", server.url]
        process = started([*command, "--model", "m"], checkout, folder)
        process.wait()
    return taken[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    checkouts = [ROOT, *([options.before.resolve()] if options.before else [])]
    times: dict[tuple[str, Path], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        Image.new("RGB", (640, 480), "white").save(Path(folder, "photo.png"))
        for _ in range(options.runs):
            for name, code in ROWS.items():
                for checkout in checkouts:
                    taken = of_asking(checkout, folder) if name.startswith("ask") else of_code(code, checkout, folder)
                    times.setdefault((name, checkout), []).append(taken)
                    time.sleep(0.05)
    for (name, checkout), taken in times.items():
        where = "before" if checkout != ROOT else "now"
        print(f"{name:30} {where:7} median {statistics.median(taken):6.0f}   least {min(taken):6.0f}")


if __name__ == "__main__":
    main()
