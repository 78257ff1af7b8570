"""The study's table, claims and plots, from the results that are there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hart_agent.errors import InstallError

from .claims import CLAIMS, Claim, Result, interval, verdict
from .examination import FORMATS
from .jobs import ARMS, MAX_AREA, Job, Reader

_RESAMPLES = 2000
_OF_BOXES = ("iou", "grounded", "wrong_box_given_right")
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
    """Print the report, and write it beside the results with its plots.

    Raises:
        InstallError: matplotlib is missing.
    """
    done = {(each["reader"], each["arm"], each["start"], each["seed"]) for each in results}
    missing = [job for job in planned if (job.reader, job.arm, job.start, job.seed) not in done]
    parts = [f"{len(planned) - len(missing)} of {len(planned)} jobs are done."]
    if results:
        parts += [*_table(results), *_claims(results)]
        _plot(results, folder)
    if missing:
        parts += ["", "Missing, by reader and arm; each as cold start/seed:", "", *_missing(missing)]
    text = "\n".join(parts) + "\n"
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "REPORT.md").write_text(f"# What came of the study\n\n{text}", encoding="utf-8")


def _missing(jobs: Sequence[Job]) -> list[str]:
    runs: dict[str, list[str]] = {}
    for job in jobs:
        runs.setdefault(f"{job.reader} {job.arm}", []).append(f"{job.start}/{job.seed}")
    return [f"- {name}: {', '.join(each)}" for name, each in runs.items()]


def _groups(results: Sequence[Result]) -> list[tuple[Reader, str, list[Result]]]:
    """The results of each arm, in the study's order."""
    every = [
        (reader, arm, [each for each in results if (each["reader"], each["arm"]) == (reader, arm)])
        for reader in Reader
        for arm in ARMS
    ]
    return [group for group in every if group[2]]


def _table(results: Sequence[Result]) -> list[str]:
    lines = [
        "",
        f"Greedy, on {results[0]['tested']} test scenes; mean over runs ± 95 % interval (Student's t over runs). All "
        f"reinforcement learning had the area guard: no reward for boxes over {MAX_AREA:.0%} of the image.",
        "",
        "| reader | arm | runs | format | " + " | ".join(_COLUMNS.values()) + " | overview only | question only |",
        "|---" * (len(_COLUMNS) + 6) + "|",
    ]
    for reader, arm, group in _groups(results):
        for form in FORMATS:
            cells = [_cell([each[form][name] for each in group]) for name in _COLUMNS]
            cells += [_cell([each[name] for each in group]) for name in ("overview_only", "question_only")]
            lines.append(f"| {reader} | {arm} | {len(group)} | {form} | " + " | ".join(cells) + " |")
    return [*lines, *_sampled(results)]


def _sampled(results: Sequence[Result]) -> list[str]:
    names = {
        "reward": "reward", "iou": "IoU", "grounded": "IoGT>0.3", "area_fraction": "area",
        "wrong_box_given_right": "wrong box given right", "zero_variance_groups": "groups without variance",
        "called_tool": "called the tool",
    }  # fmt: skip
    lines = ["", "Sampled, the last 20 steps of reinforcement learning (training scenes, in the arm's own format):", "",
             "| reader | arm | " + " | ".join(names.values()) + " |", "|---" * (len(names) + 2) + "|"]  # fmt: skip
    for reader, arm, group in _groups(results):
        ends = [list(each["sampled"].values())[-1]["last"] for each in group if each["sampled"]]
        if ends:
            lines.append(
                f"| {reader} | {arm} | " + " | ".join(_cell([end[name] for end in ends]) for name in names) + " |"
            )
    return lines


def _cell(values: Sequence[float | None]) -> str:
    present = [value for value in values if value is not None]
    return str(interval(present)) if present else "-"


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


def _plot(results: Sequence[Result], folder: Path) -> None:
    try:
        import matplotlib
    except ImportError as error:
        raise InstallError("the plots need matplotlib. Run: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = _groups(results)
    names = ("iou", "grounded", "accuracy", "wrong_box_given_right")
    figure, panels = pyplot.subplots(1, len(names), figsize=(4 * len(names), 1 + 0.35 * len(groups)), sharey=True)
    for panel, name in zip(panels, names, strict=True):
        for form, colour, shift in (("closed-loop", "tab:blue", -0.15), ("mgpo", "tab:orange", 0.15)):
            for row, (_, _, group) in enumerate(groups):
                values = [each[form][name] for each in group if each[form][name] is not None]
                if values:
                    found = interval(values)
                    half = 0.0 if np.isnan(found.half) else found.half
                    label = form if row == 0 else None
                    panel.errorbar(found.mean, row + shift, xerr=half, fmt="o", color=colour, label=label, capsize=2)
        panel.set_title(_COLUMNS[name])
        panel.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(
        range(len(groups)), [f"{arm} ({reader} reader, {len(group)})" for reader, arm, group in groups]
    )
    panels[0].invert_yaxis()
    panels[0].legend()
    figure.tight_layout()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "arms.png", dpi=90)
    pyplot.close(figure)
    _plot_curves(results, folder, pyplot)


def _plot_curves(results: Sequence[Result], folder: Path, pyplot: Any) -> None:
    figure, panels = pyplot.subplots(1, 3, figsize=(13, 3.6))
    for panel, name in zip(panels, ("reward", "iou", "area_fraction"), strict=True):
        for reader, arm, group in _groups(results):
            curves = [list(each["sampled"].values())[-1]["curve"][name] for each in group if each["sampled"]]
            curves = [curve for curve in curves if None not in curve]
            if curves and len(ARMS[arm]) == 1:
                means = np.mean(curves, axis=0)
                style = "-" if reader is Reader.TRAINED else "--"
                panel.plot(10 * np.arange(len(means)) + 5, means, style, label=f"{arm} ({reader})")
        panel.set_title(f"{name} of the rollouts")
        panel.set_xlabel("step")
        panel.grid(alpha=0.3)
    if panels[0].lines:
        panels[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(folder / "training.png", dpi=90)
    pyplot.close(figure)
