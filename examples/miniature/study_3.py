"""The tiny model's part of the second study: what `HYPOTHESES_3.md` says is run, and its report.

    python examples/miniature/study_3.py           run all jobs that have no result yet; several may do so at once
    python examples/miniature/study_3.py --quick   a look of some minutes, not a result
    python examples/miniature/study_3.py report    the report of the results that are there
    python examples/miniature/study_3.py power     what the planned pairs can see, by the first study's spreads

Each finished job is a file in `results/third/`. Stop it whenever you like, and start it again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from hart_agent.cli.console.failure import reported_errors
from miniature import third
from miniature.report import read_results
from miniature.study import work_through
from miniature.third_report import power_table, write_report

RESULTS = Path(__file__).parent / "results"
QUICK_STEPS, QUICK_TESTED = 20, 200
"""For a look; scenes are the first of the study's."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report", "power"], nargs="?", default="run")
    parser.add_argument("--quick", action="store_true", help="one pair, few steps and scenes: a look only")
    parser.add_argument("--work", type=Path, default=Path("runs/miniature-3"), help="folder of scenes and checkpoints")
    arguments = parser.parse_args()
    if arguments.what == "power":
        print("\n".join(power_table(read_results(RESULTS), len(third.TESTED))))
        return
    jobs, work, results = list(third.all_jobs()), arguments.work, RESULTS / "third"
    steps, tested, report = third.STEPS, third.TESTED, RESULTS
    if arguments.quick:
        work = report = work / "quick"
        jobs = [job for job in jobs if (job.start, job.seed) == (0, third.SEEDS[0])]
        steps, tested, results = QUICK_STEPS, tested[:QUICK_TESTED], work / "results"
    if arguments.what == "run":
        from miniature.held_out import outcome
        from miniature.running import Workplace

        work_through(jobs, results, work, Workplace(work, steps, tested, outcome))
    write_report(read_results(results), jobs, report, read_results(RESULTS))
    if arguments.quick:
        print("\nThis is a look: one pair, few steps. It shows no result.")


if __name__ == "__main__":
    with reported_errors():
        main()
