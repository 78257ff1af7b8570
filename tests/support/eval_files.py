"""Small benchmarks in the formats in which the real ones are published; every picture is drawn here."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Row = Mapping[str, Any]

REQUEST = " Please provide the bounding box coordinate of the region that can help you answer the question better."


def picture(width: int = 64, height: int = 48, colour: str = "white") -> bytes:
    """An image file (PNG) of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


def base64_picture(width: int = 64, height: int = 48, colour: str = "white") -> str:
    return base64.b64encode(picture(width, height, colour)).decode()


def save_picture(path: Path, width: int = 64, height: int = 48, colour: str = "white") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(width, height, colour))
    return path


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=4), encoding="utf-8")
    return path


def write_jsonl(path: Path, records: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def write_tsv(path: Path, rows: Iterable[Row]) -> Path:
    """As pandas writes it: quoted where needed, so that a question may have several lines."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_parquet(path: Path, rows: Iterable[Row], row_group_size: int = 2) -> Path:
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path, row_group_size=row_group_size)
    return path


def tsv(path: Path, rows: list[Row]) -> Path:
    """A table at a path without its ending."""
    return write_tsv(path.with_suffix(".tsv"), rows)


def parquet(path: Path, rows: list[Row]) -> Path:
    """The same table in the other format."""
    return write_parquet(path.with_suffix(".parquet"), rows)


def write_vstar(folder: Path) -> Path:
    """V*Bench: a folder for each category, in it images and JSON files of the same names; the right option is first."""
    annotations = {
        "direct_attributes/sa_4690": {
            "target_object": ["glove"],
            "bbox": [[10, 12, 8, 6]],
            "question": "What is the material of the glove?",
            "options": [
                "The glove is made of rubber.",
                "The glove is made of cotton.",
                "The glove is made of leather.",
            ],
        },
        "relative_position/sa_717": {
            "target_object": ["dog", "umbrella"],
            "bbox": [[0, 0, 20, 10], [40, 30, 30, 10]],
            "question": "Is the dog on the left or right side of the umbrella?",
            "options": [
                "The dog is on the left side of the umbrella.",
                "The dog is on the right side of the umbrella.",
            ],
        },
    }
    for name, annotation in annotations.items():
        save_picture(folder / f"{name}.jpg")
        write_json(folder / f"{name}.json", annotation)
    return folder


def write_vstar_questions(folder: Path) -> Path:
    """The list of questions in the hub's copy of V*Bench, which has the folders, too."""
    write_vstar(folder)
    glove = "What is the material of the glove?\n(A) cotton\n(B) rubber\n(C) leather\n(D) kevlar"
    instruction = "\nAnswer with the option's letter from the given choices directly."
    return write_jsonl(
        folder / "test_questions.jsonl",
        [
            {
                "image": "direct_attributes/sa_4690.jpg",
                "text": f"{glove}{instruction}",
                "category": "direct_attributes",
                "question_id": "0",
                "label": "B",
            },
            {
                "image": "relative_position/sa_717.jpg",
                "text": "Is the dog on the left or right side of the umbrella?\n"
                f"(A) The dog is on the right side of the umbrella.\n(B) The dog is on the left side.{instruction}",
                "category": "relative_position",
                "question_id": "1",
                "label": "B",
            },
        ],
    )


def hr_bench_rows() -> list[Row]:
    """Two questions of HR-Bench, each with its four options in two of their four orders."""
    bus, map_ = base64_picture(80, 40, "red"), base64_picture(90, 50, "blue")
    questions = [
        ("What is the number on the bus?", "single", bus, ["12", "15", "72", "75"]),
        ('Which street is\nnorth of "Main Street"?', "cross", map_, ["Oak", "Elm", "Pine", "Ash"]),
    ]
    rows = []
    for cycle in range(2):
        for question, category, image, options in questions:
            turned = options[cycle:] + options[:cycle]
            rows.append(
                {
                    "index": len(rows),
                    "question": question,
                    "answer": "ABCD"[turned.index(options[1])],
                    **dict(zip("ABCD", turned, strict=True)),
                    "category": category,
                    "cycle_category": cycle,
                    "image": image,
                }
            )
    return rows


MME_CHOICES = ["(A) 13", "(B) 90", "(C) It's 77", "(D) 6", "(E) The image does not feature the buses"]


def mme_entries() -> list[Row]:
    """MME-RealWorld-Lite's JSON."""
    return [
        {
            "Question_id": "perception/monitoring/Vehicle/counting/0310",
            "Image": "9999998_00382_d_0000334.png",
            "Text": "What is the number of buses in the image?",
            "Question type": "Multiple Choice",
            "Answer choices": MME_CHOICES,
            "Ground truth": "E",
            "Category": "Vehicle/counting",
            "Subtask": "Monitoring",
            "Task": "Perception",
        }
    ]


def write_mme(folder: Path) -> Path:
    """MME-RealWorld-Lite as its archive unpacks."""
    save_picture(folder / "data/imgs/9999998_00382_d_0000334.png")
    write_json(folder / "data/MME-RealWorld-Lite.json", mme_entries())
    return folder


def mme_rows(image: str, choices: Any) -> list[Row]:
    """MME-RealWorld-Lite's table, with the name of the column of pictures and the options as that table has them."""
    return [
        {
            "index": 310,
            image: base64_picture(70, 30),
            "question": "What is the number of buses in the image?",
            "multi-choice options": choices,
            "answer": "E",
            "category": "Perception/Monitoring",
            "l2-category": "Vehicle/counting",
        }
    ]


def treebench_rows() -> list[Row]:
    """TreeBench's table: two questions with two and six options."""
    return [
        {
            "index": 0,
            "image": base64_picture(200, 100),
            "question": "What is the colour of the kite?",
            "multi-choice options": "A. red\nB. blue",
            "A": "red",
            "B": "blue",
            "C": "",
            "D": "",
            "E": "",
            "F": "",
            "answer": "B",
            "category": "Perception/Attributes",
            "l2-category": "Perception/Attributes",
            "target_instances": "[[10, 20, 60, 70]]",
        },
        {
            "index": 7,
            "image": base64_picture(200, 100),
            "question": "Who is taller?",
            "multi-choice options": "A. Ann\nB. Bob\nC. Cem\nD. Dia\nE. Eve\nF. None",
            **dict(zip("ABCDEF", ["Ann", "Bob", "Cem", "Dia", "Eve", "None"], strict=True)),
            "answer": "F",
            "category": "Reasoning/Comparison",
            "l2-category": "Reasoning/Comparison",
            "target_instances": "[[0, 0, 50, 100], [150, 40, 200, 100]]",
        },
    ]


def visual_cot_entry(dataset: str, question_id: int, image: str, box: str, question: str, answer: str) -> Row:
    """An entry of Visual CoT's benchmark; the box in the conversation is on a square canvas and isn't read."""
    return {
        "dataset": dataset,
        "split": "val",
        "question_id": question_id,
        "image": [image, f"{image}###{box}"],
        "conversations": [
            {"from": "human", "value": f"<image>\n{question}{REQUEST}"},
            {"from": "gpt", "value": "[0.282, 0.316, 0.794, 0.738]"},
            {"from": "human", "value": "<image>"},
            {"from": "gpt", "value": answer},
        ],
    }


def write_visual_cot(folder: Path) -> Path:
    """Two sub-datasets of Visual CoT's benchmark and their images."""
    save_picture(folder / "cot/docvqa/a.png", 100, 200)
    save_picture(folder / "cot/gqa/b.png", 50, 40)
    write_json(
        folder / "viscot_benchmark/benchmark/docvqa.json",
        [
            visual_cot_entry("docvqa", 0, "cot/docvqa/a.png", "[10, 20, 60, 30]", "Who is the dealer ?", "A. C. Monk"),
            visual_cot_entry("docvqa", 4, "cot/docvqa/a.png", "[60, 90, 40, 70]", "What is turned?", "this"),
            visual_cot_entry("docvqa", 9, "cot/docvqa/a.png", "[400, 20, 500, 30]", "Where is it?", "nowhere"),
        ],
    )
    write_json(
        folder / "viscot_benchmark/benchmark/gqa.json",
        [visual_cot_entry("gqa", 7, "cot/gqa/b.png", "[30, 10, 51, 41]", "What is behind it?", "window")],
    )
    return folder


def write_visual_cot_metadata(folder: Path) -> Path:
    """Visual CoT's metadata on two sub-datasets; those of textcap are on the photographs of textvqa."""
    save_picture(folder / "cot/textvqa/c.png", 100, 80)
    return write_jsonl(
        folder / "textcap_cot_train.jsonl",
        [
            {
                "question": "What brand is it?",
                "answer": "LANCOME",
                "image": "c.png",
                "width": 100,
                "height": 80,
                "bboxs": [[10.5, 20.25, 30.0, 40.75], [50, 60, 70, 90]],
                "dataset": "textcap",
                "split": "train",
            }
        ],
    )
