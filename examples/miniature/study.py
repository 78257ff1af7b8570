"""The study: what `HYPOTHESES.md` says is run, one job after the other, and its results.

    python examples/miniature/study.py           all jobs that have no result yet; stop it whenever you like
    python examples/miniature/study.py --quick   a look of about five minutes, not a result
    python examples/miniature/study.py report    the table and the plots of the results that are there

Each finished job is a file in `results/`. Several of these commands may run at once, on one machine or on many: with
one folder `--work` they share the jobs among them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))
from filelock import FileLock, Timeout

from hart_agent.cli.console.failure import reported_errors
from miniature.jobs import Job, Reader, all_jobs
from miniature.plots import load_pyplot
from miniature.report import read_results, write_report

if TYPE_CHECKING:
    from miniature.running import Workplace

HERE = Path(__file__).parent
RESULTS = HERE / "results"
QUICK = [Job("start", Reader.TRAINED, 0, 0), *(Job(arm, Reader.TRAINED, 0, 0) for arm in ("mgpo", "k0", "k0.6"))]
QUICK_STEPS, QUICK_TESTED = 60, range(1000, 1100)


def run_jobs(jobs: Iterable[Job], results: Path, work: Path, steps: int | None = None) -> None:
    """Run the jobs that have no result yet and that nobody else is at."""
    from miniature.running import Workplace

    work_through(jobs, results, work, Workplace(work) if steps is None else Workplace(work, steps, QUICK_TESTED))


def work_through(jobs: Iterable[Job], results: Path, work: Path, place: Workplace) -> None:
    """As `run_jobs`, in a given place.

    Args:
        jobs: in the order in which they are run.
        results: folder of one file for each finished job.
        work: folder where processes say what they are at.
        place: trains and tests.
    """
    import torch
    from transformers.utils import logging

    from miniature.running import write_result

    torch.set_num_threads(1)  # faster than more at this size, and the same everywhere
    logging.disable_progress_bar()
    claims = work / "claims"
    claims.mkdir(parents=True, exist_ok=True)
    for job in jobs:
        if not job.cold_start.exists():
            print(f"{job.name}: {job.cold_start} is missing; the README.md says how to make it", flush=True)
        elif not (results / f"{job.name}.json").exists():
            try:
                with FileLock(claims / f"{job.name}.lock", timeout=0):
                    result = place.run(job)
                    write_result(result, job, results)
                    print(f"{job.name}: {result['cpu_seconds']}", flush=True)
            except Timeout:
                print(f"{job.name}: somebody else is at it", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "report"], nargs="?", default="run")
    parser.add_argument("--quick", action="store_true", help="one cold start, three arms, few steps: a look only")
    parser.add_argument("--work", type=Path, default=Path("runs/miniature"), help="folder of scenes and checkpoints")
    arguments = parser.parse_args()
    load_pyplot()  # or say what is missing before hours are spent
    if arguments.quick:
        results, work = arguments.work / "quick" / "results", arguments.work / "quick"
        if arguments.what == "run":
            run_jobs(QUICK, results, work, QUICK_STEPS)
        write_report(read_results(results), QUICK, results)
        print("\nThis is a look: one cold start, one seed, few steps. It shows no result.")
        return
    if arguments.what == "run":
        run_jobs(all_jobs(), RESULTS, arguments.work)
    write_report(read_results(RESULTS), list(all_jobs()), RESULTS)


if __name__ == "__main__":
    with reported_errors():
        main()
