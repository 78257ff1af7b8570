"""The items of a benchmark: a question on an image, the right answer, and where the evidence lies."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from hart_agent.answers import AnswerType, chosen_letter, is_right
from hart_agent.errors import ImageError
from hart_agent.evals.about_others import is_about_others
from hart_agent.vision.geometry import Box
from hart_agent.vision.opening import announced, open_image
from hart_agent.vision.source import EncodedImage, SourceImage

LETTERS = string.ascii_uppercase
"""Of the options, in the order in which they are asked."""

Order: TypeAlias = tuple[int, ...]
"""The options as they are asked, as indices into the published order: a permutation."""


@dataclass(frozen=True)
class EmbeddedImage:
    """A picture inside a benchmark's file, read when it is opened. Two with the same bytes in their files are equal.

    Attributes:
        name: the file and the row.
        sha256: hash of the picture as it stands in the file, encoding and all.
        read: gives the bytes of the image file.
        page: which of its pages, from 1; None for the first.
    """

    name: str = field(compare=False)
    sha256: str
    read: Callable[[], bytes] = field(compare=False, repr=False)
    page: int | None = None

    def open(self) -> SourceImage:
        """The picture, kept in memory in its file format.

        Raises:
            ImageError: it is damaged, or not an image.
        """
        try:
            data = self.read()
        except ImageError:
            raise
        except Exception as error:  # whatever the reader of a damaged table raises
            raise ImageError(f"{self.name}: no image that can be read ({error}). Get an intact copy.") from error
        return announced(SourceImage(EncodedImage(self.name, data), page=self.page))


@dataclass(frozen=True)
class Item:
    """A question of a benchmark.

    Attributes:
        id: unique in the benchmark, and the same in every run.
        image: a file, whose name may end in #page=2, or a picture inside the benchmark's file.
        question: without the options.
        answer: the right answer; for OPTION the letter of the right option in the published order.
        type: what the answer looks like.
        options: their texts without letters, in the published order.
        boxes: where the evidence lies, in original pixels; for metrics only.
        category: the benchmark's own name for the kind of question.
        alternatives: further right answers; none with options.
        tolerance: of a NUMBER, relative; see `hart_agent.answers.is_right`.
        group: the same for items that ask one question with its options in different orders; empty if there are none.
        anchored: indices of options that keep their places whatever the order: the benchmark means them to stand there.
        labels: further kinds of the question that the benchmark reports, each as a (name, value).
        anls: whether the benchmark scores by the similarity of texts; see `hart_agent.evals.scoring.anls`.
        steps: what must be found out on the way to the answer, in order; see `hart_agent.evals.findings`.
    """

    id: str
    image: Path | EmbeddedImage
    question: str
    answer: str
    type: AnswerType
    options: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    category: str = ""
    alternatives: tuple[str, ...] = ()
    tolerance: float = 0.0
    group: str = ""
    anchored: tuple[int, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    anls: bool = False
    steps: tuple[str, ...] = ()

    @property
    def golds(self) -> tuple[str, ...]:
        """All right answers."""
        return (self.answer, *self.alternatives)

    def open(self) -> SourceImage:
        """The image of the question.

        Raises:
            ImageError: it is missing, damaged, too large or not an image.
        """
        return open_image(self.image) if isinstance(self.image, Path) else self.image.open()

    def prompt(self, order: Sequence[int] | None = None) -> str:
        """The question, and each option on a line of its own behind its letter.

        Args:
            order: of the options; None for the published order.
        """
        options = [self.options[index] for index in self._checked(order)]
        return "\n".join([self.question, *(f"{LETTERS[place]}. {text}" for place, text in enumerate(options))])

    def letter_of_gold(self, order: Sequence[int] | None = None) -> str:
        """The letter behind which the right option stands; `answer` itself if the options are not known.

        Args:
            order: of the options; None for the published order.
        """
        places = self._checked(order)
        return LETTERS[places.index(LETTERS.index(self.answer))] if places else self.answer

    def is_right(self, answer: str | None, order: Sequence[int] | None = None, *, strict: bool = False) -> bool:
        """Whether an answer to the prompt with this order of the options is right, as `answers.is_right` judges."""
        return is_right(
            answer,
            self.letter_of_gold(order) if self.options else self.answer,
            self.type,
            options=[self.options[index] for index in self._checked(order)],
            alternatives=self.alternatives,
            tolerance=self.tolerance,
            strict=strict,
        )

    def chosen(self, answer: str | None, order: Sequence[int] | None = None) -> str | None:
        """The letter, in the published order, of the option that an answer names; None if it names none."""
        places = self._checked(order)
        letter = chosen_letter(answer, [self.options[index] for index in places]) if answer is not None else None
        return LETTERS[places[LETTERS.index(letter)]] if letter is not None else None

    def _checked(self, order: Sequence[int] | None) -> Order:
        published = tuple(range(len(self.options)))
        if order is not None and tuple(sorted(order)) != published:
            raise ValueError(f"{tuple(order)} is no order of {len(published)} options")
        return published if order is None else tuple(order)


def shuffled_order(item: Item, seed: int) -> Order:
    """An order of the options that depends on nothing but the item's id and the seed.

    Published orders give the answer away: the right option of V*Bench always comes first. Anchored options and those
    about the other options ("none of the above") keep their places.
    """
    places = _movable(item)
    shuffled = random.Random(f"{seed} {item.id}").sample(places, len(places))
    return _placed(item, places, shuffled)


def reversed_order(item: Item, order: Order) -> Order:
    """The options the other way round, but for those that keep their places (see `shuffled_order`)."""
    places = _movable(item)
    return _placed(item, places, [order[place] for place in reversed(places)])


def _movable(item: Item) -> list[int]:
    places = enumerate(item.options)
    return [place for place, text in places if place not in item.anchored and not is_about_others(text)]


def _placed(item: Item, places: Sequence[int], indices: Sequence[int]) -> Order:
    order = list(range(len(item.options)))
    for place, index in zip(places, indices, strict=True):
        order[place] = index
    return tuple(order)
