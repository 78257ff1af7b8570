"""The list of a run's questions, in a real browser; and the same as CSV and Parquet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from browser import Browser

from hart_agent.evals.listing import listing_page
from hart_agent.evals.records import MANIFEST, RECORDS
from hart_agent.evals.report import write_comparison
from hart_agent.evals.rows import rows_of_run, write_tables

COUNT = 10_000
HOSTILE = "</script><img src=x onerror=alert(1)> {0}"


def record(number: int, *, right: bool) -> dict[str, Any]:
    """A question; every third is unsupported, every fifth untagged, and every seventh has a box that misses."""
    found = [100, 100, 200, 200] if number % 7 else [500, 500, 600, 600]
    return {
        "key": f"{number:05}#0", "id": f"{number:05}", "repeat": 0, "category": "single" if number % 2 else "cross",
        "question": HOSTILE.format(number), "options": ["red", "blue"], "gold": "A", "answer": "A" if right else "B",
        "reply": "x" * 2000 if number == 0 else "B", "right": right, "untagged": number % 5 == 0,
        "verdict": "unsupported" if number % 3 == 0 else "supported", "boxes": [found],
        "gold_boxes": [[100, 100, 200, 200]], "image": [1000, 800], "file": "a.png", "turns": 2, "seconds": 1.5,
        "usage": {"input_tokens": 100, "output_tokens": 10, "requests": 2}, "error": None, "controls": {},
        "order": [0, 1],
    }  # fmt: skip


def run(folder: Path, records: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / RECORDS).write_text("".join(json.dumps(entry) + "\n" for entry in records))
    (folder / MANIFEST).write_text("{}")
    return folder


def texts(browser: Browser, selector: str) -> list[str]:
    return browser.js("return [...document.querySelectorAll(arguments[0])].map(node => node.textContent)", selector)


def tick(browser: Browser, name: str) -> str:
    """Turn a filter on or off; the count that is then shown."""
    browser.js("document.querySelector('#filters').elements[arguments[0]].click()", name)
    return texts(browser, "#count")[0]


@pytest.mark.long
@pytest.mark.browser
def test_ten_thousand_questions_are_filtered_and_opened(browser: Browser, tmp_path: Path) -> None:
    rows = rows_of_run([record(number, right=number % 4 > 0) for number in range(COUNT)])
    page = tmp_path / "questions.html"
    page.write_text(listing_page("squares", rows, attachments=lambda key: (f"traces/{key[:5]}.html", None)))
    browser.open(page)
    assert texts(browser, "#count") == ["10,000 of 10,000, 7,500 right"]
    drawn = texts(browser, ".line")
    assert 10 < len(drawn) < 80
    assert HOSTILE.format(0) in drawn[0]
    assert texts(browser, "#panel h2") == [HOSTILE.format(0)]
    assert texts(browser, "img") == []
    assert tick(browser, "wrong") == "2,500 of 10,000, 0 right"
    assert tick(browser, "unsupported") == "834 of 10,000, 0 right"  # every 12th, from 0
    tick(browser, "wrong")
    tick(browser, "unsupported")
    assert tick(browser, "untagged") == "2,000 of 10,000, 1,500 right"
    tick(browser, "untagged")
    assert tick(browser, "box missed") == "1,429 of 10,000, 1,071 right"
    tick(browser, "box missed")
    browser.js("const s = document.querySelector('select'); s.value = 'cross';"
               "s.dispatchEvent(new Event('input', {bubbles: true}))")  # fmt: skip
    assert texts(browser, "#count") == ["5,000 of 10,000, 2,500 right"]
    browser.js("document.querySelector('#list').scrollTop = 28 * 4000")
    browser.js("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert any(HOSTILE.format(8000) in text for text in texts(browser, ".line"))
    browser.js("[...document.querySelectorAll('.line')].find(n => n.textContent.includes(' 8000')).click()")
    assert browser.js("return document.querySelector('#panel a').getAttribute('href')") == "traces/08000.html"
    gold, found = browser.js(
        "return ['.gold-box', '.found-box'].map(s => { const n = document.querySelector(s);"
        "return ['x', 'y', 'width', 'height'].map(a => Number(n.getAttribute(a))) })"
    )
    assert gold == found == [100, 100, 100, 100]
    assert browser.js("return document.querySelector('#panel svg').getAttribute('viewBox')") == "0 0 1000 800"


@pytest.mark.browser
def test_two_runs_are_compared_row_by_row(browser: Browser, tmp_path: Path) -> None:
    first = run(tmp_path / "a", [record(number, right=number < 30) for number in range(40)])
    second = run(tmp_path / "b", [record(number, right=number >= 5) for number in range(40)])
    write_comparison(first, second, tmp_path / "both.html")
    browser.open(tmp_path / "both.html", size=(400, 800))
    assert texts(browser, "#count") == ["40 of 40, 30 right"]
    assert tick(browser, "only first right") == "5 of 40, 5 right"
    tick(browser, "only first right")
    assert tick(browser, "only second right") == "10 of 40, 0 right"
    tick(browser, "only second right")
    assert tick(browser, "answers differ") == "15 of 40, 5 right"
    assert texts(browser, ".line")[0].startswith("right / wrong")
    for width in (400, 1100):  # both verdicts are there to be read
        browser.open(tmp_path / "both.html", size=(width, 800))
        spans = "[...document.querySelectorAll('.line > :first-child')]"
        assert browser.js(f"return {spans}.every(span => span.scrollWidth <= span.clientWidth)")
        assert texts(browser, "#panel h3") == [str(first), str(second)]


def test_the_rows_as_tables(tmp_path: Path) -> None:
    failed = record(1, right=False) | {"error": {"type": "PolicyError", "message": "down"}, "gold_boxes": []}
    rows = rows_of_run([record(7, right=True), failed])
    write_tables(rows, tmp_path / "questions.html")
    with (tmp_path / "questions.csv").open(newline="") as file:
        second, first = sorted(csv.DictReader(file), key=lambda row: row["right"], reverse=True)
    assert (first["id"], first["error"], first["iogt"]) == ("00001", "PolicyError: down", "")
    assert (second["iogt"], second["options"], second["boxes"]) == ("0.0", '["red", "blue"]', "[[500, 500, 600, 600]]")
    kept = pq.read_table(tmp_path / "questions.parquet").to_pylist()
    assert [row["right"] for row in kept] == [False, True]
    assert kept[1]["requests"] == 2


def test_records_of_an_earlier_version_have_rows() -> None:
    old = record(3, right=True)
    for name in ("repeat", "question", "options", "reply", "untagged", "file"):
        del old[name]
    (row,) = rows_of_run([old])
    assert (row["question"], row["options"], row["repeat"], row["answer"]) == (None, [], 0, "A")
