"""What training reads: questions in three formats, two disjoint parts, the filter of blind answers, and the rewards."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import answer, tool_call
from PIL import Image

from hart_agent import Agent, ConfigError, ImageError, Mode, Trajectory
from hart_agent.agent.config import EpisodeConfig
from hart_agent.answers import AnswerType
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.errors import DatasetError
from hart_agent.evals.items import Item
from hart_agent.vision.geometry import Box
from rl.data import check_disjoint, fingerprint, load_samples, split, stage_part
from rl.local.blind import find_blind, read_blind, write_blind
from rl.rewards import AreaGuard, TightnessBonus, answer_reward, reward_parts
from rl.rewards.custom import load_reward

ROWS: list[dict[str, Any]] = [
    {"id": "a", "question": "What does it say?", "answer": "STOP", "boxes": [[1, 2, 9, 12]], "alternatives": ["HALT"]},
    {"id": "b", "question": "Which colour?", "answer": "B", "options": ["red", "blue"], "category": "colour"},
    {"id": "c", "question": "How many?", "answer": "about 12 people", "type": "number", "tolerance": 0.1},
    {"id": "d", "question": "Which shops?", "answer": "baker, butcher", "type": "list"},
]


def picture(path: Path, seed: int) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [picture(tmp_path / f"{number}.png", number) for number in range(len(ROWS))]


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def with_paths(photos: Sequence[Path]) -> list[dict[str, Any]]:
    return [{**row, "image": photo.name} for row, photo in zip(ROWS, photos, strict=True)]


def with_pictures(photos: Sequence[Path]) -> list[dict[str, Any]]:
    return [
        {**row, "image": {"bytes": photo.read_bytes(), "path": None}} for row, photo in zip(ROWS, photos, strict=True)
    ]


def write_parquet(path: Path, rows: list[dict[str, Any]], group: int = 3) -> Path:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=group)
    return path


def write_saved(path: Path, photos: Sequence[Path]) -> Path:
    import datasets

    rows = [{**row, "image": str(photo)} for row, photo in zip(ROWS, photos, strict=True)]
    names = sorted({name for row in rows for name in row})
    table = datasets.Dataset.from_dict({name: [row.get(name) for row in rows] for name in names})
    table.cast_column("image", datasets.Image()).save_to_disk(str(path))
    return path


def write_all(folder: Path, photos: list[Path]) -> dict[str, Path]:
    columns = sorted({name for row in with_paths(photos) for name in row})
    full = [
        [{name: row.get(name) for name in columns} for row in rows]
        for rows in (with_paths(photos), with_pictures(photos))
    ]
    return {
        "jsonl": write_jsonl(folder / "questions.jsonl", with_paths(photos)),
        "parquet of paths": write_parquet(folder / "paths.parquet", full[0]),
        "parquet of pictures": write_parquet(folder / "pictures.parquet", full[1]),
        "datasets": write_saved(folder / "saved", photos),
    }


def test_all_formats_hold_the_same(tmp_path: Path, photos: list[Path]) -> None:
    for name, path in write_all(tmp_path, photos).items():
        samples = load_samples(path)
        assert [sample.id for sample in samples] == ["a", "b", "c", "d"], name
        first, second, third, fourth = samples
        assert (first.type, first.answer, first.alternatives) == (AnswerType.TEXT, "STOP", ("HALT",))
        assert first.boxes == (Box(1, 2, 9, 12),)
        assert (second.type, second.answer, second.options) == (AnswerType.OPTION, "B", ("red", "blue"))
        assert (third.type, third.tolerance, second.category) == (AnswerType.NUMBER, 0.1, "colour")
        assert third.is_right("11 people")
        assert not third.is_right("10")
        assert fourth.is_right("butcher and baker")
        for sample, photo in zip(samples, photos, strict=True):
            with sample.open() as shown, Image.open(photo) as original:
                pixels = shown.render(shown.size.box, shown.size)
                assert np.array_equal(np.asarray(pixels), np.asarray(original)), name


def test_each_row_of_a_long_table_gives_its_own_picture(tmp_path: Path) -> None:
    rows = []
    for number in range(30):
        photo = picture(tmp_path / "photo.png", number)
        rows.append({"image": photo.read_bytes(), "question": "?", "answer": "x"})
    samples = load_samples(write_parquet(tmp_path / "long.parquet", rows, group=20))
    assert [sample.id for sample in samples] == [str(number) for number in range(1, 31)]
    for number in (0, 7, 8, 19, 20, 29):
        with samples[number].open() as shown:
            expected = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
            assert np.array_equal(np.asarray(shown.render(shown.size.box, shown.size)), expected)


def test_pictures_in_tables_are_read_when_they_are_needed(tmp_path: Path, photos: list[Path]) -> None:
    path = write_all(tmp_path, photos)["parquet of pictures"]
    last = load_samples(path)[-1]
    path.unlink()
    with pytest.raises(ImageError, match=r"pictures\.parquet, row 4"):
        last.open()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image": "missing.png"}, r"1 image is missing: .*missing\.png"),
        ({"imag": "0.png"}, "line 1: .*'imag' was unexpected"),
        ({"type": "number"}, "'a': the answer 'STOP' is not of its type, number"),
        ({"type": "number", "answer": "10-12"}, "'10-12' is not of its type"),
        ({"type": "number", "answer": "7", "alternatives": ["seven", "some"]}, "'some' is not of its type"),
        ({"answer": "  "}, "is not of its type, text"),
        ({"answer": 7}, "answer: 7 is not of type 'string'"),
        ({"type": "option"}, "'option' needs options"),
        ({"options": ["red", "blue"]}, "'STOP' is none of the options A, B"),
        ({"boxes": [[9, 2, 1, 12]]}, "line 1: boxes"),
        ({"id": "b"}, "'b' is the id of line 1, too"),
    ],
)
def test_bad_data_is_named(tmp_path: Path, photos: list[Path], changes: dict[str, Any], words: str) -> None:
    rows = with_paths(photos)
    path = write_jsonl(tmp_path / "bad.jsonl", [{**rows[0], **changes}, *rows[1:]])
    with pytest.raises(DatasetError, match=words):
        load_samples(path)


def test_files_that_hold_nothing_useful_are_named(tmp_path: Path, photos: list[Path]) -> None:
    import datasets

    row = with_paths(photos)[0]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no table")
    (tmp_path / "empty").mkdir()
    saved = datasets.Dataset.from_list([row])
    datasets.DatasetDict({"train": saved, "test": saved}).save_to_disk(str(tmp_path / "splits"))
    cases = [
        (tmp_path / "none.jsonl", "no such file"),
        (write_jsonl(tmp_path / "empty.jsonl", []), "holds no questions"),
        (tmp_path / "broken.parquet", "can't be read as Parquet"),
        (write_parquet(tmp_path / "twice.parquet", [row, row]), "the id 'a' is used 2 times"),
        (
            write_parquet(tmp_path / "nothing.parquet", [{**row, "image": None}]),
            "row 1: image: neither a path",
        ),
        (write_parquet(tmp_path / "other.parquet", [{**row, "label": 1}]), "row 1: .*'label' was unexpected"),
        (tmp_path / "empty", "is not a folder that datasets saved"),
        (tmp_path / "splits", r"several splits \(train, test\)"),
    ]
    for path, words in cases:
        with pytest.raises(DatasetError, match=words):
            load_samples(path)


def test_files_that_are_no_images_are_named_before_training(tmp_path: Path, photos: list[Path]) -> None:
    row = with_paths(photos)[0]
    (tmp_path / "note.png").write_text("no picture")
    for path, words in [
        (write_jsonl(tmp_path / "note.jsonl", [{**row, "image": "note.png"}]), r"note\.png is not an image"),
        (write_parquet(tmp_path / "bytes.parquet", [{**row, "image": b"no picture"}]), "row 1 is not an image"),
    ]:
        with pytest.raises(ImageError, match=words):
            load_samples(path)


def many(folder: Path, images: int, questions: int) -> list[Item]:
    """Questions of which several are about one picture, half of them under another name of the same file."""
    made = []
    for number in range(images):
        names = [picture(folder / f"{number}.png", number), folder / f"copy of {number}.png"]
        names[1].write_bytes(names[0].read_bytes())
        made += [Item(f"{number}.{each}", names[each % 2], "?", "x", AnswerType.TEXT) for each in range(questions)]
    return made


def test_the_two_parts_share_no_image_and_never_change(tmp_path: Path) -> None:
    samples = many(tmp_path, images=60, questions=4)
    first, second = split(samples, 0.3, seed=1)
    check_disjoint(first, second)
    assert sorted(sample.id for sample in (*first, *second)) == sorted(sample.id for sample in samples)
    pictures = [{sample.id.split(".")[0] for sample in part} for part in (first, second)]
    assert not pictures[0] & pictures[1]
    assert 8 <= len(pictures[0]) <= 28  # 18 +- 2.8 standard deviations of a binomial distribution
    shuffled = random.Random(0).sample(samples, len(samples))
    again, _ = split(shuffled, 0.3, seed=1)
    assert {sample.id for sample in again} == {sample.id for sample in first}
    fewer, _ = split(samples[:100], 0.3, seed=1)
    assert {sample.id for sample in fewer} == {sample.id for sample in first} & {sample.id for sample in samples[:100]}
    other, _ = split(samples, 0.3, seed=2)
    assert {sample.id for sample in other} != {sample.id for sample in first}


def test_a_split_that_leaves_nothing_is_named(tmp_path: Path) -> None:
    samples = many(tmp_path, images=1, questions=3)
    with pytest.raises(ConfigError, match="leaves nothing for"):
        split(samples, 0.5, seed=0)
    for share in (0.0, 1.0):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            split(samples, share, seed=0)


def test_a_leak_shows_whatever_the_images_are_called_and_wherever_they_are(tmp_path: Path, photos: list[Path]) -> None:
    files = write_all(tmp_path, photos)
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "holiday.png"
    copy.write_bytes(photos[2].read_bytes())
    leak = [Item("leak", copy, "?", "x", AnswerType.TEXT)]
    fresh = [Item("fresh", picture(tmp_path / "elsewhere" / "0.png", 99), "?", "x", AnswerType.TEXT)]
    for path in files.values():
        samples = load_samples(path)
        check_disjoint(samples, fresh)
        with pytest.raises(DatasetError, match=r"'leak' of the second .* of 'c' .* \(1 in all\)"):
            check_disjoint(samples, [*fresh, *leak])
    (tmp_path / "elsewhere" / "damaged.png").write_bytes(b"no picture")
    damaged = [Item("damaged", tmp_path / "elsewhere" / "damaged.png", "?", "x", AnswerType.TEXT)]
    with pytest.raises(ImageError, match=r"damaged\.png"):
        check_disjoint(damaged, fresh)


def test_what_is_answered_blindly_in_more_than_half_of_the_attempts_is_found(
    tmp_path: Path, photos: list[Path]
) -> None:
    samples = load_samples(write_jsonl(tmp_path / "questions.jsonl", with_paths(photos)))
    answers = {
        "a": ("stop", "go", "HALT", None),  # right in 2 of 4
        "b": ("B", "A", None, None),  # in 1 of 4: a lucky guess
        "c": ("12", "13", "12 people", None),  # in 3: 13 is within 10 %
        "d": (None, "baker", "butcher", None),
    }
    found = find_blind(samples, [answers[sample.id] for sample in samples])
    assert [(each.sample.id, each.answers) for each in found] == [("c", answers["c"])]
    write_blind(found, tmp_path / "blind.jsonl")
    assert read_blind(tmp_path / "blind.jsonl") == {"c"}


def test_each_stage_gets_its_part_and_a_fingerprint_tells_questions_apart(tmp_path: Path) -> None:
    samples = many(tmp_path, images=40, questions=2)
    first, second = (stage_part(samples, 0.6, supervised=supervised) for supervised in (False, True))
    assert (first, second) == split(samples, 0.6, seed=0)
    assert stage_part(samples, None, supervised=True) == samples
    changed = [replace(samples[0], answer="y"), *samples[1:]]
    assert len({fingerprint(each) for each in (samples, first, second, changed, samples[::-1])}) == 5
    assert fingerprint(list(samples)) == fingerprint(samples)


SAMPLE = Item("s", Path("unused"), "Which colour?", "red", AnswerType.TEXT)


def run(mode: Mode, *replies: str) -> Trajectory:
    """An episode on an image of 100 x 80 pixels, which the policy sees at that size."""
    agent = Agent(ScriptedPolicy(replies), config=EpisodeConfig(mode, max_turns=len(replies)), verify=False)
    return agent.ask(Image.new("RGB", (100, 80)), SAMPLE.question)


def crop(*box: int) -> str:
    return tool_call("crop", bbox_2d=list(box), label="here")


QUARTER = crop(0, 0, 50, 40) + crop(0, 0, 40, 40)  # the second lies in the first: the union is a quarter
WHOLE = crop(0, 0, 100, 80)


def test_the_default_reward_is_the_right_answer() -> None:
    assert answer_reward(run(Mode.CLOSED_LOOP, QUARTER, answer("Red.")), SAMPLE) == 1.0
    assert answer_reward(run(Mode.CLOSED_LOOP, QUARTER, answer("blue")), SAMPLE) == 0.0
    assert answer_reward(run(Mode.CLOSED_LOOP, QUARTER, "<abstain>too dark</abstain>"), SAMPLE) == 0.0


@pytest.mark.parametrize(
    ("trajectory", "guarded", "tight"),
    [
        (run(Mode.CLOSED_LOOP, QUARTER, answer("red")), 1.0, (1 + 0.5 * 0.75) / 1.5),
        (run(Mode.CLOSED_LOOP, QUARTER, answer("blue")), 0.0, 0.0),
        (run(Mode.CLOSED_LOOP, WHOLE, answer("red")), 0.0, 1 / 1.5),
        (run(Mode.MGPO, "nowhere", answer("red")), 0.0, 1 / 1.5),  # it answered from the overview
        (run(Mode.DIRECT, answer("red")), 1.0, 1.0),
    ],
)
def test_area_guard_and_tightness(trajectory: Trajectory, guarded: float, tight: float) -> None:
    guard = AreaGuard(answer_reward, 0.25)
    bonus = TightnessBonus(answer_reward, 0.5)
    assert guard(trajectory, SAMPLE) == guarded
    assert bonus(trajectory, SAMPLE) == pytest.approx(tight)
    both = reward_parts(TightnessBonus(guard, 0.5), trajectory, SAMPLE)
    right = answer_reward(trajectory, SAMPLE)
    assert both == {"answer": right, "area_guard": guarded, "tightness": pytest.approx(guarded * tight)}
    assert list(both) == ["answer", "area_guard", "tightness"]


def test_limits_out_of_range_are_named() -> None:
    for limit in (0.0, 1.5, float("nan")):
        with pytest.raises(ConfigError, match="max_area"):
            AreaGuard(answer_reward, limit)
    for weight in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="tightness"):
            TightnessBonus(answer_reward, weight)


def test_a_reward_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_rewards.py").write_text(
        "def short(trajectory, sample):\n    return len(trajectory.answer) < 4\n"
        "def broken(trajectory, sample):\n    return trajectory.answer\n"
        "def endless(trajectory, sample):\n    return float('inf')\n"
        "def one(trajectory):\n    return 1\n"
        "LIMIT = 3\n"
    )
    (tmp_path / "faulty_rewards.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    trajectory = run(Mode.DIRECT, answer("red"))
    assert load_reward("own_rewards:short")(trajectory, SAMPLE) == 1.0
    assert reward_parts(load_reward("own_rewards:short"), trajectory, SAMPLE) == {"own_rewards:short": 1.0}
    for name, words in [
        ("own_rewards", "form module:function"), ("no_such_module:f", "No module named"),
        ("own_rewards:long", "no attribute 'long'"), ("own_rewards:LIMIT", "not a callable"),
        ("own_rewards:one", "must take a trajectory and a sample"), ("faulty_rewards:f", "ZeroDivisionError"),
    ]:  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            load_reward(name)
    for name, words in [("own_rewards:broken", "returned 'red'"), ("own_rewards:endless", "returned inf")]:
        with pytest.raises(ConfigError, match=words):
            load_reward(name)(trajectory, SAMPLE)
