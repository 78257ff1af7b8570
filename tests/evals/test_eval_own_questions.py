"""A user's own questions, in JSON Lines or through a reader that the user wrote; right values are worked by hand."""

from __future__ import annotations

import re
from pathlib import Path

import eval_files as files
import pytest

from hart_agent.answers import AnswerType
from hart_agent.errors import DatasetError, PluginError
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.datasets.jsonl import RECORD
from hart_agent.evals.items import Item
from hart_agent.vision.geometry import Box


def test_own_questions(tmp_path: Path) -> None:
    files.save_picture(tmp_path / "signs/1.png")
    records = [
        {"image": "signs/1.png", "question": "What does it say?", "answer": "STOP", "boxes": [[1, 2, 30, 40]]},
        {
            "id": "two",
            "image": "signs/1.png",
            "question": "Which colour?",
            "answer": "b",
            "options": ["red", "blue"],
            "category": "colour",
        },
        {
            "image": "signs/1.png",
            "question": "How far?",
            "answer": "12 km",
            "alternatives": ["7.5 miles"],
            "type": "number",
            "tolerance": 0.05,
        },
    ]
    path = files.write_jsonl(tmp_path / "own.jsonl", records)
    path.write_text(path.read_text() + "\n")
    sign, colour, far = load_dataset("jsonl", path)
    image = tmp_path / "signs/1.png"
    assert sign == Item("1", image, "What does it say?", "STOP", AnswerType.TEXT, boxes=(Box(1, 2, 30, 40),))
    assert colour == Item("two", image, "Which colour?", "B", AnswerType.OPTION, ("red", "blue"), category="colour")
    assert (far.id, far.type, far.alternatives, far.tolerance) == ("3", AnswerType.NUMBER, ("7.5 miles",), 0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox": [[1, 2, 3, 4]]}, "line 2: Additional properties are not allowed .*bbox"),
        ({"answer": 3}, "line 2: answer: 3 is not of type 'string'"),
        ({"boxes": [[5, 2, 3, 4]]}, r"line 2: boxes: a box needs 0 <= x0 < x1"),
        ({"boxes": [[1, 2, 3]]}, r"line 2: boxes\.0: "),
        ({"type": "colour"}, "line 2: type: 'colour' is not one of"),
        ({"type": "option"}, "line 2: type: 'option' needs options"),
        ({"type": "text", "options": ["a", "b"]}, "line 2: type: 'text' has no options"),
        ({"options": ["red", "blue"]}, "line 2: the answer 'STOP' is none of the options A, B"),
        ({"id": "1"}, "line 2: id: '1' is the id of line 1, too"),
        ({"tolerance": -1}, "line 2: tolerance: -1 is less than the minimum"),
    ],
)
def test_own_questions_of_another_form_name_the_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    files.save_picture(tmp_path / "a.png")
    right = {"image": "a.png", "question": "What?", "answer": "STOP"}
    path = files.write_jsonl(tmp_path / "own.jsonl", [right, right | change])
    with pytest.raises(DatasetError, match=message):
        load_dataset("jsonl", path)


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('\n{"image": "a.png"\n')
    with pytest.raises(DatasetError, match=r"own\.jsonl, line 2: no JSON"):
        load_dataset("jsonl", path)
    path.write_text("[" * 200_000)
    with pytest.raises(DatasetError, match=r"own\.jsonl, line 1: no JSON .nested too deeply"):
        load_dataset("jsonl", path)
    path.write_bytes(b"\xff\n")
    with pytest.raises(DatasetError, match="not in UTF-8"):
        load_dataset("jsonl", path)


READERS = """
from pathlib import Path
from hart_agent.errors import DatasetError

def nothing(path: Path):
    return []

def texts(path: Path):
    return iter(["what?"])

def careless(path: Path):
    raise KeyError("answer")

def careful(path: Path):
    raise DatasetError(f"{path}, row 7: no answer")

number = 3
"""


@pytest.mark.parametrize(
    ("reader", "error", "words"),
    [
        ("nothing", DatasetError, ["holds no questions"]),
        ("texts", PluginError, ["readers.py", "returned a str", "Item"]),
        ("careless", PluginError, ["readers.py", "KeyError: 'answer'", "DatasetError"]),
        ("careful", DatasetError, ["row 7: no answer"]),
        ("number", PluginError, ["readers.py", "got 3"]),
    ],
)
def test_a_reader_from_outside_that_fails_is_named(
    tmp_path: Path, reader: str, error: type[Exception], words: list[str]
) -> None:
    (tmp_path / "readers.py").write_text(READERS)
    with pytest.raises(error) as caught:
        load_dataset(f"{tmp_path / 'readers.py'}:{reader}", tmp_path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_page_on_evaluation_has_all_fields_and_no_others() -> None:
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    rows = text[text.index("| field of a line |") : text.index("The first three must be there")].strip().splitlines()
    fields = [name for row in rows[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(fields) == sorted(RECORD.schema["properties"])
    assert fields[:3] == RECORD.schema["required"]
    (types,) = (row for row in rows if row.startswith("| `type`"))
    assert set(re.findall(r"`(\w+)`", types)[1:]) == {kind.value for kind in AnswerType}
