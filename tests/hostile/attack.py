"""The command behind `run`: each part attacks one thing; the table says how often, and what failed."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Findings:
    """What a part found.

    Attributes:
        tried: how many cases.
        failures: what went wrong, a sentence each.
        outcomes: how the cases ended.
    """

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    outcomes: str = ""


def replies(args: argparse.Namespace, folder: Path) -> Findings:
    """Random replies, each of which must have exactly one reading."""
    program = ROOT / "tests" / "benchmarks" / "fuzz_replies.py"
    command = [sys.executable, str(program), str(args.replies), str(args.seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return Findings(args.replies, [done.stderr.strip()[-2000:]])
    return Findings(args.replies, outcomes=" ".join(done.stdout.split()))


def pictures(args: argparse.Namespace, folder: Path) -> Findings:
    from pictures import attack

    return Findings(*attack(folder, args.seed, args.pictures, args.samples))


def completions(args: argparse.Namespace, folder: Path) -> Findings:
    from odd_completions import attack

    return Findings(*attack(args.seed, args.completions))


def kills(args: argparse.Namespace, folder: Path) -> Findings:
    from kills import attack

    return Findings(*attack(folder, args.seed, args.kills))


def load(args: argparse.Namespace, folder: Path) -> Findings:
    from load import attack

    return Findings(*attack(folder, args.seed, args.load))


PARTS: dict[str, Callable[[argparse.Namespace, Path], Findings]] = {
    part.__name__: part for part in (replies, completions, pictures, kills, load)
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replies", type=int, default=20_000)
    parser.add_argument("--completions", type=int, default=500)
    parser.add_argument("--pictures", type=float, default=60, help="seconds")
    parser.add_argument("--samples", type=Path, help="a folder of more image files")
    parser.add_argument("--kills", type=int, default=5, help="of each of batch, evaluation, training and serve")
    parser.add_argument("--load", type=float, default=60, help="seconds")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what is attacked has much to say
    failed = False
    for name in args.parts or PARTS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            found = PARTS[name](args, Path(folder))
        seconds = time.monotonic() - started
        print(f"{name}: {found.tried} in {seconds:.0f} s, {len(found.failures)} failed. {found.outcomes}", flush=True)
        for failure in found.failures:
            print(f"  {failure}", flush=True)
        failed |= bool(found.failures) or not found.tried
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
