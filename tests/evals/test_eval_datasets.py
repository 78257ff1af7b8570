"""Benchmarks read back from files in their published formats; right values are written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import eval_files as files
import pytest

from hart_agent.answers import AnswerType
from hart_agent.errors import ConfigError, DatasetError
from hart_agent.evals.datasets import HUB_IDS, NAMES, load_dataset
from hart_agent.evals.items import Item
from hart_agent.vision.geometry import Box, Size

# V*Bench


def test_vstar_from_its_folders(tmp_path: Path) -> None:
    glove, dog = load_dataset("vstar", files.write_vstar(tmp_path))
    assert glove == Item(
        id="direct_attributes/sa_4690",
        image=tmp_path / "direct_attributes/sa_4690.jpg",
        question="What is the material of the glove?",
        answer="A",
        type=AnswerType.OPTION,
        options=("The glove is made of rubber.", "The glove is made of cotton.", "The glove is made of leather."),
        boxes=(Box(10, 12, 18, 18),),
        category="direct_attributes",
    )
    assert dog.boxes == (Box(0, 0, 20, 10), Box(40, 30, 64, 40))  # the second reaches beyond the 64 columns
    assert dog.category == "relative_position"


@pytest.mark.parametrize("path", ["", "test_questions.jsonl"])
def test_vstar_from_the_list_of_the_hub(tmp_path: Path, path: str) -> None:
    files.write_vstar_questions(tmp_path)
    glove, dog = load_dataset("vstar", tmp_path / path)
    assert glove.id == "direct_attributes/sa_4690"
    assert glove.question == "What is the material of the glove?"
    assert glove.options == ("cotton", "rubber", "leather", "kevlar")
    assert glove.answer == "B"
    assert glove.boxes == (Box(10, 12, 18, 18),)
    assert glove.image == tmp_path / "direct_attributes/sa_4690.jpg"
    assert dog.options == ("The dog is on the right side of the umbrella.", "The dog is on the left side.")
    assert dog.category == "relative_position"


def test_vstar_needs_both_folders(tmp_path: Path) -> None:
    files.write_vstar(tmp_path)
    (tmp_path / "relative_position/sa_717.json").unlink()
    with pytest.raises(DatasetError, match=r"expected relative_position/\*\.json"):
        load_dataset("vstar", tmp_path)


def test_a_list_of_vstar_with_a_wrong_label_names_the_line(tmp_path: Path) -> None:
    record = {"image": "x/a.jpg", "text": "Which?\n(A) red\n(B) blue", "label": "C"}
    files.save_picture(tmp_path / "x/a.jpg")
    path = files.write_jsonl(tmp_path / "test_questions.jsonl", [record])
    with pytest.raises(DatasetError, match="line 1: the answer 'C' is none of the options A, B"):
        load_dataset("vstar", path)
    files.write_jsonl(path, [record | {"text": "Which?\nred or blue"}])
    with pytest.raises(DatasetError, match="line 1: text: expected a question and options"):
        load_dataset("vstar", path)


# MME-RealWorld-Lite


def mme_json(folder: Path) -> Path:
    return files.write_mme(folder)


def mme_tsv(folder: Path) -> Path:
    files.write_tsv(folder / "mme_realworld_lite.tsv", files.mme_rows("image", repr(files.MME_CHOICES)))
    return folder


def mme_parquet(folder: Path) -> Path:
    (folder / "data").mkdir()
    files.write_parquet(folder / "data/train-00000-of-00001.parquet", files.mme_rows("bytes", files.MME_CHOICES))
    return folder


@pytest.mark.parametrize("write", [mme_json, mme_tsv, mme_parquet])
def test_mme_realworld_lite(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    (question,) = load_dataset("mme-realworld-lite", write(tmp_path))
    assert question.question == "What is the number of buses in the image?"
    assert question.options == ("13", "90", "It's 77", "6", "The image does not feature the buses")
    assert question.answer == "E"
    assert question.type is AnswerType.OPTION
    assert question.category == "Perception/Monitoring"
    assert question.id == ("perception/monitoring/Vehicle/counting/0310" if write is mme_json else "310")
    with question.open() as image:
        assert image.size == (Size(64, 48) if write is mme_json else Size(70, 30))


def test_mme_realworld_says_which_entry_is_wrong(tmp_path: Path) -> None:
    files.write_mme(tmp_path)
    path = tmp_path / "data/MME-RealWorld-Lite.json"
    (entry,) = files.mme_entries()
    files.write_json(path, [entry, {key: value for key, value in entry.items() if key != "Ground truth"}])
    with pytest.raises(DatasetError, match=r"Lite\.json, entry 2: 'Ground truth' is a required property"):
        load_dataset("mme-realworld-lite", path)
    files.write_json(path, [dict(entry) | {"Answer choices": ["red", "blue"]}])
    with pytest.raises(DatasetError, match="entry 1: expected options such as"):
        load_dataset("mme-realworld-lite", path)
    path.write_text('[\n{"Question_id": ,\n]')
    with pytest.raises(DatasetError, match="line 2: no JSON"):
        load_dataset("mme-realworld-lite", path)


@pytest.mark.parametrize("form", ["json", "list", "lines"])
def test_options_of_mme_realworld_that_take_two_lines_or_have_a_letter_twice(tmp_path: Path, form: str) -> None:
    """Both are in the published files."""
    turns = ["(A) Straight on.", "(B) To the right.", "(C) Not at all.", "(D) None of these", "(E) All are wrong."]
    twice = [*turns[:3], "(D) To the left.", *turns[3:]]
    broken = [turns[0], "(B) Not\r\n at once, says the sign", *turns[2:]]
    if form == "json":
        files.save_picture(tmp_path / "a.png")
        entry = dict(files.mme_entries()[0]) | {"Image": "a.png"}
        entries = [entry | {"Question_id": str(at), "Answer choices": each} for at, each in enumerate((twice, broken))]
        path = files.write_json(tmp_path / "MME-RealWorld-Lite.json", entries)
    else:
        text = repr if form == "list" else lambda each: "The choices are listed below:\n" + "\n".join(each)
        rows = [dict(files.mme_rows("image", text(each))[0]) | {"index": at} for at, each in enumerate((twice, broken))]
        path = files.write_tsv(tmp_path / "mme_realworld_lite.tsv", rows)
    first, second = load_dataset("mme-realworld-lite", path)
    left = "To the left.\n(D) None of these"
    assert first.options == ("Straight on.", "To the right.", "Not at all.", left, "All are wrong.")
    assert first.answer == "E"
    assert second.options[1] == "Not\r\n at once, says the sign"
    shown = [f"({letter}) {option}" for letter, option in zip("ABCDE", first.options, strict=True)]
    assert "\n".join(shown) == "\n".join(twice)  # letter by letter as they are published


def test_an_id_that_is_used_twice_is_made_unique(tmp_path: Path) -> None:
    files.write_mme(tmp_path)
    files.write_json(tmp_path / "data/MME-RealWorld-Lite.json", files.mme_entries() * 3)
    ids = [
        question.id.removeprefix("perception/monitoring/Vehicle/counting/")
        for question in load_dataset("mme-realworld-lite", tmp_path)
    ]
    assert ids == ["0310", "0310 (2)", "0310 (3)"]


# Visual CoT


def test_visual_cot_benchmark(tmp_path: Path) -> None:
    files.write_visual_cot(tmp_path)
    dealer, turned, nowhere, window = load_dataset("visual-cot", tmp_path)
    assert dealer == Item(
        id="docvqa/0",
        image=tmp_path / "cot/docvqa/a.png",
        question="Who is the dealer ?",
        answer="A. C. Monk",
        type=AnswerType.TEXT,
        boxes=(Box(10, 20, 60, 30),),
        category="docvqa",
    )
    assert turned.boxes == (Box(40, 70, 60, 90),)  # published with its corners swapped
    assert nowhere.boxes == ()  # published outside its image
    assert (window.id, window.category) == ("gqa/7", "gqa")
    assert window.boxes == (Box(30, 10, 50, 40),)  # published one pixel beyond its image


def test_visual_cot_from_one_file(tmp_path: Path) -> None:
    files.write_visual_cot(tmp_path)
    (window,) = load_dataset("visual-cot", tmp_path / "viscot_benchmark/benchmark/gqa.json")
    assert window.answer == "window"
    assert window.image == tmp_path / "cot/gqa/b.png"


def test_visual_cot_metadata(tmp_path: Path) -> None:
    (brand,) = load_dataset("visual-cot", files.write_visual_cot_metadata(tmp_path))
    assert brand.id == "textcap_cot_train/1"
    assert brand.image == tmp_path / "cot/textvqa/c.png"
    assert (brand.question, brand.answer, brand.category) == ("What brand is it?", "LANCOME", "textcap")
    assert brand.boxes == (Box(10, 20, 30, 41), Box(50, 60, 70, 80))


@pytest.mark.parametrize("region", ["cot/gqa/b.png", "cot/gqa/b.png###[1, 2, 3]", "cot/gqa/b.png###[1, 2, 3, x]"])
def test_visual_cot_refuses_other_regions(tmp_path: Path, region: str) -> None:
    files.write_visual_cot(tmp_path)
    path = tmp_path / "viscot_benchmark/benchmark/gqa.json"
    (entry,) = json.loads(path.read_text())
    files.write_json(path, [entry | {"image": ["cot/gqa/b.png", region]}])
    with pytest.raises(DatasetError, match="entry 1: image: expected a second path"):
        load_dataset("visual-cot", path)


# All of them


def test_missing_images_are_reported_together(tmp_path: Path) -> None:
    records = [{"image": f"{n}.png", "question": "What?", "answer": "x"} for n in range(8)]
    files.save_picture(tmp_path / "3.png")
    with pytest.raises(DatasetError, match=r"own\.jsonl: 7 images are missing: ") as failure:
        load_dataset("jsonl", files.write_jsonl(tmp_path / "own.jsonl", records))
    assert re.findall(r"(\d)\.png", str(failure.value)) == ["0", "1", "2", "4", "5"]
    files.write_visual_cot(tmp_path)
    (tmp_path / "cot/gqa/b.png").unlink()
    with pytest.raises(DatasetError, match=r"gqa\.json: 1 image is missing: .*cot/gqa/b\.png\. Get all"):
        load_dataset("visual-cot", tmp_path)
    files.write_vstar(tmp_path / "vstar")
    (tmp_path / "vstar/direct_attributes/sa_4690.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 image is missing: .*direct_attributes/sa_4690\.jpg"):
        load_dataset("vstar", tmp_path / "vstar")


@pytest.mark.parametrize("name", NAMES)
def test_a_path_without_the_benchmark_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=rf"no such file or folder. Give the path of {name}'s files"):
        load_dataset(name, tmp_path / "nowhere")
    with pytest.raises(DatasetError):
        load_dataset(name, tmp_path)


def test_names_and_where_they_are_published(tmp_path: Path) -> None:
    assert set(HUB_IDS) == set(NAMES) - {"jsonl", "visual-cot"}
    with pytest.raises(ConfigError, match=r"there is no benchmark 'mmbench'; choose one of: hr-bench-4k, hr-bench-8k"):
        load_dataset("mmbench", tmp_path)
    empty = tmp_path / "own.jsonl"
    empty.touch()
    with pytest.raises(DatasetError, match="holds no questions"):
        load_dataset("jsonl", empty)
