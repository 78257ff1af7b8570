"""What goes into a batch, and what comes out of it."""

from __future__ import annotations

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
"""A `BatchItem`, an (id, image, question), or a mapping with these keys; further keys are ignored."""


def as_item(given: ItemLike) -> BatchItem:
    """An item of whatever form.

    Raises:
        ConfigError: it has another form.
    """
    if isinstance(given, BatchItem):
        return given
    try:
        if isinstance(given, Mapping):
            return BatchItem(given["id"], given["image"], given["question"])
        name, image, question = given
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"an item of a batch is (id, image, question) or a mapping with these keys, got {str(given)[:200]}"
        ) from error
    return BatchItem(name, image, question)
