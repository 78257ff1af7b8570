"""The pure decision of the doctor: in which space does a model point?"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hart_agent.backends.families import FAMILIES, GENERIC, Family
from hart_agent.doctor.drawings import Scene, read_box, scenes
from hart_agent.doctor.fit import MIN_SAMPLES, Fit, Sample, fit_space
from hart_agent.vision.geometry import CoordinateSpace, Rect

ALL = (*FAMILIES, GENERIC)
DRAWN = {family.name: scenes(family.profile().budget) for family in ALL}
BELIEVED = 0.05
"""At most this share of random models may be believed."""


def fit(family: Family, answer: Callable[[Scene], Rect]) -> Fit:
    drawn = DRAWN[family.name]
    return fit_space([Sample(scene.view.frame.size, scene.target, answer(scene)) for scene in drawn])


def point(space: CoordinateSpace, move: Callable[[], float]) -> Callable[[Scene], Rect]:
    """A model that writes boxes in a space, each side off by a fraction of the view's."""

    def answer(scene: Scene) -> Rect:
        size = scene.view.frame.size
        pixels, sides = (size.width, size.height) * 2, space.extent(size) * 2
        a, b, c, d = ((v / length + move()) * side for v, length, side in zip(scene.target, pixels, sides, strict=True))
        return a, b, c, d

    return answer


@given(st.sampled_from(ALL), st.sampled_from(CoordinateSpace), st.floats(0, 0.04), st.integers(0, 2**32))
def test_a_noisy_model_of_any_space_is_recognised(
    family: Family, space: CoordinateSpace, noise: float, seed: int
) -> None:
    chance = random.Random(seed)
    found = fit(family, point(space, lambda: chance.uniform(-noise, noise)))
    assert (found.space, found.swapped) == (space, False)


@given(st.sampled_from(ALL), st.sampled_from(CoordinateSpace), st.integers(0, 2**32))
def test_two_wild_answers_of_six_change_nothing(family: Family, space: CoordinateSpace, seed: int) -> None:
    chance = random.Random(seed)
    wild = chance.sample(DRAWN[family.name], 2)
    honest = point(space, lambda: chance.uniform(-0.02, 0.02))
    assert fit(family, lambda scene: (0.0, 0.0, 9.0, 9.0) if scene in wild else honest(scene)).space is space


@given(st.sampled_from(ALL), st.sampled_from(CoordinateSpace), st.floats(0, 1), st.integers(0, 2**32))
def test_no_noise_makes_it_name_a_wrong_space(family: Family, space: CoordinateSpace, noise: float, seed: int) -> None:
    chance = random.Random(seed)
    found = fit(family, point(space, lambda: chance.gauss(0, noise)))
    assert found.space in (space, None)


def free(chance: random.Random, scene: Scene) -> Rect:
    a, b, c, d = (chance.uniform(0, chance.choice((1.0, 1000.0, 1500.0))) for _ in range(4))
    return a, b, c, d


def proper(space: CoordinateSpace) -> Callable[[random.Random, Scene], Rect]:
    def answer(chance: random.Random, scene: Scene) -> Rect:
        width, height = space.extent(scene.view.frame.size)
        (x0, x1), (y0, y1) = (sorted((chance.random() * side, chance.random() * side)) for side in (width, height))
        return x0, y0, x1, y1

    return answer


def right_size(chance: random.Random, scene: Scene) -> Rect:
    size = scene.view.frame.size
    x, y = chance.uniform(0, 0.84 * size.width), chance.uniform(0, 0.84 * size.height)
    return x, y, x + 0.16 * size.width, y + 0.16 * size.height


@pytest.mark.parametrize("answer", [free, *map(proper, CoordinateSpace), right_size])
def test_random_answers_are_hardly_ever_believed(answer: Callable[[random.Random, Scene], Rect]) -> None:
    chance = random.Random(1)
    fits = [fit(chance.choice(ALL), lambda scene: answer(chance, scene)) for _ in range(1000)]
    assert sum(found.space is not None for found in fits) <= BELIEVED * len(fits)


@given(st.sampled_from(ALL), st.sampled_from((1, 1000, 1500)), st.tuples(*[st.floats(0, 1)] * 4))
def test_one_box_for_every_image_is_never_believed(family: Family, scale: int, box: Rect) -> None:
    a, b, c, d = (value * scale for value in box)
    assert fit(family, lambda _: (a, b, c, d)).space is None


def test_few_answers_tell_nothing() -> None:
    drawn = DRAWN[GENERIC.name][: MIN_SAMPLES - 1]
    few = [Sample(scene.view.frame.size, scene.target, scene.target) for scene in drawn]
    assert fit_space(few).space is None
    assert fit_space([]) == Fit(None)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ('{"bbox_2d": [1, 2, 30, 40]}', (1, 2, 30, 40)),
        ('```json\n[{"bbox_2d": [1, 2, 30, 40], "label": "red rectangle"}]\n```', (1, 2, 30, 40)),
        ("<box>[[1, 2, 30, 40]]</box>", (1, 2, 30, 40)),
        ("<|box_start|>(1,2),(30,40)<|box_end|>", (1, 2, 30, 40)),
        ('{"x_min": 0.1, "y_min": 0.2, "x_max": 0.3, "y_max": 0.4}', (0.1, 0.2, 0.3, 0.4)),
        ("The first guess is [5, 5, 6, 6]; no, [1, 2, 30, 40].", (1, 2, 30, 40)),
        ("I see 3 things.", None),
        ("", None),
    ],
)
def test_boxes_are_read_in_the_forms_that_models_write(text: str, box: Rect | None) -> None:
    assert read_box(text) == box
