"""What goes into a batch, and what comes out of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hart_agent.agent.trajectory import Trajectory
from hart_agent.errors import ConfigError
from hart_agent.vision.source import ImageInput, SourceImage


@dataclass(frozen=True)
class BatchItem:
    """A question of a batch.

    Attributes:
        id: by which the result is known.
        image: a path, a URL if downloads are allowed, a PIL image, an image file in memory, or a `SourceImage`.
        question: in words.
    """

    id: str
    image: ImageInput | SourceImage
    question: str


@dataclass(frozen=True)
class BatchResult:
    """The result of a question.

    Attributes:
        id: of the item.
        trajectory: all that happened, if it began; also of a policy that failed on the way.
        error: why there is no result, or None. A question without an answer is not an error.
    """

    id: str
    trajectory: Trajectory | None
    error: Exception | None


ItemLike: TypeAlias = "BatchItem | Sequence[Any] | Mapping[str, Any]"
"""A `BatchItem`, an (id, image, question), or a mapping with these keys, which needs no `id`; others are ignored."""


@dataclass(frozen=True)
class BadItem:
    """What was given in the place of an item, and can't be used.

    Attributes:
        id: its own, if it has one.
        error: what is wrong with it.
    """

    id: str
    error: ConfigError


def as_item(given: ItemLike, number: int = 1) -> BatchItem:
    """An item of whatever form.

    Args:
        given: the item.
        number: its place, from 1, of which its id is made where it has none and its image has no name.

    Raises:
        ConfigError: it has another form.
    """
    try:
        own, image, question = _fields(given)
    except (KeyError, TypeError, ValueError) as error:
        form = "(id, image, question) or a mapping with these keys"
        raise ConfigError(f"item {number}: expected {form}, got {str(given)[:200]}") from error
    if not isinstance(question, str):
        raise ConfigError(f"item {number}: question: expected a text, got {str(question)[:200]}")
    if own in (None, "") and isinstance(image, str | os.PathLike):
        own = made_id(os.fspath(image), question)
    return BatchItem(_named(own, number), image, question)


def read_item(given: ItemLike, number: int) -> BatchItem | BadItem:
    """An item of whatever form, or what is wrong with it; see `as_item`."""
    try:
        return as_item(given, number)
    except ConfigError as error:
        return BadItem(_named(_id_of(given), number), error)


def _id_of(given: Any) -> Any:
    """The id of an item that can't be used; None if it has none."""
    try:
        return _fields(given)[0]
    except (KeyError, TypeError, ValueError):
        return given.get("id") if isinstance(given, Mapping) else None


def _named(own: Any, number: int) -> Any:
    return f"item {number}" if own in (None, "") else own


def made_id(image: str, question: str) -> str:
    """The id of a question that has none: the same wherever it stands.

    Args:
        image: as it is named.
        question: in words.
    """
    return hashlib.sha256(json.dumps([image, question]).encode()).hexdigest()[:16]


def _fields(given: Any) -> tuple[Any, Any, Any]:
    """Id, image and question.

    Raises:
        KeyError, TypeError, ValueError: one is missing, or it is something else.
    """
    if isinstance(given, BatchItem):
        return given.id, given.image, given.question
    if isinstance(given, Mapping):
        return given.get("id"), given["image"], given["question"]
    if isinstance(given, str | bytes):
        raise TypeError
    name, image, question = given
    return name, image, question
