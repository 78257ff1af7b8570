"""Tests of the drawn scenes: what they claim about their pixels, texts and questions."""

from __future__ import annotations

import hashlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "drawn_scenes"))

import scene_texts
import scenes
from scene_texts import SPLITS, SignText

SMALL = (1800, 1200)
SEEDS = (*range(1, 17), *range(1000, 1016), *range(5000, 5016))


def _digest(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def _inside(inner: scenes.Box, outer: scenes.Box) -> bool:
    return outer[0] <= inner[0] < inner[2] <= outer[2] and outer[1] <= inner[1] < inner[3] <= outer[3]


@pytest.fixture(scope="module")
def drawn() -> list[scenes.Scene]:
    return [scenes.draw_scene(s, 12, size=SMALL, background="fig.jpg") for s in SEEDS]


def test_same_arguments_same_scene() -> None:
    first = scenes.draw_scene(3, 14, size=SMALL)
    scenes.load_background.cache_clear()
    again = scenes.draw_scene(3, 14, size=SMALL)
    assert _digest(first.image) == _digest(again.image)
    assert (first.signs, first.questions) == (again.signs, again.questions)
    assert _digest(scenes.draw_scene(4, 14, size=SMALL).image) != _digest(first.image)


def test_letter_height_leaves_texts_alone() -> None:
    texts = [[sign.text for sign in scenes.draw_scene(5, px, size=SMALL).signs] for px in (10, 20)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("seed", [2, 7, 1001, 1004])
def test_boxes_hold_the_ink_tightly(seed: int) -> None:
    scene = scenes.draw_scene(seed, 14, size=SMALL)
    blank = scenes.draw_scene(seed, 14, size=SMALL, lettering=False)
    pixels = np.asarray(scene.image, np.int16)
    change = np.abs(pixels - np.asarray(blank.image, np.int16)).max(axis=2)
    for sign in scene.signs:
        span = max(abs(a - b) for a, b in zip(sign.board_rgb, sign.text_rgb, strict=True))
        for x0, y0, x1, y1 in sign.line_boxes:
            ink = change[y0:y1, x0:x1] > 0.2 * span
            assert all(edge.any() for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))
    for sign in scene.signs:
        for x0, y0, x1, y1 in sign.line_boxes:
            change[y0:y1, x0:x1] = 0
    for sign in scene.signs:  # what is left is the blur around the letters
        span = max(abs(a - b) for a, b in zip(sign.board_rgb, sign.text_rgb, strict=True))
        for x0, y0, x1, y1 in sign.line_boxes:
            rim = change[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3]
            assert rim.max() <= 0.35 * span
            rim[:] = 0
    assert not change.any()


@pytest.mark.long
def test_boards_are_where_they_say(drawn: list[scenes.Scene]) -> None:
    photo = np.asarray(scenes.load_background("fig.jpg", SMALL))
    for scene in drawn[::4]:
        changed = (np.asarray(scene.image) != photo).any(axis=2)
        for sign in scene.signs:
            assert _inside(sign.box, (0, 0, *SMALL))
            x0, y0, x1, y1 = sign.box
            assert changed[y0:y1, x0:x1].mean() > 0.45
            for x0, y0, x1, y1 in (sign.box, sign.post or sign.box):
                changed[y0 - 3 : y1 + 3, x0 - 3 : x1 + 3] = False
            assert all(_inside(box, sign.box) for box in sign.line_boxes)
        assert not changed.any()


@pytest.mark.parametrize("letter_px", [8, 11, 16, 25, 60])
@pytest.mark.parametrize("bold", [0.0, 0.06])
def test_capitals_have_the_height_asked_for(letter_px: int, bold: float) -> None:
    mask = np.asarray(scenes.ink_mask("HEFT", letter_px, bold, 0.1))
    rows = np.flatnonzero((mask >= 128).any(axis=1))
    assert rows[0] == letter_px // 2
    assert rows[-1] - rows[0] + 1 == letter_px


def test_letter_height_in_the_scene() -> None:
    text = SignText("nameplate", ("HEFT", "HELIX"))
    scene = scenes.draw_scene(5, 20, size=SMALL, texts=[text], max_rotation=0, low_contrast=False)
    (sign,) = scene.signs
    for _, y0, _, y1 in sign.line_boxes:
        assert abs(y1 - y0 - sign.letter_px) <= 2  # blur adds a faint row on either side


def test_text_can_be_read(drawn: list[scenes.Scene]) -> None:
    ratios = [scenes.contrast(s.board_rgb, s.text_rgb) for scene in drawn for s in scene.signs]
    assert min(ratios) >= 2.5
    assert min(ratios) < 3.5 < max(ratios)


def test_signs_of_a_scene_do_not_touch(drawn: list[scenes.Scene]) -> None:
    for scene in drawn:
        assert len({sign.board for sign in scene.signs}) == len(scene.signs)
        for i, sign in enumerate(scene.signs):
            for other in scene.signs[:i]:
                a, b = sign.box, other.box
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_answers_are_on_the_signs(drawn: list[scenes.Scene]) -> None:
    for scene in drawn:
        for question in scene.questions:
            if question.answer is None:
                assert question.box is None
                assert question.kind.startswith("unanswerable_")
                continue
            assert question.box is not None
            assert question.letter_px is not None
            if question.kind == "read_all":
                assert all(line in question.answer for s in scene.signs for line in s.lines)
                continue
            held = [sign for sign in scene.signs if _inside(question.box, sign.text_box)]
            assert len(held) == 1
            assert question.answer in " ".join(held[0].lines)
            inside = [
                line for line, box in zip(held[0].lines, held[0].line_boxes, strict=True) if _inside(box, question.box)
            ]
            assert question.answer in " ".join(inside)
            assert question.letter_px == held[0].letter_px


def test_number_and_mix_of_questions(drawn: list[scenes.Scene]) -> None:
    questions = [q for scene in drawn for q in scene.questions]
    assert all(5 <= len(scene.questions) <= 6 for scene in drawn)
    assert all(len({q.text for q in scene.questions}) == len(scene.questions) for scene in drawn)
    assert 0.18 < sum(q.answer is None for q in questions) / len(questions) < 0.32
    assert {"whole", "where", "under", "phone", "price", "date"} <= {q.kind for q in questions}
    assert {"plain", "colour", "place", "size", "near"} == {q.selector for q in questions}
    assert not any("{" in q.text for q in questions)


def test_absent_words_are_absent(drawn: list[scenes.Scene]) -> None:
    for scene in drawn:
        text = " ".join(line for sign in scene.signs for line in sign.lines).casefold()
        split = scenes.split_of(scene.seed)
        assert not any(word.casefold() in text for word in scene_texts.WORDS[split]["absent"])


def test_no_two_splits_share_anything() -> None:
    for first, second in itertools.combinations(SPLITS, 2):
        for kind, phrasings in scene_texts.PHRASINGS[first].items():
            others = scene_texts.PHRASINGS[second][kind]
            assert min(len(set(phrasings)), len(set(others))) >= 6, kind
        for pools in (scene_texts.PHRASINGS, scene_texts.WORDS, scene_texts.PLACES, scene_texts.SIGN_NAMES):
            seen = [{text.casefold() for pool in pools[split].values() for text in pool} for split in (first, second)]
            assert not seen[0] & seen[1]
        assert not set(scene_texts.OPENERS[first]) & set(scene_texts.OPENERS[second])


def test_signs_stand_where_they_are_put_in_a_street() -> None:
    size, places = (1200, 675), ((200, 480), (700, 500))
    texts = scenes.draw_scene(SEEDS[0], 12, size=size, background="fig.jpg").signs[:2]
    street = scenes.draw_street(size)
    scene = scenes.draw_scene(
        SEEDS[0], 12, size=size, background=scenes.STREET, texts=[sign.text for sign in texts], places=places
    )
    assert np.array_equal(np.asarray(street), np.asarray(scenes.draw_street(size)))
    for sign, (x, y) in zip(scene.signs, places, strict=True):
        assert x <= sign.box[0] < x + 20
        assert y <= sign.box[1] < y + 20
    changed = (np.asarray(scene.image) != np.asarray(street)).any(axis=2)
    assert not changed[: min(y for _, y in places)].any()
    assert changed.any()
