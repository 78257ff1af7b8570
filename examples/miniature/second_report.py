"""The second study's report: the bad news first, then every claim, then what the figures were."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .claims import interval
from .plots import load_pyplot
from .second_claims import COUNT, LEVEL, MATTERS, QUESTIONS, Finding, findings, pairs_needed
from .sweep import ARMS, LEAKS, NESTED, OTHER_RATES, RATE, Cell

Results = Mapping[str, Mapping[str, Any]]
PLOT = "leak.png"
_RESTS = """\
Every claim here rests on tabular policies alone. What the tiny model showed stands in REPORT.md; REPORT_3.md asks three
of these contrasts and the order of RL and SFT of it again, with too few runs yet. The nested scene on which searching
is learnt, with 4 regions in place of 9, came later: see the README.md."""


def write_report(results: Results, planned: Sequence[Cell], folder: Path) -> None:
    """Print the report, and write it as `REPORT_2.md` with its plot.

    Args:
        results: by the names of their cells.
        planned: cells, of which some may be missing.
        folder: to write to.

    Raises:
        InstallError: matplotlib is missing.
    """
    found = findings(results)
    missing = [cell.name for cell in planned if cell.name not in results]
    parts = [f"{len(planned) - len(missing)} of {len(planned)} cells are done.", "", _RESTS]
    if found:
        parts += [*_bad_news(found), *_claims(found, results), *_figures(results), *_described(results)]
        _draw(found, folder / PLOT)
    if missing:
        parts += ["", f"Missing: {', '.join(missing)}."]
    text = "\n".join(parts) + "\n"
    print(text)
    (folder / "REPORT_2.md").write_text(f"# Results of the second study\n\n{text}", encoding="utf-8")


def power_table(results: Results) -> list[str]:
    """The spread of each claim's differences, and the seeds that it needs."""
    lines = ["| claim | leak | spread | seeds |", "|---|---|---|---|"]
    for question in QUESTIONS:
        for leak in LEAKS:
            gains = question.differences(leak, results)
            if len(gains) > 1:
                spread = float(np.std(gains, ddof=1))
                lines.append(f"| {question.text} | {leak} | {spread:.4f} | {pairs_needed(spread)} |")
    return lines


def _bad_news(found: Sequence[Finding]) -> list[str]:
    bad = [each for each in found if each.verdict != "holds"]
    lines = ["", f"## The bad news: {len(bad)} of {len(found)} claims do not hold, or not by much", ""]
    lines += [f"- {each.question.text}, leak {each.leak}: {each.verdict} ({_gain(each)})." for each in bad]
    if len(found) < COUNT:
        lines.append(f"- {COUNT - len(found)} of {COUNT} claims have no result: cells are missing.")
    return lines


def _claims(found: Sequence[Finding], results: Results) -> list[str]:
    steps = ", ".join(sorted({str(each["steps"]) for each in results.values()}))
    return [
        "",
        "## Every claim",
        "",
        "The outcome is evidence inside: of boxes sampled on held-out scenes, the share with the evidence inside. "
        f"Differences are paired by seed, after {steps} steps. Intervals are of 95 %, uncorrected; verdicts are of "
        f"two-sided paired t-tests at {LEVEL}, corrected by Holm for {COUNT} claims. Where the interval lies within "
        f"±{MATTERS} the difference is called too small to matter.",
        "",
        "| claim | leak | seeds | difference | p, corrected | |",
        "|---|---|---|---|---|---|",
        *(
            f"| {each.question.text} | {each.leak} | {each.gain.count} | {_gain(each)} | {each.corrected:.2g} "
            f"| {each.verdict} |"
            for each in found
        ),
        "",
        f"![Difference in evidence inside against the leak]({PLOT})",
    ]


def _gain(found: Finding) -> str:
    return f"{found.gain.mean:+.4f} ± {found.gain.half:.4f}"


def _figures(results: Results) -> list[str]:
    lines = ["", "## Evidence inside at the end", "", "Mean over seeds ± 95 % interval; all begin near .30.", ""]
    lines += ["| arm | " + " | ".join(f"leak {leak}" for leak in LEAKS) + " |", "|---" * (len(LEAKS) + 1) + "|"]
    for arm in ARMS:
        lines.append(f"| {arm} | " + " | ".join(_mean(results, Cell(arm, leak), "inside") for leak in LEAKS) + " |")
    lines += ["", "On the nested scene, of sampled episodes on held-out scenes:", ""]
    names = {
        "inside": "18 turns: evidence in view",
        "inside_as_trained": "6 turns, as trained",
        "answered": "18 turns: answered",
    }
    lines += ["| arm | leak | " + " | ".join(names.values()) + " |", "|---" * (len(names) + 2) + "|"]
    for cell in itertools.starmap(Cell, itertools.product(NESTED, LEAKS)):
        shown = " | ".join(_mean(results, cell, name) for name in names)
        lines.append(f"| {cell.arm} | {cell.leak} | {shown} |")
    return lines


def _described(results: Results) -> list[str]:
    """Not claims: what is left of k without its drift, and whether what k does depends on the learning rate."""
    contrasts = [
        ("k0.6-undrifted minus k0", "k0.6-undrifted", RATE),
        *((f"k0.6 minus k0, learning rate {rate}", "k0.6", rate) for rate in sorted((RATE, *OTHER_RATES))),
    ]
    lines = ["", "## Described, not tested", "", "| contrast | " + " | ".join(f"leak {leak}" for leak in LEAKS) + " |"]
    lines += ["|---" * (len(LEAKS) + 1) + "|"]
    for text, arm, rate in contrasts:
        cells = []
        for leak in LEAKS:
            one, other = (results.get(Cell(each, leak, rate).name) for each in (arm, "k0"))
            cells.append(_signed(np.subtract(one["inside"], other["inside"]).tolist() if one and other else []))
        lines.append(f"| {text} | " + " | ".join(cells) + " |")
    return lines


def _signed(gains: Sequence[float]) -> str:
    if not gains:
        return "-"
    found = interval(gains)
    return f"{found.mean:+.4f} ± {found.half:.4f}"


def _mean(results: Results, cell: Cell, name: str) -> str:
    return str(interval(results[cell.name][name])) if cell.name in results else "-"


def _draw(found: Sequence[Finding], path: Path) -> None:
    """The difference of each question against the leak, with 95 % intervals."""
    pyplot = load_pyplot()
    figure, panels = pyplot.subplots(1, len(QUESTIONS), figsize=(3 * len(QUESTIONS), 3.2))
    for panel, question in zip(panels, QUESTIONS, strict=True):
        own = [each for each in found if each.question is question]
        panel.errorbar(
            [each.leak for each in own], [each.gain.mean for each in own], yerr=[each.gain.half for each in own],
            fmt="o-", capsize=3,
        )  # fmt: skip
        panel.axhline(0, color="grey", linewidth=1)
        panel.set_title(f"{question.first} minus {question.second or 'start'}", fontsize=9)
        panel.set_xlabel("right with a wrong box")
        panel.set_xticks(LEAKS)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("difference in evidence inside")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
