"""The tables of the real photos and of the questions about them are well-formed.

``collect`` (not run here) fetches what ``sources.tsv`` names; ``tests/benchmarks/real_photos.py`` measures the reader.
"""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

COLUMNS = ["photo", "kind", "package", "version", "path", "sha256", "licence", "half"]
with (Path(__file__).parent / "sources.tsv").open(encoding="utf-8", newline="") as table:
    HEADER, *ROWS = csv.reader(table, delimiter="\t", quoting=csv.QUOTE_NONE)
PHOTOS = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


def test_each_row_names_a_photo_a_package_and_a_hash() -> None:
    assert HEADER == COLUMNS
    for photo in PHOTOS:
        assert all(photo.values()), photo
        assert re.fullmatch(r"\d{3}_[a-z0-9._-]+\.(jpe?g|png|webp)", photo["photo"]), photo
        assert photo["kind"] in {"pypi", "npm", "debian", "debian-source"}, photo
        assert re.fullmatch(r"[0-9a-f]{64}", photo["sha256"]), photo


def test_no_photo_is_there_twice() -> None:
    for column in ("photo", "sha256"):
        assert [value for value, times in Counter(photo[column] for photo in PHOTOS).items() if times > 1] == []


def test_the_halves_are_large_enough_and_share_no_package() -> None:
    sizes = Counter(photo["half"] for photo in PHOTOS)
    assert set(sizes) == {"development", "held-out"}
    assert min(sizes.values()) >= 70
    packages = {half: {photo["package"] for photo in PHOTOS if photo["half"] == half} for half in sizes}
    assert packages["development"].isdisjoint(packages["held-out"])


@pytest.mark.parametrize("half", ["development", "held-out"])
def test_each_question_is_about_a_photo_of_its_half(half: str) -> None:
    path = Path(__file__).parent / f"{half}.tsv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    assert header == "id\tfile\tquestion\tanswers\tkind\trows"
    cells = [row.split("\t") for row in rows]
    assert {len(row) for row in cells} == {6}
    assert len({row[0] for row in cells}) == len(cells) > 200
    assert {row[1] for row in cells} <= {photo["photo"] for photo in PHOTOS if photo["half"] == half}
    assert all(answer.strip(" @") for row in cells for answer in row[3].split("|"))
    assert 0.25 < sum(row[3] == "-" for row in cells) / len(cells) < 0.45
