"""Evaluations, comparisons and controls, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hart_agent.agent.trajectory import Trajectory
from hart_agent.cli.console.results import print_result
from hart_agent.cli.console.text import one_line
from hart_agent.evals.citation import failures_in_words
from hart_agent.evals.controls import TITLES, Control, ControlOutcome
from hart_agent.evals.datasets import Benchmark
from hart_agent.evals.statistics import Comparison, PairedTest


def print_controls(tested: Trajectory, outcomes: Sequence[ControlOutcome]) -> None:
    """The answer, then what is left of it under each control."""
    print_result(tested)
    table = Table("asked again", "answer", "", box=None, pad_edge=False)
    for outcome in outcomes:
        answer = one_line(outcome.answer) if outcome.answer is not None else "no answer"
        table.add_row(TITLES[outcome.control], Text(answer), "the same" if outcome.same else "another")
    console = Console(highlight=False)
    console.print()
    console.print(table)


def print_evaluation(report: dict[str, Any], folder: Path) -> None:
    """The benchmark's own figures, the key numbers with their intervals, the remarks, and where the rest is."""
    console = Console(highlight=False, soft_wrap=True)
    summary, grounding = report["summary"], report["summary"]["grounding"]
    table = Table("", "", "95 % interval", "n", box=None, pad_edge=False)
    rows = list(report["headlines"].items())
    rows += [(name.replace("_", " "), summary[name]) for name in ("accuracy", "answered", "format_kept")]
    rows += [(f"  {name or 'no category'}", share) for name, share in summary["by_category"].items()]
    for label, shares in summary["by_label"].items():
        rows += [(f"  {label}: {name}", share) for name, share in shares.items()]
    if grounding is not None:
        rows += [
            ("grounded (IoGT > 0.3)", grounding["grounded"]),
            ("IoGT", grounding["iogt"]),
            ("IoU", grounding["iou"]),
            ("precision", grounding["precision"]),
            ("wrong box, right answer", grounding["wrong_box_given_right_answer"]),
        ]
    rows.append(("area of the evidence", summary["area_fraction"]))
    rows += [(f"right {TITLES[Control(name)]}", share) for name, share in summary["controls"].items()]
    rows.append(("evidence gap", summary["evidence_gap"]))
    rows.append(("ANLS", summary["anls"]))
    rows.append(("steps found out", summary["steps_found"]))
    rows.append(("findings right", summary["findings_right"]))
    if report["repeats"] is not None:
        repeats = report["repeats"]
        rows += [("mean of the runs", repeats["mean"]), ("  over runs alone", repeats["over_runs"])]
        rows += [(f"pass@{k} (no accuracy)", estimate) for k, estimate in repeats["pass_at"].items()]
    if report["orders"] is not None:
        rows += [(f"options {name}", share) for name, share in report["orders"].items()]
    for name, estimate in rows:
        if estimate is not None:
            interval = f"{estimate['low']:.3f} - {estimate['high']:.3f}"
            table.add_row(Text(_indented(name)), f"{estimate['value']:.3f}", interval, str(estimate["count"]))
    console.print(table)
    verdicts = ", ".join(f"{name} {share:.0%}" for name, share in summary["verdicts"].items())
    console.print(Text(f"verdicts: {verdicts}"))
    for line in _further_lines(report):
        console.print(Text(one_line(line)))
    costs = ", ".join(f"{value:,g} {name.replace('_', ' ')}" for name, value in report["per_question"].items())
    console.print(Text(f"a question: {costs}"))
    for remark in report["remarks"]:
        console.print(Text(f"note: {one_line(remark)}", "yellow"))
    if report["scoring"]["unread"]:
        scoring = report["scoring"]
        console.print(
            Text(
                f"note: {scoring['name']} would ask a judge of {scoring['unread']} replies; they count as wrong",
                "yellow",
            )
        )
    for difference in report["differences"]:
        console.print(Text(f"differs from the protocol's run: {one_line(difference)}", "yellow"))
    if report["failed"]:
        console.print(Text(f"{failures_in_words(report)}; the same command asks again:", "red"))
        for failure in report["failures"]:
            console.print(Text(f"  {one_line(failure)}", "red"))
    console.print(Text(one_line(report["citation"])))
    console.print(Text(one_line(str(folder / "report.html")), "dim"))


def _further_lines(report: dict[str, Any]) -> Iterator[str]:
    """What is shown in addition to the key numbers: several runs, scores of sections, and a judge."""
    if (repeats := report["repeats"]) is not None:
        best = ", ".join(f"{k}: {value:.3f}" for k, value in repeats["best_of"].items())
        yield f"runs: standard deviation {repeats['deviation']:.4f}; best of k (no accuracy) {best}"
    if (rate := report["right_per_1000_image_tokens"]) is not None:
        yield f"right answers per 1,000 image tokens: {rate:.3f}"
    if (sections := report["sections"]) is not None:
        yield "sections: " + ", ".join(f"{name} {score:.3f}" for name, score in sections.items())
    if (judged := report.get("judgement")) is not None:
        kappa = f", kappa {judged['kappa']:.2f}" if judged["kappa"] is not None else ""
        right, rule, agreement = (judged[name]["value"] for name in ("accuracy", "rule", "agreement"))
        yield (
            f"judge {judged['judge']}: {right:.3f} right, the rule {rule:.3f}; they agree on {agreement:.1%}{kappa}, "
            f"n = {judged['agreement']['count']}"
        )


def print_variants(reports: Mapping[str, dict[str, Any]]) -> None:
    """Runs that differ in one option, a column each: accuracy, and what a question costs."""
    summaries = [report["summary"]["accuracy"] for report in reports.values()]
    rates = [report["right_per_1000_image_tokens"] for report in reports.values()]
    table = Table("", *(escape(one_line(variant)) for variant in reports), box=None, pad_edge=False)
    table.add_row("accuracy", *(f"{accuracy['value']:.3f}" for accuracy in summaries))
    table.add_row("95 % interval", *(f"{accuracy['low']:.3f} - {accuracy['high']:.3f}" for accuracy in summaries))
    if any(report["failed"] for report in reports.values()):
        table.add_row("questions that failed", *(str(report["failed_questions"]) for report in reports.values()))
    table.add_row("right per 1,000 image tokens", *("" if rate is None else f"{rate:.3f}" for rate in rates))
    costs = [report["per_question"] for report in reports.values()]
    for name in sorted({name for cost in costs for name in cost}):
        table.add_row(name.replace("_", " "), *(f"{cost[name]:,g}" if name in cost else "" for cost in costs))
    Console(highlight=False, soft_wrap=True).print(table)


def print_benchmarks(listed: Mapping[str, Benchmark]) -> None:
    """What can be asked: names, sizes, sources."""
    console = Console(highlight=False, soft_wrap=True)
    width = max(map(len, listed))
    for name, entry in listed.items():
        count = f"{entry.questions:,}" if entry.questions is not None else ""
        known = ", ".join(filter(None, (entry.title, entry.source, entry.note)))
        console.print(Text(f"{name:<{width}}  {count:>6}  {one_line(known)}"))


def print_comparison(comparison: Comparison, first: Path, second: Path, differ: Sequence[str] = ()) -> None:
    """Two runs side by side, and in what they were made otherwise."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table("", "A", "B", "difference", "only A", "only B", "p", box=None, pad_edge=False)
    for name, test in (("accuracy", comparison.accuracy), ("grounded (IoGT > 0.3)", comparison.grounded)):
        if test is not None:
            table.add_row(name, *_paired(test))
    console.print(table)
    for letter, folder in (("A", first), ("B", second)):
        console.print(Text(f"{letter}: {one_line(str(folder))}"))
    console.print(Text("p: McNemar's exact test on the questions in which they differ", "dim"))
    for difference in differ:
        console.print(Text(f"made otherwise: {one_line(difference)}", "yellow"))


def _indented(name: str) -> str:
    """A name of a row on one line; that of a category is indented."""
    return name[: len(name) - len(name.lstrip(" "))] + one_line(name)


def _paired(test: PairedTest) -> tuple[str, ...]:
    difference = test.difference
    return (
        f"{test.first.value:.3f}",
        f"{test.second.value:.3f}",
        f"{difference.value:+.3f} ({difference.low:+.3f} - {difference.high:+.3f})",
        str(test.only_first),
        str(test.only_second),
        f"{test.p_value:.2g}",
    )
