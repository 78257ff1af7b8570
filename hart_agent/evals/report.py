"""What a run over a benchmark comes to: one JSON object that the console and the page show."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hart_agent.errors import ConfigError
from hart_agent.evals.attachments import attachments_of
from hart_agent.evals.citation import citation, facts
from hart_agent.evals.datasets.benchmark import Headline
from hart_agent.evals.headlines import headline_figures
from hart_agent.evals.intervals import share_of
from hart_agent.evals.listing import listing_page
from hart_agent.evals.metrics import Prediction
from hart_agent.evals.records import MANIFEST, load_run
from hart_agent.evals.repeats import repeats_of
from hart_agent.evals.rows import rows_of_run
from hart_agent.evals.runner import Record, first_orders, latest, order_of, prediction
from hart_agent.evals.scoring import OURS, rescored
from hart_agent.evals.statistics import Comparison, compare, questions_of
from hart_agent.evals.summary import THRESHOLDS, remarks, summarise
from hart_agent.store.files import write_whole

REPORT, PAGE = "report.json", "report.html"
"""What is written to a run's folder."""


def make_report(
    records: Sequence[Record], manifest: dict[str, Any], scoring: str = OURS, headlines: Sequence[Headline] = ()
) -> dict[str, Any]:
    """The report of a run, whole or begun. It depends on the records and the manifest alone, not on their order.

    The summary is over the first order of the options; `orders` has the accuracy in both. `failed` counts each order
    and each run of a question, `failed_questions` the questions.

    Args:
        records: of the run.
        manifest: of the run.
        scoring: who reads the answers; see `hart_agent.evals.scoring`.
        headlines: the figures that the benchmark's paper or harness reports.

    Raises:
        ConfigError: there is no record, or it can't be scored so.
        InstallError: scipy is missing.
    """
    current = sorted(latest(records).values(), key=lambda record: record["key"])
    current, unread = rescored(current, scoring, manifest["dataset"]["name"])
    first = first_orders(current)
    if not first:
        raise ConfigError("no question was asked yet: there is nothing to report")
    seed = manifest["settings"]["seed"]
    predictions = [prediction(record) for record in first]
    summary = summarise(predictions, seed)
    repeats = repeats_of(predictions, seed)
    failed = [record for record in current if record["error"] is not None]
    answered = [record for record in first if record["error"] is None]
    report = {
        "manifest": manifest,
        "questions": len(first),
        "failed": len(failed),
        "failed_questions": len({record["id"] for record in failed}),
        "failures": sorted({f"{record['error']['type']}: {record['error']['message']}" for record in failed})[:10],
        "headlines": {
            name: asdict(figure) for name, figure in headline_figures(headlines, predictions, summary).items()
        },
        "summary": asdict(summary),
        "untagged": sum(record.get("untagged", False) for record in first),
        "thresholds": list(THRESHOLDS),
        "remarks": remarks(summary),
        "orders": _orders(current),
        "repeats": asdict(repeats) if repeats is not None else None,
        "fingerprints": sorted({record.get("fingerprint") or "" for record in answered} - {""}),
        "scoring": {"name": scoring, "unread": unread},
        "usage": {
            name: sum(used[name] for record in current for used in _usages(record))
            for name in ("input_tokens", "output_tokens", "requests")
        },
        "per_question": _cost(answered),
        "right_per_1000_image_tokens": _right_per_token(answered),
        "sections": _section_scores(answered),
        "median_seconds": round(statistics.median(record["seconds"] for record in answered), 3) if answered else None,
    }
    report["citation"] = citation(report)
    return dict(json.loads(json.dumps(report)))  # as it is read from its file


def compare_runs(first: Path, second: Path) -> Comparison:
    """Two runs over the same questions, paired question by question, in the first order of the options.

    Raises:
        ConfigError: a folder holds no run, or the questions aren't the same.
        InstallError: scipy is missing.
    """
    sides = [_predictions(load_run(folder)[0]) for folder in (first, second)]
    return compare(sides[0], sides[1])


def made_otherwise(first: Path, second: Path) -> list[str]:
    """In what two runs were made otherwise: only those of the same protocol may be compared.

    Raises:
        ConfigError: a folder holds no run, or its manifest was damaged.
    """
    before, after = map(_facts, (first, second))
    names = dict.fromkeys([*before, *after])
    return [
        f"{name} is {before.get(name, 'left open')} in A, {after.get(name, 'left open')} in B"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _facts(folder: Path) -> dict[str, Any]:
    try:
        return facts(load_run(folder)[1])
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{folder / MANIFEST} is not the manifest of a run ({error!r}); give the folder of an --out"
        ) from error


def write_comparison(first: Path, second: Path, page: Path) -> None:
    """Write two runs as one list, question by question.

    Raises:
        ConfigError: a folder holds no run.
        OutputError: the page can't be written.
    """
    records = [load_run(folder)[0] for folder in (first, second)]
    sides = [rows_of_run(found) for found in records]
    names = str(first), str(second)
    attachments = [
        attachments_of(found, folder, up=f"{_from(page.parent, folder)}/")
        for found, folder in zip(records, (first, second), strict=True)
    ]
    title = f"{names[0]} and {names[1]}"
    text = listing_page(
        title, sides[0], sides[1], names=names, attachments=attachments[0], others_attachments=attachments[1]
    )
    write_whole(page, text)


def _from(page: Path, folder: Path) -> str:
    """How a folder is reached from that of a page, as a URL."""
    try:
        return quote(os.path.relpath(folder.resolve(), page.resolve()).replace(os.sep, "/"))
    except ValueError:  # another drive
        return folder.resolve().as_uri()


def _predictions(records: Sequence[Record]) -> list[Prediction]:
    return [prediction(record) for record in first_orders(records)]


def _cost(records: Sequence[Record]) -> dict[str, float]:
    """What a question costs on average, without its controls; what isn't known of all is left out."""
    costs = {
        "seconds": [record["seconds"] for record in records],
        "image_tokens": [record.get("image_tokens") for record in records],
        "turns": [record.get("turns") for record in records],
        "tokens_to_first_finding": [record.get("first_finding", {}).get("tokens") for record in records],
        "share_to_first_finding": [record.get("first_finding", {}).get("share") for record in records],
    } | {name: [record["usage"][name] for record in records] for name in ("requests", "input_tokens", "output_tokens")}
    return {name: round(statistics.fmean(values), 3) for name, values in costs.items() if values and None not in values}


def _right_per_token(records: Sequence[Record]) -> float | None:
    """Right answers for each 1,000 image tokens; None where these aren't known of all."""
    known: list[int] = [record["image_tokens"] for record in records if record.get("image_tokens") is not None]
    right, tokens = sum(bool(record["right"]) for record in records), sum(known)
    return round(1000 * right / tokens, 4) if tokens and len(known) == len(records) else None


def _section_scores(records: Sequence[Record]) -> dict[str, float] | None:
    """The mean score of each section of an answer, its own being partial credit; None for answers without sections."""
    scored = [record["sections"] for record in records if "sections" in record]
    return {name: statistics.fmean(scores[name] for scores in scored) for name in scored[0]} if scored else None


def _usages(record: Record) -> list[dict[str, int]]:
    """What a record cost, the controls included."""
    return [record["usage"], *(outcome["usage"] for outcome in record["controls"].values())]


def _orders(records: Sequence[Record]) -> dict[str, Any] | None:
    """The accuracy with the options in each order, and in both; None where no question was asked in two."""
    by_item: dict[tuple[str, int], dict[int, Record]] = {}
    for record in records:
        if record["order"]:
            by_item.setdefault((record["id"], record.get("repeat", 0)), {})[order_of(record["key"])] = record
    both = [pair for pair in by_item.values() if len(pair) == 2]
    if not both:
        return None
    questions = questions_of([prediction(pair[0]) for pair in both])
    rights = {
        "shuffled": [pair[0]["right"] for pair in both],
        "reversed": [pair[1]["right"] for pair in both],
        "both": [pair[0]["right"] and pair[1]["right"] for pair in both],
    }
    return {name: asdict(share_of(right, questions)) for name, right in rights.items()}
