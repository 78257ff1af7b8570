"""HR-Bench read back, and with it tables that hold their pictures: TSV and Parquet."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import eval_files as files
import numpy as np
import pytest

from hart_agent.errors import DatasetError, ImageError, InstallError
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.items import EmbeddedImage
from hart_agent.vision.geometry import Size

Write = Callable[[Path, list[files.Row]], Path]

tables = pytest.mark.parametrize("write", [files.tsv, files.parquet])


@tables
@pytest.mark.parametrize("resolution", ["4k", "8k"])
def test_hr_bench(tmp_path: Path, write: Write, resolution: str) -> None:
    write(tmp_path / f"hr_bench_{resolution}", files.hr_bench_rows())
    bus, street, bus_again, street_again = load_dataset(f"hr-bench-{resolution}", tmp_path)
    assert (bus.id, bus.question, bus.category) == ("0", "What is the number on the bus?", "single")
    assert bus.options == ("12", "15", "72", "75")
    assert bus.answer == "B"
    assert bus_again.options == ("15", "72", "75", "12")
    assert bus_again.answer == "A"
    assert street.question == 'Which street is\nnorth of "Main Street"?'
    assert street.category == "cross"
    assert bus.group == bus_again.group != street.group == street_again.group
    assert bus.image == bus_again.image != street.image
    for question, size in ((bus, Size(80, 40)), (street_again, Size(90, 50))):
        with question.open() as image:
            assert image.size == size


@tables
def test_embedded_pictures_are_read_byte_for_byte(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "hr_bench_4k", files.hr_bench_rows())
    images = [question.image for question in load_dataset("hr-bench-4k", path)]
    expected = [files.picture(80, 40, "red"), files.picture(90, 50, "blue")] * 2
    assert [image.read() for image in images if isinstance(image, EmbeddedImage)] == expected


def test_an_image_may_be_the_index_of_another_row(tmp_path: Path) -> None:
    rows = [dict(row) for row in files.hr_bench_rows()]
    rows[0]["image"] = "2"
    path = files.write_tsv(tmp_path / "hr_bench_4k.tsv", rows)
    first, _, third, _ = load_dataset("hr-bench-4k", path)
    assert first.image == third.image
    rows[0]["image"] = "9"
    with pytest.raises(DatasetError, match="row 1: the image '9' is neither a picture nor the index of a row"):
        load_dataset("hr-bench-4k", files.write_tsv(path, rows))


@pytest.mark.long
def test_pictures_are_not_kept_in_memory(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(33, 127, 2**20, dtype=np.uint8).tobytes().decode().replace('"', "x")
    row = dict(files.hr_bench_rows()[0])
    path = files.write_tsv(tmp_path / "hr_bench_8k.tsv", [row | {"index": n, "image": noise} for n in range(40)])
    tracemalloc.start()
    items = load_dataset("hr-bench-8k", path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(items) == 40
    assert path.stat().st_size > 40e6
    assert peak < 12e6


@tables
def test_a_row_without_a_picture_is_reported_before_anything_runs(tmp_path: Path, write: Write) -> None:
    rows = [dict(row) for row in files.hr_bench_rows()]
    rows[1]["image"] = ""
    with pytest.raises(DatasetError, match=r"1 rows hold no picture: .*row 2"):
        load_dataset("hr-bench-4k", write(tmp_path / "hr_bench_4k", rows))


def test_damaged_tables_are_refused(tmp_path: Path) -> None:
    path = files.write_tsv(tmp_path / "hr_bench_4k.tsv", files.hr_bench_rows())
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"cross")])
    with pytest.raises(DatasetError, match=r"row 4: \d columns, expected 10: is the file complete"):
        load_dataset("hr-bench-4k", path)
    path.write_bytes(whole.replace(b"cycle_category", b"cycle"))
    with pytest.raises(DatasetError, match="has no column cycle_category; it has index, question"):
        load_dataset("hr-bench-4k", path)
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match="has no column"):
        load_dataset("hr-bench-4k", path)
    path.write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(DatasetError, match="can't be read as a table"):
        load_dataset("hr-bench-4k", path)
    other = tmp_path / "hr_bench_4k.parquet"
    other.write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="can't be read as a table"):
        load_dataset("hr-bench-4k", other)


def test_a_damaged_picture_is_an_image_error_that_names_the_row(tmp_path: Path) -> None:
    rows = [dict(row) for row in files.hr_bench_rows()]
    rows[0]["image"] = "*" * 100
    rows[1]["image"] = "QUJD" * 30
    first, second, third, _ = load_dataset("hr-bench-4k", files.write_tsv(tmp_path / "hr_bench_4k.tsv", rows))
    for damaged, row in ((first, 1), (second, 2)):
        with pytest.raises(ImageError, match=f"row {row}.* image that can be read"):
            damaged.open()
    third.open().close()


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.write_parquet(tmp_path / "hr_bench_4k.parquet", files.hr_bench_rows())
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(InstallError, match=r"-m pip install .*\[eval\]"):
        load_dataset("hr-bench-4k", path)


def test_an_option_may_say_none(tmp_path: Path) -> None:
    row = dict(files.treebench_rows()[0]) | {"A": "red", "B": "blue", "C": "None", "D": "", "E": "", "F": ""}
    absent = row | {"index": 1, "D": "None"}  # how a table may mark cells that are empty
    one, two = load_dataset("treebench", files.write_tsv(tmp_path / "TreeBench.tsv", [row, absent]))
    assert one.options == ("red", "blue", "None")
    assert two.options == ("red", "blue")
