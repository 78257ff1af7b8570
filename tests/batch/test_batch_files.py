"""Batches on disk: questions in every format, mistakes named by their line, results whole and each id once."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from batch_runs import by_id, read
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.batch.reading import BatchInput
from hart_agent.batch.results import ResultFile
from hart_agent.errors import ConfigError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1).filter(str.strip)


def _is_relative_path(text: str) -> bool:
    return not text.startswith(("~", "/")) and ":" not in text


ROWS = st.lists(
    st.fixed_dictionaries({"id": TEXT, "image": TEXT.filter(_is_relative_path), "question": TEXT, "note": TEXT}),
    min_size=1, max_size=5, unique_by=lambda row: row["id"],
)  # fmt: skip


def rows(path: Path, *arguments: Any, **options: Any) -> list[tuple[str, str, str, dict[str, Any]]]:
    found = BatchInput(str(path), *arguments, **options)
    listed = [(row.item.id, str(row.item.image), row.item.question, row.extra) for row in found]
    assert len(listed) == found.count
    return listed


@given(ROWS)
def test_the_same_questions_in_every_format(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("in")
    expected = [(r["id"], str(folder / r["image"]), r["question"], {"note": r["note"]}) for r in records]
    lines = folder / "in.jsonl"
    lines.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n\n" for record in records), encoding="utf-8")
    with (folder / "in.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), folder / "in.parquet")
    assert rows(lines) == expected
    assert rows(folder / "in.csv") == expected
    assert rows(folder / "in.parquet") == expected


def test_ids_that_are_not_given_stay_when_lines_move(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    records = [{"image": f"{index}.png", "question": "what?"} for index in range(3)]
    path.write_text("\n".join(map(json.dumps, records)))
    first = {image: identity for identity, image, *_ in rows(path)}
    path.write_text("\n".join(map(json.dumps, [{"image": "new.png", "question": "what?"}, *reversed(records)])))
    assert first.items() < {image: identity for identity, image, *_ in rows(path)}.items()
    assert len(set(first.values())) == 3
    path.write_text("\n".join(json.dumps({**record, "question": "why?"}) for record in records))
    assert not set(first.values()) & {identity for identity, *_ in rows(path)}


def test_one_question_about_many_images(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg", "deep/c.jpg", "d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = rows(tmp_path / "**/*.jpg", "what is it?")
    assert [(image, question) for _, image, question, _ in found] == [
        (str(tmp_path / name), "what is it?") for name in ("a.jpg", "b.jpg", "deep/c.jpg")
    ]
    with pytest.raises(ConfigError, match="no file fits"):
        BatchInput(str(tmp_path / "*.png"), "what is it?")
    with pytest.raises(ConfigError, match="--question"):
        BatchInput(str(tmp_path / "*.jpg"))


def test_a_question_for_rows_without_one(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("image,question\na.png,\nb.png,why?\n")
    assert [question for _, _, question, _ in rows(path, "what?")] == ["what?", "why?"]


def test_parquet_has_values_that_json_has_not(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    record = {"image": "a.png", "question": "what?", "id": 7, "score": float("nan"), "raw": b"\xff", "box": [1, 2]}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([record]), path)
    ((identity, _, _, extra),) = rows(path)
    assert identity == "7"
    assert extra == {"score": None, "raw": None, "box": [1, 2]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"image": "a", "question": "q"}\n{"image": ', "line 2: no JSON"),
        ("a.jsonl", '{"image": "a", "question": "q"}\n[1]', "line 2: expected an object"),
        ("a.jsonl", '{"image": "a", "question": "q"}\n\n{"image": "a"}', "line 3: question: expected a text"),
        ("a.jsonl", '{"image": "", "question": "q"}', "line 1: image: expected a text"),
        ("a.jsonl", '{"image": 3, "question": "q"}', "line 1: image: expected a text, got '3'"),
        ("a.jsonl", '{"id": 1, "image": "a", "question": "q"}\n{"id": "1", "image": "b", "question": "q"}',
         "line 2: the id '1' is that of .*line 1"),
        ("a.jsonl", '{"image": "a", "question": "q"}\n{"image": "a", "question": "q"}', "only once"),
        ("a.jsonl", "", "nothing to ask"),
        ("a.jsonl", '{"image": "https://x.org/a.jpg", "question": "q"}', "line 1: .*--allow-download"),
        ("a.jsonl", b"\xff\xfe", "can't be read"),
        ("a.jsonl", "[" * 200_000, "line 1: no JSON .nested too deeply"),
        ("a.jsonl", '{"n": ' + "9" * 5000 + "}", "line 1: no JSON .a number with too many digits"),
        ("a.csv", "image,question\na,b,c\n", "line 2: not as many columns"),
        ("a.csv", "image,question\na\n", "line 2: not as many columns"),
        ("a.csv", "picture,question\na,b\n", "line 2: image"),
        ("a.csv", 'image,question\na,"b\n', "can't be read"),
        ("a.parquet", "no parquet", "can't be read"),
        ("a.csv", "image;question\na;b\n", "line 2: image: expected a text, there is none, only image;question"),
        ("a.csv", "image,image,question\na,b,c\n", "two columns are called 'image'"),
        ("a.csv", "image,question\na,größe\n".encode("latin-1"), "not in UTF-8 .*Save it as UTF-8"),
        ("a.jsonl", '{"image": "a", "question": "q"}\n'.encode("utf-16"), "not in UTF-8 .*Save it as UTF-8"),
        ("a.jsonl", '{\n"image": "a"}', "line 1: no JSON .*Each line is a JSON object"),
        ("a.jsonl", '{"image": "a", "question": "q", "x": ' + "[" * 600 + "]" * 600 + "}", "line 1: it is nested too"),
        ("missing.jsonl", None, "can't be read: No such file"),
    ],
)  # fmt: skip
def test_mistakes_are_named_before_anything_is_asked(
    tmp_path: Path, name: str, content: str | bytes | None, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError, match=said):
        BatchInput(str(path))


def test_a_long_id_that_is_there_twice_is_not_quoted_whole(tmp_path: Path) -> None:
    row = json.dumps({"id": "x" * 100_000, "image": "a", "question": "q"})
    (tmp_path / "a.jsonl").write_text(f"{row}\n{row}\n")
    with pytest.raises(ConfigError, match="line 2: the id") as refused:
        BatchInput(str(tmp_path / "a.jsonl"))
    assert len(str(refused.value)) < 1000


def test_numbers_that_are_none_do_not_reach_the_results(tmp_path: Path) -> None:
    """Python's JSON reads and writes NaN and Infinity, which no other program reads."""
    (tmp_path / "a.jsonl").write_text('{"image": "a", "question": "q", "id": NaN, "x": [1e999, {"y": -Infinity}]}\n')
    (row,) = BatchInput(str(tmp_path / "a.jsonl"))
    assert row.extra == {"x": [None, {"y": None}]}
    assert len(row.item.id) == 16


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(ConfigError, match="no regular file"):
        BatchInput(str(tmp_path / "a.jsonl"))


LINES = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.text(max_size=3)), max_size=12)


def line(number: int, failed: bool, text: str) -> dict[str, Any]:
    return {"id": str(number), "error": {"type": "ImageError", "message": text}} if failed else {
        "id": str(number), "answer": text, "stop_reason": "answered"
    }  # fmt: skip


@given(st.lists(LINES, max_size=3), st.data())
def test_any_history_of_the_file_ends_with_the_last_line_of_each_id(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[tuple[int, bool, str]]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("out") / "out.jsonl"
    last: dict[str, dict[str, Any]] = {}
    for run in runs:
        with ResultFile(path) as file:
            assert {name: outcome.failed for name, outcome in file.outcomes.items()} == {
                name: "error" in known for name, known in last.items()
            }
            new = [line(*entry) for entry in run]
            split = data.draw(st.integers(0, len(new)))
            file.extend(new[:split])
            file.extend(new[split:])
        last |= {entry["id"]: entry for entry in new}
        torn = json.dumps(
            line(10, False, "x" * data.draw(st.sampled_from([1, 200_000]))), separators=(",", ":")
        ).encode()
        path.write_bytes(path.read_bytes() + torn[: data.draw(st.integers(0, len(torn)))])
    with ResultFile(path) as file:
        file.tidy()
        file.append(line(11, False, "after"))
    assert by_id(read(path)) == {**last, "11": line(11, False, "after")}
    assert {entry.name for entry in path.parent.iterdir()} <= {"out.jsonl", ".out.jsonl.lock"}


@pytest.mark.parametrize(
    "content",
    ["not JSON\n", "[1]\n", '{"no": "id"}\n', '{"id": [1]}\n', '{"id": "1", "stop_reason": "", "asked": 5}\n'],
)
def test_other_files_are_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match="line 1 is not a result"):
        ResultFile(path)
    assert path.read_text() == content
    with pytest.raises(ConfigError, match="line 1 is not a result"):  # the lock was given back
        ResultFile(path)


def test_what_is_tidied_keeps_its_permissions_and_touches_no_file_beside_it(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    out = tmp_path / "out.jsonl"
    out.touch(mode=0o600)
    (tmp_path / ".out.jsonl.tidy").symlink_to(notes)
    for count in range(2):
        with ResultFile(out) as file:
            file.append({"id": "1", "stop_reason": "answered", "count": count})
            file.tidy()
    assert [json.loads(line)["count"] for line in out.read_text().splitlines()] == [1]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert notes.read_text() == "mine"
