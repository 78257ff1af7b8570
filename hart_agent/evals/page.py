"""The report of a run as one page. It holds all that it needs, runs nothing and asks no network.

Categories, failures and names are hostile input. All text goes through `markup`, which escapes it, and the page's own
policy lets nothing run or load but the style that it was written with.
"""

from __future__ import annotations

import json
from itertools import starmap
from pathlib import Path
from typing import Any

from hart_agent.evals import figures
from hart_agent.evals.figures import INTERVAL, PERCENT, POINTS, RATIO
from hart_agent.evals.metrics import IOGT_THRESHOLD
from hart_agent.html.markup import Html, document, element, join, packaged
from hart_agent.store.files import write_whole

_THEME = '<input id="theme" type="checkbox" aria-label="Switch between light and dark" title="Light or dark">'
_MANIFEST = {
    "dataset": "Dataset",
    "settings": "Settings",
    "options": "Options",
    "episode": "Episode",
    "profile": "Coordinates and views",
    "versions": "Versions",
}


def report_page(report: dict[str, Any]) -> str:
    """The page of a report, as `hart_agent.evals.report.make_report` returns it."""
    sheets = {"hart_agent.html": "page.css", "hart_agent.trace": "page.css", "hart_agent.evals": "report.css"}
    style = "".join(starmap(packaged, sheets.items()))
    drawn = (
        figures.sweep(report),
        figures.controls(report),
        figures.verdicts(report),
        figures.crossed(report),
        figures.orders(report),
        figures.repeats(report),
        figures.judgement(report),
        figures.boxes(report),
    )
    content = join(
        _title(report),
        _key_numbers(report),
        _remarks(report["remarks"]),
        _failures(report),
        figures.headlines(report) or "",
        figures.categories(report) or "",
        element("div", *(figure for figure in drawn if figure is not None), class_="pairs"),
        _usage(report),
        _manifest(report),
    )
    title = f"{report['manifest']['dataset']['name']}, {report['manifest']['policy']} - hart-agent"
    return document(title, Html(f'{_THEME}\n<main id="report">\n{content}\n</main>'), style=style)


def write_report_page(report: dict[str, Any], path: Path) -> None:
    """Write the page of a report, whole or not at all; for the report see `report_page`.

    Raises:
        OutputError: the file can't be written.
    """
    write_whole(path, report_page(report))


def _title(report: dict[str, Any]) -> Html:
    manifest, count = report["manifest"], report["questions"]
    chosen = manifest["dataset"]["items"]
    questions = f"{count:,} questions" if count == chosen else f"{count:,} of {chosen:,} questions so far"
    return element(
        "header",
        element("h1", manifest["dataset"]["name"]),
        element("p", manifest["policy"], class_="policy"),
        element("p", questions, class_="muted"),
        element("p", element("a", "Question by question", href=report["listing"])) if "listing" in report else "",
    )


def _key_numbers(report: dict[str, Any]) -> Html:
    summary = report["summary"]
    grounding = summary["grounding"] or {}
    untagged = report.get("untagged")
    without_tags = f"; {untagged:,} answered in plain words" if untagged else ""
    numbers = [
        ("Accuracy", summary["accuracy"], PERCENT, "of the questions are answered rightly"),
        ("Format kept", summary["format_kept"], PERCENT,
         f"of the questions had every reply in the form asked for{without_tags}"),
        (f"Grounded, IoGT > {IOGT_THRESHOLD}", grounding.get("grounded"), PERCENT,
         f"have a box that covers more than {IOGT_THRESHOLD} of a gold box"),
        ("IoU", grounding.get("iou"), RATIO, "is how well the best box fits the gold box, on average"),
        ("Evidence gap", summary["evidence_gap"], POINTS, "of accuracy are lost when the evidence is taken away"),
        ("Area fraction", summary["area_fraction"], PERCENT, "of the image lies under the evidence, on average"),
        ("Wrong box, right answer", grounding.get("wrong_box_given_right_answer"), PERCENT,
         "of the right answers come without a right box"),
        ("Steps found out", summary["steps_found"], PERCENT, "of a question's gold steps are said by a finding"),
        ("Findings right", summary["findings_right"], PERCENT, "of a question's findings say a gold step"),
    ]  # fmt: skip
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", unit.write(estimate["value"]), class_="large"),
                element("dd", f"{unit.interval(estimate)}, n\u00a0=\u00a0{estimate['count']:,}", class_="muted"),
                element("dd", meaning, class_="note"),
            )
            for name, estimate, unit, meaning in numbers
            if estimate is not None
        ),
        class_="key", aria_label=f"Key numbers, each with its {INTERVAL}",
    )  # fmt: skip


def _remarks(remarks: list[str]) -> Html | str:
    if not remarks:
        return ""
    return element(
        "section", element("h2", "Bear in mind"), *(element("p", remark) for remark in remarks), class_="remarks"
    )


def _failures(report: dict[str, Any]) -> Html | str:
    if not report["failed"]:
        return ""
    times = "once" if report["failed"] == 1 else f"{report['failed']:,} times"
    return element(
        "section",
        element("h2", "Failures"),
        element("p", f"Asking failed {times}. The same command asks these questions again; until then, one without an "
                     "answer counts as wrong."),
        element("ul", *(element("li", failure) for failure in report["failures"])),
        class_="warning failures",
    )  # fmt: skip


def _usage(report: dict[str, Any]) -> Html:
    usage, seconds = report["usage"], report["median_seconds"]
    facts = {
        "Requests": f"{usage['requests']:,}",
        "Tokens in": f"{usage['input_tokens']:,}",
        "Tokens out": f"{usage['output_tokens']:,}",
        "Median time": f"{seconds:,.2f} s for a question" if seconds is not None else None,
        "A question": ", ".join(
            f"{value:,g} {name.replace('_', ' ')}" for name, value in report["per_question"].items()
        ),
    }
    note = element("p", "The controls are counted, too.", class_="note muted") if report["summary"]["controls"] else ""
    return element("section", element("h2", "Usage and time"), _facts(facts), note)


def _manifest(report: dict[str, Any]) -> Html:
    manifest, scoring = report["manifest"], report["scoring"]
    groups = {title: _flat(manifest[name]) for name, title in _MANIFEST.items()}
    groups["Prompts"] = {"sha256": manifest["prompts_sha256"]}
    unread = f" {scoring['name']} would ask a judge of {scoring['unread']:,} replies; they count as wrong."
    return element(
        "section",
        element("h2", "To run it again"),
        element("p", element("code", report["citation"]), id="citation"),
        element("p", "Only numbers of the same protocol may be compared.", unread if scoring["unread"] else "",
                " Each option below is one of ", element("code", "hart-agent eval"), ": ",
                element("code", "max_turns"), " is ", element("code", "--max-turns"),
                ". The hashes tell whether questions and prompts are the same.", class_="note"),
        element(
            "div",
            *(element("div", element("h3", title), _facts(facts)) for title, facts in groups.items() if facts),
            class_="manifest",
        ),
    )  # fmt: skip


def _facts(facts: dict[str, Any]) -> Html:
    parts = (
        part
        for name, value in facts.items()
        if value is not None
        for part in (element("dt", name), element("dd", value if isinstance(value, str) else json.dumps(value)))
    )
    return element("dl", *parts, class_="facts")


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested object as one, its names joined by dots."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found |= _flat(inner, f"{prefix}{name}.") if isinstance(inner, dict) else {f"{prefix}{name}": inner}
    return found
