"""The study's table, claims and plots, from the results that are there."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .claims import CLAIMS, Claim, Result, changes, groups, interval, verdict
from .examination import FORMATS
from .jobs import ARMS, MAX_AREA, Job, Reader
from .plots import draw_plots

_RESAMPLES = 2000
_OF_BOXES = ("iou", "grounded", "wrong_box_given_right")
_SAMPLED_OUTCOMES = {"reward": "reward", "iou": "IoU", "grounded": "IoGT>0.3"}
_COLUMNS = {
    "accuracy": "accuracy",
    "grounded": "IoGT>0.3",
    "iou": "IoU",
    "area": "area",
    "wrong_box_given_right": "wrong box given right",
    "evidence_gap": "evidence gap",
}


def read_results(folder: Path) -> list[Result]:
    """The results in a folder."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-seed*.json"))]


def write_report(results: Sequence[Result], planned: Sequence[Job], folder: Path) -> None:
    """Print the report, and write it next to the results with its plots.

    Raises:
        InstallError: matplotlib is missing.
    """
    done = {(each["reader"], each["arm"], each["start"], each["seed"]) for each in results}
    missing = [job for job in planned if (job.reader, job.arm, job.start, job.seed) not in done]
    parts = [f"{len(planned) - len(missing)} of {len(planned)} jobs are done."]
    if results:
        parts += [*_sampled_preference(results), *_table(results), *_claims(results)]
        draw_plots(results, folder)
    if missing:
        parts += ["", "Missing, by reader and arm; each as cold start/seed:", "", *missing_jobs(missing)]
    text = "\n".join(parts) + "\n"
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "REPORT.md").write_text(f"# What came of the study\n\n{text}", encoding="utf-8")


def missing_jobs(jobs: Sequence[Job]) -> list[str]:
    """By reader and arm; each as cold start/seed."""
    runs: dict[str, list[str]] = {}
    for job in jobs:
        runs.setdefault(f"{job.reader} {job.arm}", []).append(f"{job.start}/{job.seed}")
    return [f"- {name}: {', '.join(each)}" for name, each in runs.items()]


def _table(results: Sequence[Result]) -> list[str]:
    lines = [
        "",
        f"Greedy, on {results[0]['tested']} test scenes; mean over runs ± 95 % interval (Student's t over runs). All "
        f"reinforcement learning had the area guard: no reward for boxes over {MAX_AREA:.0%} of the image.",
        "",
        "| reader | arm | runs | format | " + " | ".join(_COLUMNS.values()) + " | overview only | question only |",
        "|---" * (len(_COLUMNS) + 6) + "|",
    ]
    for reader, arm, group in groups(results):
        for form in FORMATS:
            spread = arm != "start"  # of two cold starts there is none worth telling
            cells = [_cell([each[form][name] for each in group], spread=spread) for name in _COLUMNS]
            without = ("overview_only", "question_only")
            cells += [_cell([each[name] for each in group], spread=spread) for name in without]
            lines.append(f"| {reader} | {arm} | {len(group)} | {form} | " + " | ".join(cells) + " |")
    return [*lines, *_changes(results), *_sampled(results)]


def _changes(results: Sequence[Result]) -> list[str]:
    names = [name for name in _COLUMNS if name != "evidence_gap"]
    lines = ["", "Change from the cold start, the same way, paired by cold start:", ""]
    lines += ["| reader | arm | format | " + " | ".join(_COLUMNS[name] for name in names) + " |"]
    lines += ["|---" * (len(names) + 3) + "|"]
    for reader, arm, group in groups(results):
        for form in FORMATS if arm != "start" else ():
            cells = [_cell(changes(group, results, form, name)) for name in names]
            lines.append(f"| {reader} | {arm} | {form} | " + " | ".join(cells) + " |")
    return lines


def _sampled(results: Sequence[Result]) -> list[str]:
    names = {
        "reward": "reward", "iou": "IoU", "grounded": "IoGT>0.3", "area_fraction": "area",
        "wrong_box_given_right": "wrong box given right", "zero_variance_groups": "groups without variance",
        "called_tool": "called the tool",
    }  # fmt: skip
    lines = ["", "Sampled, the last 20 steps of reinforcement learning (training scenes, in the arm's own format):", "",
             "| reader | arm | " + " | ".join(names.values()) + " |", "|---" * (len(names) + 2) + "|"]  # fmt: skip
    for reader, arm, group in groups(results):
        ends = [list(each["sampled"].values())[-1]["last"] for each in group if each["sampled"]]
        if ends:
            boxed = any(end["area_fraction"] is not None for end in ends)
            cells = [_cell([end[name] for end in ends]) if boxed or name not in _OF_BOXES else "-" for name in names]
            lines.append(f"| {reader} | {arm} | " + " | ".join(cells) + " |")
    return lines


def _sampled_preference(results: Sequence[Result]) -> list[str]:
    """What k over 0 did to the sampled policy: the claims are of the greedy one, which doesn't see sharpening."""
    arms = [arm for arm in ARMS if arm.startswith("k") and arm != "k0"]
    told, below = [], []
    for reader, arm, (name, title) in itertools.product(Reader, arms, _SAMPLED_OUTCOMES.items()):
        ends = {
            each: {(run["start"], run["seed"]): run["sampled"][each]["last"][name] for run in results
                   if (run["reader"], run["arm"]) == (reader, each)}
            for each in (arm, "k0")
        }  # fmt: skip
        gains = [value - ends["k0"][run] for run, value in ends[arm].items() if run in ends["k0"]]
        if len(gains) > 1:
            found = interval(gains)
            told.append(f"| {reader} | {arm} | {title} | {len(gains)} | {found.mean:.4f} ± {found.half:.4f} |")
            below += [f"{title} {found.mean:.4f} ± {found.half:.4f} ({arm}, {reader} reader)"] * (found.high < 0)
    if not told:
        return []
    return [
        "",
        "The bad news first: **k over 0 shows no benefit, and sampled figures hint at harm.** Sampled over the last 20 "
        "steps, paired by cold start and seed, these are lower than with k = 0: "
        f"{'; '.join(below) or 'none'}. They are among {len(told)} contrasts that were looked at, which nothing "
        "corrects for; none of them is a claim of HYPOTHESES.md:",
        "",
        "| reader | arm | sampled | pairs | k over 0 |",
        "|---|---|---|---|---|",
        *told,
    ]


def _cell(values: Sequence[float | None], *, spread: bool = True) -> str:
    present = [value for value in values if value is not None]
    found = interval(present) if present else None
    return "-" if found is None else str(found) if spread else f"{found.mean:.3f}"


def _claims(results: Sequence[Result]) -> list[str]:
    lines = [
        "",
        "Differences, paired by cold start and seed:",
        "",
        "| | claim | pairs | difference | |",
        "|---|---|---|---|---|",
    ]
    for number, claims in CLAIMS.items():
        for claim in claims:
            found = claim.differences(results)
            shown = str(interval(list(found.values()))) if found else "-"
            if claim.first[0] == "start" and found:
                lines.append(_before_training(number, claim, results))
                continue
            lines.append(f"| {number} | {claim.text} | {len(found)} | {shown} | {verdict(found)} |")
    return lines


def _before_training(number: str, claim: Claim, results: Sequence[Result]) -> str:
    """H1 before any training: questions are resampled, for there are no seeds."""
    starts = [each for each in results if (each["reader"], each["arm"]) == (claim.reader, "start")]
    right, grounded = (
        np.array([[list(map(int, each[form]["marks"][name])) for form in FORMATS] for each in starts])
        for name in ("right", "grounded")
    )  # (starts, formats, questions)
    chance = np.random.default_rng(0)
    drawn = chance.integers(right.shape[2], size=(_RESAMPLES, right.shape[2]))
    wrong = (right * (1 - grounded))[:, :, drawn].sum(-1) / right[:, :, drawn].sum(-1)  # (starts, formats, resamples)
    gains = (wrong[:, 1] - wrong[:, 0]).mean(axis=0)
    low, high = np.quantile(gains, [0.025, 0.975])
    told = "holds here" if low > 0 else "does not hold here: the reverse does" if high < 0 else "not shown here"
    return f"| {number} | {claim.text} | {len(starts)} | {gains.mean():.3f} [{low:.3f}, {high:.3f}] | {told} |"
