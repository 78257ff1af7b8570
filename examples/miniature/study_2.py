"""The second study, on policies that are tables: what `HYPOTHESES_2.md` says is run, and its report.

    python examples/miniature/study_2.py           all cells that have no result yet; stop it whenever you like
    python examples/miniature/study_2.py --quick   a look of about a minute, not a result
    python examples/miniature/study_2.py report    the report of the results that are there
    python examples/miniature/study_2.py power     how many seeds are needed, from the pilot's

Each finished cell, an arm at a leak with all its seeds, is a file in `results/second/`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from hart_agent.cli.console.failure import reported_errors
from miniature.plots import load_pyplot
from miniature.second_report import power_table, write_report
from miniature.sweep import PILOT_SEEDS, RATE, all_cells, read_cells, run_cells

RESULTS = Path(__file__).parent / "results"
QUICK_SEEDS, QUICK_STEPS = range(10), 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report", "power"], nargs="?", default="run")
    parser.add_argument("--quick", action="store_true", help="10 seeds, 100 steps: a look only")
    parser.add_argument("--work", type=Path, default=Path("runs/miniature-2"), help="folder of the pilot and of looks")
    arguments = parser.parse_args()
    load_pyplot()  # or say what is missing before anything is run
    import torch

    torch.set_num_threads(1)  # the same everywhere
    cells = list(all_cells())
    if arguments.what == "power":
        pilot = arguments.work / "pilot"
        run_cells([cell for cell in cells if cell.rate == RATE], pilot, PILOT_SEEDS)
        print("\n".join(power_table(read_cells(pilot))))
        return
    if arguments.quick:
        look = arguments.work / "quick"
        run_cells(cells, look / "second", QUICK_SEEDS, QUICK_STEPS)
        write_report(read_cells(look / "second"), cells, look)
        print("\nThis is a look: few seeds, few steps. It shows no result.")
        return
    if arguments.what == "run":
        run_cells(cells, RESULTS / "second")
    write_report(read_cells(RESULTS / "second"), cells, RESULTS)


if __name__ == "__main__":
    with reported_errors():
        main()
