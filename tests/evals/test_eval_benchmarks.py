"""Benchmarks read back from small files in the forms in which they are published; right values are written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import eval_files as files
import numpy as np
import pytest
from PIL import Image, ImageOps
from typer.testing import CliRunner

from hart_agent.answers import AnswerType
from hart_agent.cli import app
from hart_agent.errors import DatasetError
from hart_agent.evals.datasets import HUB_IDS, NAMES, Benchmark, benchmarks, load_dataset
from hart_agent.evals.datasets.reading import gold_boxes
from hart_agent.evals.items import Item
from hart_agent.evals.scoring import rescored
from hart_agent.vision.geometry import Box
from hart_agent.vision.source import SourceImage


def visualprobe_entry(name: str, source: str = "visual_probe_hard") -> files.Row:
    return {
        "images": [name],
        "doc_id": 60,
        "problem": "<image>\nWhat is the color of the lampshade?",
        "solution": "White.",
        "data_source": source,
    }


def test_visualprobe_from_the_folder_of_its_parts(tmp_path: Path) -> None:
    for part, source in (("Easy", "visual_probe_easy"), ("Hard", "visual_probe_hard")):
        files.save_picture(tmp_path / f"VisualProbe_{part}/data/1.jpg")
        files.write_json(
            tmp_path / f"VisualProbe_{part}/val.json", [visualprobe_entry(f"VisualProbe_{part}/data/1.jpg", source)]
        )
    (easy,), (hard,) = (load_dataset(f"visualprobe-{level}", tmp_path) for level in ("easy", "hard"))
    assert (easy.id, hard.id) == ("visual_probe_easy/60", "visual_probe_hard/60")
    assert hard == Item(
        id="visual_probe_hard/60",
        image=tmp_path / "VisualProbe_Hard/data/1.jpg",
        question="What is the color of the lampshade?",
        answer="White.",
        type=AnswerType.TEXT,
        category="visual_probe_hard",
    )
    (alone,) = load_dataset("visualprobe-hard", tmp_path / "VisualProbe_Hard")  # as the hub has it
    assert alone == hard
    assert hard.is_right("white")
    with pytest.raises(DatasetError, match=r"expected VisualProbe_Medium/val\.json"):
        load_dataset("visualprobe-medium", tmp_path)


def test_visualprobe_in_the_form_of_insight_o3(tmp_path: Path) -> None:
    files.save_picture(tmp_path / "data/visual_probe_hard_60.jpg")
    line = {"question_id": "visual_probe_hard_60", "image": "VisualProbe_Hard/data/visual_probe_hard_60.jpg",
            "question": "What colour?", "answer": "White.", "category": "visual_probe_hard"}  # fmt: skip
    (item,) = load_dataset("visualprobe-hard", files.write_jsonl(tmp_path / "visual_probe_hard.jsonl", [line]))
    assert item.id == "visual_probe_hard_60"
    assert item.image == tmp_path / "data/visual_probe_hard_60.jpg"
    with pytest.raises(DatasetError, match="entry 1: images"):
        load_dataset(
            "visualprobe-hard", files.write_json(tmp_path / "val.json", [visualprobe_entry("x") | {"images": []}])
        )


QUERY = "How many table lamps are in the image? Select from the following choices.\n(A) 0\n(B) 2\n(C) 1\n(D) 3"


def test_zoombench(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    picture = {"bytes": files.picture(100, 80), "path": None}
    rows = [
        {"id": "z7", "query": QUERY, "response": "C", "image": picture, "crop_image": picture,
         "question_type": "counting", "bbox": [10.0, 20.0, 30.0, 40.0]},
        {"id": "z8", "query": "What does the sign say?", "response": "STOP", "image": picture, "crop_image": None,
         "question_type": "OCR", "bbox": None},
    ]  # fmt: skip
    files.write_parquet(tmp_path / "data/test.parquet", rows)
    lamps, sign = load_dataset("zoombench", tmp_path)
    assert (lamps.id, lamps.answer, lamps.options, lamps.category) == ("z7", "C", ("0", "2", "1", "3"), "counting")
    assert lamps.question == "How many table lamps are in the image? Select from the following choices."
    assert lamps.boxes == (Box(10, 20, 30, 40),)
    assert (sign.type, sign.answer, sign.boxes) == (AnswerType.TEXT, "STOP", ())
    files.save_picture(tmp_path / "images/image_0.png")
    entry = {"images": ["images/image_0.png"], "crop_images": [], "query": QUERY, "response": "C"}
    (converted,) = load_dataset("zoombench", files.write_json(tmp_path / "zoombench.json", [entry]))
    assert (converted.id, converted.answer, converted.options) == ("0", "C", lamps.options)


def test_o3_bench(tmp_path: Path) -> None:
    files.save_picture(tmp_path / "test/images/chart/1-3.png", 200, 100)
    line = {
        "file_name": "images/chart/1-3.png",
        "subset": "chart",
        "question": "What was the change in Total Assets?",
        "options": "A. -$13\nB. -$14\nC. -$15\nD. No right choice",
        "answer": "C",
        "explanation": "Step 1. ...",
        "target_layouts": [1, 3],
        "layout_infos": {
            "1": {"layout_id": 1, "bbox": [10.04, 20.5, 50.9, 60.0]},
            "2": {"layout_id": 2, "bbox": [0.0, 0.0, 5.0, 5.0]},
            "3": {"layout_id": 3, "bbox": [150.0, 40.0, 260.0, 99.0]},
        },
        "img_width": 200,
        "img_height": 100,
    }
    files.write_jsonl(tmp_path / "test/metadata.jsonl", [line])
    (item,) = load_dataset("o3-bench", tmp_path)
    assert item.options == ("-$13", "-$14", "-$15", "No right choice")
    assert (item.answer, item.category, item.id) == ("C", "chart", "1")
    assert item.boxes == (Box(10, 20, 51, 60), Box(150, 40, 200, 99))  # the last reaches beyond the image


def mme_row(number: int, choices: object, **more: object) -> dict[str, object]:
    return {"index": number, "image": files.base64_picture(70, 30), "question": "How many buses?", "answer": "E",
            "multi-choice options": choices, "category": "Perception/Remote Sensing",
            "l2-category": "count"} | more  # fmt: skip


def test_mme_realworld_whole_and_in_chinese(tmp_path: Path) -> None:
    entry = dict(files.mme_entries()[0]) | {"Image": "AutonomousDriving/a.png"}
    files.save_picture(tmp_path / "AutonomousDriving/a.png")
    files.write_json(tmp_path / "MME_RealWorld.json", [entry])
    (item,) = load_dataset("mme-realworld", tmp_path)
    assert (item.answer, item.anchored, item.image) == ("E", (4,), tmp_path / "AutonomousDriving/a.png")

    chinese = ["(A) 13", "(B) 90", "(C) 77", "(D) 6", "(E) 图片中没有公交车"]
    whole = tmp_path / "base64"
    files.write_json(whole / "MME-RealWorld-CN/part0.json", [mme_row(0, chinese)])
    files.write_json(whole / "MME-RealWorld-CN/part1.json", [mme_row(1, chinese), mme_row(2, chinese, image="1")])
    first, second, third = load_dataset("mme-realworld-cn", whole)
    assert [first.id, second.id, third.id] == ["0", "1", "2"]
    assert first.options[-1] == "图片中没有公交车"
    assert first.labels == (("task", "Perception"), ("l2 category", "count"))
    with third.open() as image:  # its picture is that of the row before
        assert (image.size.width, image.size.height) == (70, 30)

    lines = "The choices are listed below:\n" + "\n".join(files.MME_CHOICES)  # the table that VLMEvalKit makes
    files.write_tsv(tmp_path / "MME-RealWorld.tsv", [mme_row(5, lines)])
    (row,) = load_dataset("mme-realworld", tmp_path / "MME-RealWorld.tsv")
    assert row.options == ("13", "90", "It's 77", "6", "The image does not feature the buses")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_xlrs_bench(tmp_path: Path, form: str) -> None:
    choices = ["(A) farmland", "(B) city", "(C) water", "(D) forest"]
    common = {"question": "Which land use is there?", "category": "Land use classification/Overall",
              "l2-category": "Overall Land use"}  # fmt: skip
    rows = [common | {"index": 3, "answer": "B"}, common | {"index": 4, "answer": "AC"}]
    if form == "jsonl":
        text = "\n".join(["The choices are listed below:", *choices, "Select the best answer for the question."])
        lines = [row | {"image": files.base64_picture(), "multi-choice options": text} for row in rows]
        for number, line in enumerate(lines):
            files.write_jsonl(tmp_path / f"XLRS-Bench-lite_part{number}.jsonl", [line])
    else:
        picture = [{"bytes": files.picture(), "path": None}]
        files.write_parquet(
            tmp_path / "train.parquet", [row | {"image": picture, "multi-choice options": choices} for row in rows]
        )
    one, several = load_dataset("xlrs-bench", tmp_path)
    assert (one.id, one.answer, one.options) == ("3", "B", ("farmland", "city", "water", "forest"))
    assert one.labels == (("task", "Land use classification"), ("l2 category", "Overall Land use"))
    assert (several.type, several.answer, several.options) == (AnswerType.LIST, "A, C", ())
    assert "C. water" in several.question
    for right in ("C and A", "A C", "AC", "A, C.", "A. farmland, C. water", "farmland, water"):
        assert several.is_right(right)
    for wrong in ("A", "A B", "ABC", "A, B, C", "A. farmland", "farmland"):
        assert not several.is_right(wrong)
    gold = {"anls": None, "alternatives": [], "options": [], "gold": several.answer}
    said = {
        "A C": True,
        "(C) and (A)": True,
        "A": False,
        "A, B, C": False,
        "Answer: A, C": False,
        "AC.": True,
        "": False,
    }
    replies = [gold | {"reply": reply} for reply in said]
    for scoring in ("vlmevalkit", "lmms-eval"):
        assert [record["right"] for record in rescored(replies, scoring, "xlrs-bench")[0]] == list(said.values())
    with several.open() as image:
        assert (image.size.width, image.size.height) == (64, 48)


def test_documents(tmp_path: Path) -> None:
    files.save_picture(tmp_path / "documents/a.png")
    entry = {"questionId": 337, "question": "what is the date?", "question_types": ["form"], "image": "documents/a.png",
             "docId": 279, "answers": ["1/8/93", "8 January 1993"], "data_split": "val"}  # fmt: skip
    data = {"dataset_name": "SP-DocVQA", "dataset_split": "val", "data": [entry]}
    (date,) = load_dataset("docvqa", files.write_json(tmp_path / "val_v1.0_withQT.json", data))
    assert (date.id, date.golds, date.category, date.anls) == ("337", ("1/8/93", "8 January 1993"), "form", True)

    info = {"questionId": "9", "question": "How many?", "image_local_name": "20471.jpeg", "answers": ["4"]}
    files.save_picture(tmp_path / "images/20471.jpeg")
    (many,) = load_dataset(
        "infovqa", files.write_json(tmp_path / "infographicsVQA_val_v1.0_withQT.json", {"data": [info]})
    )
    assert many.image == tmp_path / "images/20471.jpeg"

    row = {"index": 5, "image": files.base64_picture(), "question": "what?", "answer": "['a b', 'c']"}
    (table,) = load_dataset("docvqa", files.write_tsv(tmp_path / "DocVQA_VAL.tsv", [row]))
    assert table.golds == ("a b", "c")
    picture = {"bytes": files.picture(), "path": None}
    row = {"questionId": "7", "question": "what?", "image": picture, "answers": ["x"], "answer_type": ["single span"]}
    (held,) = load_dataset("infovqa", files.write_parquet(tmp_path / "validation-0.parquet", [row]))
    assert (held.id, held.golds, held.category) == ("7", ("x",), "single span")
    with pytest.raises(DatasetError, match="not published: take the validation set"):
        load_dataset(
            "docvqa", files.write_tsv(tmp_path / "DocVQA_TEST.tsv", [{**row, "image": "x" * 80, "answers": ""}])
        )


MINE = """
from hart_agent.evals.datasets import Benchmark
from hart_agent.evals.datasets.jsonl import read_jsonl_items

mine = Benchmark(read_jsonl_items, "My photos", 12, "my thesis")
"""


def test_a_benchmark_of_your_own_joins_from_outside(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    files.save_picture(tmp_path / "a.png")
    path = files.write_jsonl(tmp_path / "q.jsonl", [{"image": "a.png", "question": "What?", "answer": "a dog"}])
    (item,) = load_dataset(f"{tmp_path / 'mine.py'}:mine", path)
    assert item.answer == "a dog"
    listed = benchmarks()
    assert set(NAMES) <= listed.keys()
    assert all(isinstance(entry, Benchmark) for entry in listed.values())
    assert HUB_IDS["hr-bench-4k"] == "DreamMr/HR-Bench"


def test_the_benchmarks_are_listed_with_their_sizes() -> None:
    listed = json.loads(CliRunner().invoke(app, ["eval", "--list", "--json"]).stdout)
    assert listed["vstar"] == {
        "title": "V*Bench", "questions": 191, "source": "arXiv 2312.14135", "hub": "craigwu/vstar_bench",
        "note": "gold boxes",
    }  # fmt: skip
    assert {name: entry["questions"] for name, entry in listed.items() if entry["questions"] is not None} == {
        "docvqa": 5349, "hr-bench-4k": 800, "hr-bench-8k": 800, "infovqa": 2801, "mme-realworld": 23609,
        "mme-realworld-cn": 5917, "mme-realworld-lite": 1919, "treebench": 405, "visualprobe-easy": 141,
        "visualprobe-medium": 268, "visualprobe-hard": 106, "vstar": 191, "zoombench": 845,
    }  # fmt: skip


def turned_picture(path: Path, orientation: int, stored: tuple[int, int] = (60, 40)) -> Path:
    """A JPEG whose stored pixels are grey but for a black rectangle at (10, 5) to (20, 15)."""
    image = Image.new("RGB", stored, "grey")
    image.paste("black", (10, 5, 20, 15))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=95, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_gold_boxes_are_turned_with_their_image(tmp_path: Path, orientation: int) -> None:
    path = turned_picture(tmp_path / "test/images/a.jpg", orientation)
    line = {"file_name": "images/a.jpg", "question": "?", "options": "A. x\nB. y", "answer": "A",
            "target_layouts": [1], "layout_infos": {"1": {"bbox": [10, 5, 20, 15]}}}  # fmt: skip
    files.write_jsonl(tmp_path / "test/metadata.jsonl", [line])
    (item,) = load_dataset("o3-bench", tmp_path)
    upright = ImageOps.exif_transpose(Image.open(path)).convert("L")
    black = np.argwhere(np.asarray(upright) < 60)
    (top, left), (bottom, right) = black.min(axis=0), black.max(axis=0) + 1
    assert item.boxes == (Box(int(left), int(top), int(right), int(bottom)),)


def test_boxes_that_fit_the_upright_image_alone_stay(tmp_path: Path) -> None:
    image = SourceImage(turned_picture(tmp_path / "a.jpg", 6))  # 40 x 60 upright
    assert gold_boxes([[1, 50, 30, 58]], image) == (Box(1, 50, 30, 58),)


def test_gold_boxes_in_other_spaces_are_refused(tmp_path: Path) -> None:
    annotation = {"question": "?", "options": ["x", "y"], "bbox": [[0.1, 0.2, 0.3, 0.25]]}
    for category in ("direct_attributes", "relative_position"):
        files.save_picture(tmp_path / f"v/{category}/1.jpg")
        files.write_json(tmp_path / f"v/{category}/1.json", annotation)
    with pytest.raises(DatasetError, match="between 0 and 1, so that it is a share"):
        load_dataset("vstar", tmp_path / "v")

    def write(boxes: list[list[int]]) -> Path:
        rows = []
        for number, box in enumerate(boxes):
            picture = tmp_path / f"{number}.png"
            Image.new("1", (1600, 2400)).save(picture)
            rows.append({"image": picture.name, "question": "?", "answer": "x", "boxes": [box]})
        return files.write_jsonl(tmp_path / "q.jsonl", rows)

    within = [[10 * number, 20, 10 * number + 50, 90] for number in range(12)]
    with pytest.raises(DatasetError, match="12 images of 1500 pixels and more, every gold box lies within 0 to 1000"):
        load_dataset("jsonl", write(within))
    assert len(load_dataset("jsonl", write([*within[:11], [1200, 40, 1300, 80]]))) == 12
    assert len(load_dataset("jsonl", write(within[:11]))) == 11  # too few to tell
