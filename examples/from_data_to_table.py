"""From published training data to a table: convert, AP-GRPO, SFT on other images, evaluation, with the paper's figures.

    python examples/from_data_to_table.py treevgr-rl /data/TreeVGR-RL-37K/train.parquet --out runs/hart \\
        --model Qwen/Qwen2.5-VL-7B-Instruct --benchmark vstar=/data/vstar_bench --benchmark treebench=/data/TreeBench \\
        --rl "--config examples/recipes/qwen2.5-vl-7b-8x80gb.yaml"

Images of the benchmarks are left out of the training data, and the two stages share no image. Each step is a command of
its own, which is printed; run the same line again to go on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PAPER = {
    "vstar": (78.5, 80.6), "hr-bench-4k": (70.1, 71.1), "hr-bench-8k": (61.0, 71.9), "mme-realworld-lite": (42.3, 62.4),
    "treebench": (37.0, 43.7),
}  # fmt: skip
"""Accuracy of Qwen2.5-VL-7B and of HART-7B in per cent, arXiv 2602.23615v3."""


def run(module: str, *arguments: object) -> None:
    """Run a command of hart-agent, and end with its exit code if it fails."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    print("+", shlex.join(command), file=sys.stderr, flush=True)
    if code := subprocess.run(command, check=False, stdout=sys.stderr).returncode:
        sys.exit(code)


def last_checkpoint(folder: Path) -> Path:
    return max(folder.glob("step-*"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("form", help="see python -m rl.convert --help")
    parser.add_argument("source", type=Path, help="the published file")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--benchmark", action="append", required=True, metavar="NAME=PATH")
    parser.add_argument("--rl-share", default="0.7", help="of the images for AP-GRPO; SFT gets the others")
    parser.add_argument("--rl", type=shlex.split, default=[], help="further options of rl.train_ap_grpo, quoted")
    parser.add_argument("--sft", type=shlex.split, default=[], help="of rl.train_sft")
    parser.add_argument("--eval", type=shlex.split, default=[], help="of hart-agent eval")
    given = parser.parse_args(arguments)
    benchmarks = [each.split("=", 1) for each in given.benchmark]

    data = given.out / "questions.jsonl"
    if not data.exists():
        apart = [word for each in given.benchmark for word in ("--apart-from", each)]
        run("rl.convert", given.form, given.source, "--out", data, *apart)
    share = ("--rl-share", given.rl_share)
    run("rl.train_ap_grpo", data, "--model", given.model, "--out", given.out / "rl", *share, *given.rl)
    trained = last_checkpoint(given.out / "rl")
    run("rl.train_sft", data, "--model", trained, "--out", given.out / "sft", *share, *given.sft)
    model = last_checkpoint(given.out / "sft")

    rows = ["| benchmark | this run | HART-7B | Qwen2.5-VL-7B |", "|---|---|---|---|"]
    for name, path in benchmarks:
        folder = given.out / "eval" / name
        ask = ("--backend", "transformers", "--model", model, "--mode", "closed-loop")
        run("hart_agent", "eval", name, path, "--out", folder, *ask, *given.eval)
        accuracy = json.loads((folder / "report.json").read_text(encoding="utf-8"))["summary"]["accuracy"]["value"]
        base, paper = PAPER.get(name, ("", ""))
        rows.append(f"| {name} | {100 * accuracy:.1f} | {paper} | {base} |")
    table = "\n".join(rows) + "\n"
    (given.out / "table.md").write_text(table, encoding="utf-8")
    print(table, end="")


if __name__ == "__main__":
    main()
