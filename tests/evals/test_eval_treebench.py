"""TreeBench, read back from its published forms, and what its scorer is given; right values are written by hand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import eval_files as files
import openpyxl
import pytest

from hart_agent import Agent, ScriptedPolicy
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets import GroundedAnswer, load_dataset, write_treebench_predictions
from hart_agent.evals.folder import TREEBENCH, evaluate_folder
from hart_agent.evals.runner import EvalSettings
from hart_agent.vision.geometry import Box, Size


@pytest.mark.parametrize("write", [files.tsv, files.parquet])
def test_treebench(tmp_path: Path, write: Callable[[Path, list[files.Row]], Path]) -> None:
    write(tmp_path / "TreeBench", files.treebench_rows())
    kite, taller = load_dataset("treebench", tmp_path)
    assert (kite.id, kite.answer, kite.options) == ("0", "B", ("red", "blue"))
    assert kite.boxes == (Box(10, 20, 60, 70),)
    assert kite.category == "Perception/Attributes"
    assert (taller.answer, taller.options[-1]) == ("F", "None")
    assert taller.boxes == (Box(0, 0, 50, 100), Box(150, 40, 200, 100))
    with kite.open() as image:
        assert image.size == Size(200, 100)


def test_treebench_reads_options_from_text_where_there_are_no_columns(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name not in set("ABCDEF")} for row in files.treebench_rows()]
    kite, taller = load_dataset("treebench", files.write_tsv(tmp_path / "TreeBench.tsv", rows))
    assert kite.options == ("red", "blue")
    assert taller.options == ("Ann", "Bob", "Cem", "Dia", "Eve", "None")


@pytest.mark.parametrize(
    ("text", "options"),
    [  # forms that are in the published tables
        ("A. gold  B. matte \nC. green patina \nD. silver ", ("gold", "matte", "green patina", "silver")),
        ("A. open. B. missing its jaw. C. shut.", ("open.", "missing its jaw.", "shut.")),
        ("A. The most B. The least\nC. All of it", ("The most", "The least", "All of it")),
        ("A Cast iron \nB Bronze\n C Steel with a \nD Ceramic", ("Cast iron", "Bronze", "Steel with a", "Ceramic")),
        ("A. shut\nB. beside it\nC. ajar\nC. open", ("shut", "beside it", "ajar\nC. open")),
        ("A. Planet B\nB. E. coli\nC. Vitamin\nD. Dr. X", ("Planet B", "E. coli", "Vitamin", "Dr. X")),
    ],
)
def test_options_of_treebench_as_they_are_published(tmp_path: Path, text: str, options: tuple[str, ...]) -> None:
    row = {name: value for name, value in files.treebench_rows()[0].items() if name not in set("ABCDEF")}
    row |= {"multi-choice options": text, "answer": "B"}
    (item,) = load_dataset("treebench", files.write_tsv(tmp_path / "TreeBench.tsv", [row]))
    assert item.options == options


@pytest.mark.parametrize("text", ["A. red", "red\nblue", "A. red\nC. blue", "B. red\nC. blue"])
def test_options_without_their_letters_are_refused(tmp_path: Path, text: str) -> None:
    row = {name: value for name, value in files.treebench_rows()[0].items() if name not in set("ABCDEF")}
    row |= {"multi-choice options": text, "answer": "A"}
    with pytest.raises(DatasetError, match="row 1: expected options such as"):
        load_dataset("treebench", files.write_tsv(tmp_path / "TreeBench.tsv", [row]))


@pytest.mark.parametrize("targets", ["[[1, 2, 3]]", "__import__('os')", "[[1, 2, 3, 'x']]", "none"])
def test_treebench_refuses_other_boxes(tmp_path: Path, targets: str) -> None:
    rows = [dict(files.treebench_rows()[0]) | {"target_instances": targets}]
    with pytest.raises(DatasetError, match="row 1: target_instances: expected"):
        load_dataset("treebench", files.write_tsv(tmp_path / "TreeBench.tsv", rows))


def test_treebench_predictions_in_the_form_of_its_scorer(tmp_path: Path) -> None:
    items = load_dataset("treebench", files.write_tsv(tmp_path / "TreeBench.tsv", files.treebench_rows()))
    path = tmp_path / "predictions.xlsx"
    write_treebench_predictions(path, items, {"0": GroundedAnswer("B", (Box(10, 20, 60, 70), Box(1, 2, 3, 4)))})
    header, kite, taller = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    assert header == ("index", "question", "answer", "category", "target_instances", "prediction")
    assert kite == (
        "0",
        "What is the colour of the kite?",
        "B",
        "Perception/Attributes",
        "[[10, 20, 60, 70]]",
        "<think><box>[10,20,60,70]</box><box>[1,2,3,4]</box></think><answer>B</answer>",
    )
    thought = re.search("<think>(.*?)</think>", kite[5], re.DOTALL)  # the scorer's own patterns
    assert thought is not None
    boxes = [re.match(r"\[(\d+),(\d+),(\d+),(\d+)\]", box) for box in re.findall("<box>(.*?)</box>", thought[1])]
    assert [box.groups() for box in boxes if box] == [("10", "20", "60", "70"), ("1", "2", "3", "4")]
    assert taller[5] == "<think></think><answer>?</answer>"  # "" would count as A, and any word with A to E as a letter
    with pytest.raises(ValueError, match=r"end in \.xlsx"):
        write_treebench_predictions(tmp_path / "predictions.tsv", items, {})


def test_answers_go_to_treebenchs_scorer_with_the_letters_of_the_published_order(tmp_path: Path) -> None:
    """The options are asked in another order; what the scorer gets are the published letters, and the boxes."""
    items = list(load_dataset("treebench", files.write_tsv(tmp_path / "TreeBench.tsv", files.treebench_rows())))[:1]
    crop = '<tool_call>{"name": "crop", "arguments": {"bbox_2d": [0, 0, 40, 40], "label": "it"}}</tool_call>'
    text = items[0].options[1]
    said = [crop, f"<answer>{text}</answer>", f"<answer>{text}</answer>"] * 2
    agent = Agent(ScriptedPolicy(said))
    asyncio.run(evaluate_folder(agent, "treebench", items, tmp_path / "run", EvalSettings(), {}))
    head, row = openpyxl.load_workbook(tmp_path / "run" / TREEBENCH).active.iter_rows(values_only=True)
    told = dict(zip(head, row, strict=True))
    assert told["prediction"] == "<think><box>[0,0,40,40]</box></think><answer>B</answer>"
