"""Published forms become questions of ours: a small file of each form, written as its publishers' own code reads it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hart_agent.evals.items import Item
from hart_agent.vision.geometry import Box
from rl.command_line import run_command
from rl.convert import convert
from rl.data import load_samples
from rl.data.published import FORMS


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (200, 100), (90 * seed, 20, 30)).save(file, "PNG")
    return file.getvalue()


def as_json(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(rows))
    return path


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'hart-agent[eval]'")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def talk(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]


ROWS: dict[str, tuple[Callable[[Path, list[dict[str, Any]]], Path], list[dict[str, Any]]]] = {
    "vstar-train": (as_json, [
        {"image": "0.png", "conversations": talk("What colour?", "red"),
         "target_instances": [{"name": "sign", "bbox": [10.2, 20, 30, 40.5]}]},
        {"image": "1.png", "conversations": talk("Which side?", "left"), "target_instances": []},
    ]),
    "treevgr-rl": (as_parquet, [
        {"problem": "<image>What colour?", "answer": "red", "images": ["0.png"],
         "target_instances": [{"name": "sign", "bbox": [10.2, 20.0, 40.2, 60.5]}]},
        {"problem": "Which side?", "answer": "left", "images": ["1.png"], "target_instances": []},
    ]),
    "deepeyes-47k": (as_parquet, [
        {"data_source": "vstar", "images": [{"bytes": picture(0)}], "reward_model": {"ground_truth": "red"},
         "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "<image>What colour?"}]},
        {"data_source": "vstar", "images": [{"bytes": picture(1)}], "reward_model": {"ground_truth": "left"},
         "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "<image>\nWhich side?"}]},
    ]),
    "virl39k": (as_parquet, [
        {"qid": "q-1", "question": "<image>What colour?", "answer": "\\boxed{red}", "image": ["0.png"],
         "category": "c"},
        {"qid": "q-2", "question": "Which side?", "answer": "\\boxed{left}", "image": ["1.png"], "category": "c"},
        {"qid": "q-3", "question": "<image><image>Same?", "answer": "\\boxed{no}", "image": ["0.png", "1.png"],
         "category": "c"},
        {"qid": "q-4", "question": "What is 1 + 1?", "answer": "\\boxed{2}", "image": [], "category": "c"},
    ]),
}  # fmt: skip


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.png").write_bytes(picture(number))
    return folder


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        run_command(convert, list(map(str, arguments)))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("form", ROWS)
def test_a_published_form_becomes_questions(
    published: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write, rows = ROWS[form]
    source = write(published / f"published.{'json' if write is as_json else 'parquet'}", rows)
    out = tmp_path / "questions" / "train.jsonl"
    assert run(form, source, "--out", out) == 0
    first, second = load_samples(out)
    assert [(each.question, each.answer) for each in (first, second)] == [
        ("What colour?", "red"), ("Which side?", "left")
    ]  # fmt: skip
    assert [pixels(each) for each in (first, second)] == [pixels(published / f"{number}.png") for number in range(2)]
    # x, y, width and height, or two corners: the smallest box in whole pixels that covers them
    assert first.boxes == ((Box(10, 20, 41, 61),) if "target_instances" in rows[0] else ())
    told = capsys.readouterr().out
    assert f"{len(rows) - 2} not usable" in told


def pixels(image: Item | Path) -> bytes:
    with Image.open(image.image if isinstance(image, Item) else image) as opened:  # type: ignore[arg-type]
        return opened.convert("RGB").tobytes()


def test_every_form_has_a_case() -> None:
    assert ROWS.keys() == FORMS.keys()


def test_images_of_a_benchmark_are_left_out_whatever_they_are_called(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = as_json(published / "published.json", ROWS["vstar-train"][1])
    benchmark = tmp_path / "benchmark.jsonl"
    (tmp_path / "renamed.png").write_bytes(picture(1))
    benchmark.write_text(json.dumps({"image": "renamed.png", "question": "q", "answer": "a"}) + "\n")
    out = tmp_path / "train.jsonl"
    assert run("vstar-train", source, "--out", out, "--apart-from", f"jsonl={benchmark}") == 0
    assert [each.question for each in load_samples(out)] == ["What colour?"]
    assert "1 left out for their images" in capsys.readouterr().out


def test_a_benchmark_becomes_questions_with_its_options(tmp_path: Path) -> None:
    row = {"image": "0.png", "question": "q", "answer": "B", "options": ["red", "blue"], "boxes": [[1, 2, 30, 40]]}
    (tmp_path / "0.png").write_bytes(picture(0))
    (tmp_path / "benchmark.jsonl").write_text(json.dumps(row) + "\n")
    out = tmp_path / "other" / "train.jsonl"
    assert run("jsonl", tmp_path / "benchmark.jsonl", "--out", out) == 0
    (sample,) = load_samples(out)
    assert (sample.answer, sample.options, sample.boxes) == ("B", ("red", "blue"), (Box(1, 2, 30, 40),))


@pytest.mark.parametrize("data", [b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(900), b"\x89PNG\r\n\x1a\n" + bytes(900)])
def test_a_damaged_picture_in_a_table_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    header = ("index", "question", "A", "B", "answer", "image", "category", "cycle_category")
    row = ("0", "what?", "red", "blue", "A", base64.b64encode(data).decode(), "single", "single")
    (tmp_path / "hr_bench_4k.tsv").write_text("\t".join(header) + "\n" + "\t".join(row) + "\n")
    assert run("hr-bench-4k", tmp_path / "hr_bench_4k.tsv", "--out", tmp_path / "train.jsonl") == 2
    assert "hr_bench_4k.tsv, row 1" in capsys.readouterr().err


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "0.png").write_bytes(picture(0))
    source, out = tmp_path / "benchmark.jsonl", tmp_path / "mine.jsonl"
    source.write_text(json.dumps({"image": "0.png", "question": "q", "answer": "a"}) + "\n")
    out.write_text("written by hand\n")
    assert run("jsonl", source, "--out", out) == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "written by hand\n"
    assert run("jsonl", source, "--out", source, "--force") == 2, "a file that is read"
    assert run("jsonl", source, "--out", out, "--force") == 0
    assert [each.question for each in load_samples(out)] == ["q"]


@pytest.mark.parametrize(
    ("rows", "more", "words"),
    [
        ([{"image": "0.png"}], (), "row 1: expected a question in conversations.0.value"),
        ([{"image": "9.png", "conversations": talk("q", "a")}], (), "9.png"),
        ([{"image": "0.png", "conversations": talk("q", "a")}], ("--apart-from", "vstar"), "vstar=/data"),
    ],
)
def test_mistakes_are_told(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: Any, more: Any, words: str
) -> None:
    source = as_json(published / "published.json", rows)
    assert run("vstar-train", source, "--out", tmp_path / "train.jsonl", *more) == 2
    assert words in capsys.readouterr().err
