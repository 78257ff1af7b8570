"""A run's folder: manifest, records, traces and reports. An existing run is resumed."""

from __future__ import annotations

import logging
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hart_agent.agent import Agent
from hart_agent.agent.trajectory import Trajectory
from hart_agent.dialogue.policy import Identified, Policy
from hart_agent.errors import ConfigError, OutputError
from hart_agent.evals.attachments import TRACE_PAGES, TRACES, attachments_of, page_path, trace_name
from hart_agent.evals.citation import facts
from hart_agent.evals.datasets import GroundedAnswer, Headline, write_treebench_predictions
from hart_agent.evals.items import LETTERS, Item
from hart_agent.evals.judge import JUDGE, judge_run
from hart_agent.evals.listing import listing_page
from hart_agent.evals.manifest import MAY_DIFFER, make_manifest
from hart_agent.evals.page import write_report_page
from hart_agent.evals.photos import PHOTOS, write_photo
from hart_agent.evals.protocols import DEFAULT, Protocol, differences, write_protocol
from hart_agent.evals.records import MANIFEST, RECORDS, RecordFile
from hart_agent.evals.report import PAGE, REPORT, make_report
from hart_agent.evals.rows import rows_of_run, write_tables
from hart_agent.evals.runner import EvalSettings, Record, evaluate, first_orders, latest, presentations
from hart_agent.evals.scoring import rescored
from hart_agent.store.files import keep_settings, write_json, write_whole
from hart_agent.trace import Truth, trace_json, write_page, write_trace
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import SourceImage

_log = logging.getLogger(__name__)

LISTING = "questions.html"
"""The questions, to be filtered; next to it the same as CSV and Parquet."""
PROTOCOL = "protocol.toml"
"""How the run was made, to be made again."""
TREEBENCH = "treebench.xlsx"
"""Answers and boxes as TreeBench's own scorer takes them."""


class Watcher(typing.Protocol):
    """Is notified of a run's progress."""

    def begin(self, total: int, done: int) -> None:
        """So many questions are asked, and so many of these were asked before."""

    def advance(self, record: Record) -> None:
        """One more was asked."""


async def evaluate_folder(
    agent: Agent,
    dataset: str,
    items: Sequence[Item],
    out: Path,
    settings: EvalSettings,
    options: dict[str, Any],
    watcher: Watcher | None = None,
    *,
    protocol: Protocol | None = None,
    file: Path | None = None,
    differs: Sequence[str] = (),
    judge: Policy | None = None,
    headlines: Sequence[Headline] = (),
) -> dict[str, Any]:
    """Ask a benchmark's questions, or those that are left of them, and write the report.

    Args:
        agent: that answers.
        dataset: name of the benchmark.
        items: its questions.
        out: the run's folder; it is made.
        settings: how they are asked.
        options: with which the agent was made, for the manifest.
        watcher: is notified of progress.
        protocol: that the settings and options follow; the run's own file is written from it.
        file: that the benchmark was read from, if it is one.
        differs: what the user changed of the protocol.
        judge: judges answers in free text, in addition to the rule; see `hart_agent.evals.judge`.
        headlines: the figures that the benchmark's paper or harness reports.

    Returns:
        The report; see `make_report`.

    Raises:
        ConfigError: the folder holds a run with other settings, or one that is going on.
        PolicyError: the policy failed at many questions in a row; what was asked is kept.
        OutputError: the folder can't be written.
        InstallError: scipy is missing.
    """
    chosen = settings.select(items)
    _make(out)
    _refuse_stranger(out)
    for name in (PHOTOS, *((TRACES, TRACE_PAGES) if settings.traces else ())):
        _make(out / name)
    served = await agent.policy.identity() if isinstance(agent.policy, Identified) else {}
    made = make_manifest(
        agent, dataset, chosen, settings.recorded(), options, file=file, differs=differs, served=served
    )
    manifest = keep_settings(out / MANIFEST, made, may_differ=MAY_DIFFER)
    for name, what in {"prompts_sha256": "the files of prompts have", "served": "the model or its server has"}.items():
        if manifest.get(name, made[name]) != made[name]:
            _log.warning("%s changed since the run in %s was started", what, out)
    with RecordFile(out / RECORDS) as journal:
        answered = {key for key, record in latest(journal.records).items() if record["error"] is None}
        total = sum(1 for _ in presentations(chosen, settings))
        if watcher is not None:
            watcher.begin(total, len(answered))

        def keep(record: Record, run: Trajectory, source: SourceImage) -> None:
            write_photo(record, source, out)
            if settings.traces:
                write_trace(run, out / TRACES / trace_name(record["key"]))
                write_page(trace_json(run), source, out / page_path(record["key"]), truth=_truth(record))

        await evaluate(agent, chosen, journal, settings, watcher.advance if watcher is not None else None, keep)
        report = make_report(journal.records, manifest, settings.scoring, headlines)
        verdicts: dict[str, bool] = {}
        if judge is not None:
            judgement, verdicts = await judge_run(journal.records, judge, out, settings.concurrency)
            report["judgement"] = asdict(judgement) if judgement is not None else None
    if dataset == "treebench":
        write_treebench_predictions(out / TREEBENCH, chosen, grounded_answers(chosen, journal.records))
    known = facts(made)
    ran = protocol or Protocol(DEFAULT)
    report["differences"] = differences(ran, known)
    report["listing"] = LISTING
    write_protocol(replace(ran, run=known), out / PROTOCOL)
    write_json(out / REPORT, report)
    write_report_page(report, out / PAGE)
    _write_rows(out, dataset, rescored(journal.records, settings.scoring, dataset)[0], verdicts)
    return report


def _write_rows(out: Path, dataset: str, records: Sequence[Record], verdicts: Mapping[str, bool]) -> None:
    """The list of the questions, as a page and as tables."""

    rows = rows_of_run(records, verdicts)
    attachments = attachments_of(records, out)
    write_whole(out / LISTING, listing_page(f"{dataset}, question by question", rows, attachments=attachments))
    write_tables(rows, out / LISTING)


def _truth(record: Record) -> Truth:
    """What the benchmark says, for the page of a trace."""
    gold, options = record["gold"], record["options"]
    text = options[LETTERS.index(gold)] if options and len(gold) == 1 and gold in LETTERS[: len(options)] else ""
    return Truth(
        f"{gold}. {text}" if text else ", or ".join([gold, *record["alternatives"]]),
        record["right"],
        [Box(*box) for box in record["gold_boxes"]],
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be written: {error.strerror}. Choose another folder.") from error


def _refuse_stranger(out: Path) -> None:
    """Refuse a folder that holds files of our names, but no run: they are someone else's."""
    tables = [str(Path(LISTING).with_suffix(ending)) for ending in (".csv", ".parquet")]
    names = (RECORDS, REPORT, PAGE, TREEBENCH, LISTING, *tables, PROTOCOL, JUDGE)
    found = next((name for name in names if (out / name).exists()), None)
    if found is not None and not (out / MANIFEST).exists():
        raise ConfigError(
            f"{out} holds a file {found}, but no {MANIFEST}: it is not the folder of a run. It is left untouched; "
            "choose another folder with --out."
        )


def grounded_answers(items: Sequence[Item], records: Sequence[Record]) -> dict[str, GroundedAnswer]:
    """What was answered in the first order of the options, with letters of the published order, by the items' ids."""
    first = {record["id"]: record for record in first_orders(records) if not record.get("repeat")}
    return {
        item.id: GroundedAnswer(
            item.chosen(first[item.id]["answer"], first[item.id]["order"]),
            tuple(Box(*box) for box in first[item.id]["boxes"]),
        )
        for item in items
        if item.id in first
    }
