"""The figures that the benchmarks' papers and harnesses report, under their names, wherever a run is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import eval_files as files
import numpy as np
import pytest
from loopback import Behaviour, completion, send, serve
from typer.testing import CliRunner

from hart_agent.cli import app
from hart_agent.evals.datasets import Headline, find_dataset
from hart_agent.evals.headlines import headline_figures, mean_of_shares
from hart_agent.evals.intervals import share
from hart_agent.evals.metrics import Prediction
from hart_agent.evals.summary import summarise
from hart_agent.vision.geometry import Box, Size

BOX = Box(0, 0, 10, 10)


def figures(benchmark: str, kinds: dict[str, str], **more: Any) -> dict[str, float]:
    """The headline figures of a run: for each category, its questions, + for a right and - for a wrong answer."""
    boxes = (BOX,) if benchmark == "treebench" else ()
    predictions = [
        Prediction(f"{category}/{number}", category, mark == "+", boxes, boxes, Size(20, 20), **more)
        for category, marks in kinds.items()
        for number, mark in enumerate(marks)
    ]
    found = headline_figures(find_dataset(benchmark).value.headlines, predictions, summarise(predictions))
    return {name: round(figure.value, 4) for name, figure in found.items()}


def test_the_figures_of_each_benchmark() -> None:
    assert figures("vstar", {"direct_attributes": "+++-", "relative_position": "+-"}) == {
        "Attribute": 0.75, "Spatial": 0.5, "Overall": 0.6667,
    }  # fmt: skip
    assert figures("hr-bench-8k", {"single": "++-", "cross": "-"}) == {"FSP": 0.6667, "FCP": 0, "Avg.": 0.5}
    kinds = {"Perception/Remote Sensing": "+--", "Perception/Monitoring": "+", "Reasoning/Monitoring": "-+"}
    for name in ("mme-realworld", "mme-realworld-cn", "mme-realworld-lite"):
        assert figures(name, kinds) == {
            "Perception, Avg": 0.5, "Perception, Avg-C": 0.6667, "Reasoning, Avg": 0.5, "Reasoning, Avg-C": 0.5,
            "Overall": 0.5,
        }  # fmt: skip
    assert figures("treebench", {"Perception/OCR": "+-", "Reasoning/Ordering": "+"}) == {
        "Overall": 0.6667, "mIoU": 1, "Perception": 0.5, "Reasoning": 1,
    }  # fmt: skip
    assert figures("o3-bench", {"chart": "+-", "map": "++"}) == {"Chart": 0.5, "Map": 1, "Overall": 0.75}
    assert figures("docvqa", {"form": "+-"}, anls=0.625) == {"ANLS": 0.625}
    assert figures("infovqa", {"": "+-"}, anls=0.5) == {"ANLS": 0.5}
    assert figures("visualprobe-hard", {"visual_probe_hard": "+---"}) == {"VisualProbe hard": 0.25}
    assert figures("zoombench", {"counting": "+-"}) == {"Overall": 0.5}
    assert figures("hr-bench-4k", {"single": "+"}) == {"FSP": 1, "Avg.": 1}  # no other question was asked
    assert figures("jsonl", {"": "+-"}) == {}


def test_the_macro_average_counts_categories_and_not_questions() -> None:
    counting, moving = "Counting/Overall counting", "Object properties/Object motion state"
    marks = [(counting, "plane", "+"), (counting, "plane", "+"), (counting, "ship", "-"), (moving, "ship", "-")]
    predictions = [
        Prediction(str(at), category, mark == "+", (), (), Size(20, 20), labels=(("l2 category", kind),))
        for at, (category, kind, mark) in enumerate(marks)
    ]
    found = headline_figures(find_dataset("xlrs-bench").value.headlines, predictions, summarise(predictions))
    assert {name: (round(figure.value, 4), figure.count) for name, figure in found.items()} == {
        "Macro average": (0.3333, 4),  # of 2/3 and 0
        "Macro average over l2 categories": (0.3333, 4),  # of 1, 0 and 0
        "Micro average": (0.5, 4),
    }


def test_the_interval_of_a_macro_average_holds_the_truth() -> None:
    rng = np.random.default_rng(3)
    sizes, rates = (10, 20, 40, 80), (0.2, 0.5, 0.8, 0.9)
    held = 0
    for _ in range(200):
        found = [share(int(rng.binomial(size, rate)), size) for size, rate in zip(sizes, rates, strict=True)]
        estimate = mean_of_shares(found)
        held += estimate.low <= np.mean(rates) <= estimate.high
    assert 0.92 * 200 <= held <= 0.99 * 200
    alike = mean_of_shares([share(60, 100)] * 4)  # as wide as 400 questions at once
    assert alike.high - alike.low == pytest.approx(share(240, 400).high - share(240, 400).low, rel=0.03)


def answers_b(body: dict[str, Any], number: int) -> Behaviour:
    return lambda handler: send(handler, 200, completion("B"))


def test_a_run_shows_them_everywhere(tmp_path: Path) -> None:
    """XLRS-Bench as its authors report it: the mean over the categories, as lmms-eval computes it."""
    golds = {"Counting/Overall counting": "BBBA", "Complex reasoning/Route planning": "BA"}
    lines = [
        {"index": f"{category}{number}", "question": "How many?", "answer": gold, "category": category,
         "multi-choice options": "(A) 1\n(B) 2", "l2-category": "x", "image": files.base64_picture()}
        for category, answers in golds.items()
        for number, gold in enumerate(answers)
    ]  # fmt: skip
    data = files.write_jsonl(tmp_path / "XLRS-Bench-lite_part0.jsonl", lines)
    with serve(answers_b) as server:
        command = ["eval", "xlrs-bench", str(data), "--out", str(tmp_path / "run"), "--base-url", server.url, "--quiet"]
        command += ["--protocol", "lmms-eval"]
        report = json.loads(CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False).stdout)
        shown = CliRunner().invoke(app, command, catch_exceptions=False).stdout
    assert {name: figure["value"] for name, figure in report["headlines"].items()} == {
        "Macro average": 0.625, "Macro average over l2 categories": 0.625, "Micro average": pytest.approx(4 / 6),
    }  # fmt: skip
    assert json.loads((tmp_path / "run/report.json").read_text())["headlines"] == report["headlines"]
    assert (
        "; Macro average 0.6250, Macro average over l2 categories 0.6250, Micro average 0.6667;" in report["citation"]
    )
    assert any(line.split()[:3] == ["Macro", "average", "0.625"] for line in shown.splitlines())
    page = (tmp_path / "run/report.html").read_text()
    assert "As the benchmark reports it" in page
    assert "Macro average" in page


def test_a_benchmark_of_your_own_names_its_figures(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from hart_agent.evals.datasets import Benchmark, Headline\n"
        "from hart_agent.evals.datasets.jsonl import read_jsonl_items\n"
        'mine = Benchmark(read_jsonl_items, headlines=(Headline("Signs", of="sign"), Headline("All")))\n'
    )
    found = find_dataset(f"{tmp_path / 'mine.py'}:mine").value.headlines
    assert found == (Headline("Signs", of="sign"), Headline("All"))
