"""The report of the tiny model's part of the second study: the bad news first, then every claim and every arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .claims import CLAIMS as FIRST_CLAIMS
from .claims import Claim, Result, interval
from .jobs import ARMS, LATER_ARMS, STARTS, Job, Reader
from .report import missing_jobs
from .second_claims import LEVEL
from .third import CLAIMS, OUTCOMES, SEEDS, Finding, findings, visible

_RESTS = """\
Every claim here rests on the tiny model, trained by the product's own trainers. The claims at three leaks, of k = .3,
of the missing drift and of the mask of cut-off rollouts rest on tables alone (REPORT_2.md)."""
_SHOWN = {
    "inside": "evidence inside, sampled", "iou": "IoU, sampled", "area": "area", "pointed": "replies with a box",
    "accuracy": "right, image in sight", "grounded": "IoGT>0.3, greedy",
}  # fmt: skip


def write_report(results: Sequence[Result], planned: Sequence[Job], folder: Path, first: Sequence[Result]) -> None:
    """Print the report, and write it as `REPORT_3.md`.

    Args:
        results: of finished jobs.
        planned: jobs, of which some may be missing.
        folder: to write to.
        first: the results of the first study, which stand next to these.
    """
    done = {(each["reader"], each["arm"], each["start"], each["seed"]) for each in results}
    missing = [job for job in planned if (job.reader, job.arm, job.start, job.seed) not in done]
    spent = sum(sum(each["cpu_seconds"].values()) for each in results) / 3600
    parts = [f"{len(planned) - len(missing)} of {len(planned)} jobs are done, in {spent:.2f} CPU-hours.", "", _RESTS]
    if results:
        found = findings(results)
        parts += [*_bad_news(found), *_claims(found, results), *_pilots(first), *_arms(results)]
    if missing:
        parts += ["", "Not run, by reader and arm; each as cold start/seed:", "", *missing_jobs(missing)]
    text = "\n".join(parts) + "\n"
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "REPORT_3.md").write_text(f"# Results of the second study: the tiny model\n\n{text}", encoding="utf-8")


def power_table(first: Sequence[Result], tested: int) -> list[str]:
    """What the planned pairs can see, by the spreads of the first study.

    Args:
        first: the results of the first study, which is the pilot.
        tested: scenes on which answers are counted here, where the first study had 300.
    """
    pairs = len(SEEDS) * len(STARTS)
    lines = ["| contrast | pilot: mean | spread | spread expected | pairs | seen with power .9 |", "|---" * 6 + "|"]
    for text, gains, noise in _pilot(first):
        spread = float(np.std(gains, ddof=1))
        expected = float(np.sqrt(max(spread**2 - noise**2, 0) + noise**2 * 300 / tested))
        seen = visible(expected, pairs)
        lines.append(f"| {text} | {np.mean(gains):+.4f} | {spread:.4f} | {expected:.4f} | {pairs} | {seen:.4f} |")
    return lines


def _pilots(first: Sequence[Result]) -> list[str]:
    if not first:
        return []
    lines = ["", "Beside it, the pilot: the first study, other seeds, 120 steps, fewer scenes; uncorrected.", ""]
    lines += ["| contrast | pairs | difference |", "|---|---|---|"]
    for text, gains, _ in _pilot(first):
        found = interval(gains)
        lines.append(f"| {text} | {found.count} | {found.mean:+.4f} ± {found.half:.4f} |")
    return lines


def _pilot(first: Sequence[Result]) -> list[tuple[str, list[float], float]]:
    """Of each contrast that the first study had: its differences, and the noise of the test among them."""
    found = []
    for one, other in (("k0", "mgpo"), ("k0.6", "k0")):
        claim = Claim("", Reader.FROZEN, (one, _sampled), (other, _sampled))
        found.append((f"{one} minus {other}, frozen reader", list(claim.differences(first).values()), 0.0))
    for claim in FIRST_CLAIMS["H4"][:3]:
        runs = {(each["arm"], each["start"], each["seed"]): each for each in first if each["reader"] == claim.reader}
        marks = [
            [int(mark) for mark in runs[arm, *run]["mgpo"]["marks"]["right"]]
            for run in claim.differences(first)
            for arm in (claim.first[0], claim.second[0])
        ]
        apart = np.subtract(marks[::2], marks[1::2])  # (pairs, scenes)
        noise = float(np.sqrt(apart.var(axis=1, ddof=1).mean() / apart.shape[1]))
        found.append((claim.text, list(claim.differences(first).values()), noise))
    return found


def _sampled(result: Result) -> float:
    """IoGT > .3 over the last steps of the last stage."""
    last: float = list(result["sampled"].values())[-1]["last"]["grounded"]
    return last


def _bad_news(found: Sequence[Finding]) -> list[str]:
    bad = [each for each in found if each.verdict != "holds"]
    lines = ["", f"## The bad news: {len(bad)} of {len(found)} claims are not shown, or the reverse holds", ""]
    lines += [f"- {each.claim.text}: {each.verdict} ({_gain(each)}; seen is {each.visible:.3f})." for each in bad]
    if len(found) < len(CLAIMS):
        lines.append(f"- {len(CLAIMS) - len(found)} of {len(CLAIMS)} claims have no result: jobs are missing.")
    return lines


def _claims(found: Sequence[Finding], results: Sequence[Result]) -> list[str]:
    steps, tested = results[0]["steps"], results[0]["tested"]
    return [
        "",
        "## Every claim",
        "",
        f"After {steps} steps of reinforcement learning, on {tested} held-out scenes; a pair is a cold start with a "
        "seed. Intervals are of 95 %, uncorrected; verdicts are of two-sided paired t-tests at "
        f"{LEVEL}, corrected by Holm for {len(CLAIMS)} claims. Seen: the difference that so many such pairs "
        "see, spread as they are, with a power of .9 at Holm's strictest level.",
        "",
        "| claim | outcome | pairs | difference | p, corrected | seen | |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {each.claim.text} | {OUTCOMES[each.claim.reader]} | {each.gain.count} | {_gain(each)} "
            f"| {each.corrected:.2g} | {each.visible:.3f} | {each.verdict} |"
            for each in found
        ),
    ]


def _gain(found: Finding) -> str:
    return f"{found.gain.mean:+.4f} ± {found.gain.half:.4f}"


def _arms(results: Sequence[Result]) -> list[str]:
    lines = ["", "## Every arm", "", "Mean over runs ± 95 % interval, over cold starts, too: wider than of pairs.", ""]
    lines += ["| reader | arm | runs | " + " | ".join(_SHOWN.values()) + " |", "|---" * (len(_SHOWN) + 3) + "|"]
    for reader in (Reader.FROZEN, Reader.TRAINED):
        for arm in (*ARMS, *LATER_ARMS):
            runs = [each for each in results if (each["reader"], each["arm"]) == (reader, arm)]
            if runs:
                cells = [str(interval([run[name] for run in runs])) if name in runs[0] else "-" for name in _SHOWN]
                lines.append(f"| {reader} | {arm} | {len(runs)} | " + " | ".join(cells) + " |")
    return lines
