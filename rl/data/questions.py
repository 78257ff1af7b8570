"""Questions for training: JSONL, Parquet or a folder of the library `datasets`, all with the fields of an evaluation.

The fields are those of `hart_agent.evals.datasets.jsonl`; a question's boxes serve evaluation only. What is used for
reinforcement learning and what for the supervised stage after it must be disjoint (arXiv 2602.23615), and so must their
images: the split goes by the images' content, whatever their names.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from hart_agent.answers import AnswerType, is_right
from hart_agent.errors import ConfigError, DatasetError
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.datasets.jsonl import RECORD, item_of
from hart_agent.evals.datasets.reading import check, require_images
from hart_agent.evals.items import EmbeddedImage, Item
from hart_agent.vision.opening import open_image
from hart_agent.vision.source import EncodedImage, SourceImage
from rl.data.tables import parquet_rows, saved_rows

_T = TypeVar("_T")

Sample: TypeAlias = Item
"""A question, its image, its right answer, and boxes for evaluation."""


def load_samples(path: Path) -> list[Sample]:
    """The questions of a file or folder, with all images known to be there and answers that can be given.

    Args:
        path: a JSONL or Parquet file, or a folder that `datasets` saved; paths of images are relative to its folder.

    Raises:
        DatasetError: files are missing or of another form, or an answer isn't of the question's type; the message names
            the line or row, or the question's id.
        ImageError: a file is not an image, or too large; damage inside shows only when it is decoded.
        InstallError: the package that reads it is missing.
    """
    samples = _read(path)
    for sample in samples:
        _check_answer(sample, path)
    for image in dict.fromkeys(sample.image for sample in samples if isinstance(sample.image, Path)):
        open_image(image)
    return samples


def load_questions(
    data: Path, apart_from: Path | None, validation: Path | None, rl_share: float | None, *, supervised: bool
) -> tuple[list[Sample], list[Sample]]:
    """The questions of a run, and its validation questions, if any.

    Args:
        data: file of the questions.
        apart_from: file of others, which must share no image with them.
        validation: file of the validation questions.
        rl_share: see `stage_part`.
        supervised: whether this is the supervised stage.

    Raises:
        ConfigError: the share can't be used.
        DatasetError: questions can't be used, or share an image with those that must be apart.
        ImageError: an image can't be used.
    """
    samples = stage_part(load_samples(data), rl_share, supervised=supervised)
    others, held_out = (load_samples(path) if path is not None else [] for path in (apart_from, validation))
    if others or held_out:  # reads all images
        check_disjoint(samples, [*others, *held_out])
    return samples, held_out


def _read(path: Path) -> list[Sample]:
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder. Give the path of the questions.")
    if not path.is_dir() and path.suffix != ".parquet":
        return list(load_dataset("jsonl", path))
    samples = []
    for number, (row, read) in enumerate(saved_rows(path) if path.is_dir() else parquet_rows(path), start=1):
        where = f"{path}, row {number}"
        fields = {name: value for name, value in row.items() if value is not None}
        image = _image(fields.get("image"), read, path, where)
        record = check({**fields, "image": str(image)}, RECORD, where)
        samples.append(item_of(record, image, str(number), where))
    if not samples:
        raise DatasetError(f"{path} holds no questions")
    ((most_used, uses),) = Counter(sample.id for sample in samples).most_common(1)
    if uses > 1:
        raise DatasetError(f"{path}: the id {most_used!r} is used {uses} times")
    require_images([sample.image for sample in samples if isinstance(sample.image, Path)], path)
    return samples


def _check_answer(sample: Sample, path: Path) -> None:
    """Check that the right answer satisfies its own question; otherwise every rollout would be wrong.

    Raises:
        DatasetError: the answer is not of the question's type.
    """
    rights = (sample.answer, *sample.alternatives)
    if sample.type is AnswerType.NUMBER:
        # A number stays right with a unit after it; any other text does not.
        wrong = [right for right in rights if not is_right(f"{right} units", right, AnswerType.NUMBER)]
    else:
        wrong = [right for right in rights if not sample.is_right(right)]
    if wrong:
        raise DatasetError(
            f"{path}, question {sample.id!r}: the answer {wrong[0][:100]!r} is not of its type, {sample.type.value}. "
            "Fix one or the other."
        )


def split(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Two disjoint parts: for reinforcement learning, and for the supervised stage. An image is in one of them only.

    Which part an image is in depends on its content and the seed alone, so that it stays when questions are added.

    Args:
        samples: the questions.
        share: of the images that the first part gets, on average, 0 to 1.
        seed: of the split.

    Raises:
        ConfigError: the share is out of range, or leaves a part empty.
        ImageError: an image can't be read.
    """
    if not 0 < share < 1:
        raise ConfigError(f"the share for reinforcement learning is between 0 and 1; got {share}")
    parts: tuple[list[Sample], list[Sample]] = ([], [])
    for sample, content in zip(samples, _contents(samples), strict=True):
        place = int.from_bytes(hashlib.sha256(f"{seed} {content}".encode()).digest()[:8], "big") / 2**64
        parts[place >= share].append(sample)
    for name, part in zip(("reinforcement learning", "the supervised stage"), parts, strict=True):
        if not part:
            raise ConfigError(f"the split leaves nothing for {name}; change the share {share}, or add images")
    return parts


def stage_part(samples: Sequence[Sample], rl_share: float | None, *, supervised: bool) -> list[Sample]:
    """The part of the questions that a stage of the training may use.

    Args:
        samples: the questions.
        rl_share: of their images that reinforcement learning gets, more than 0 and less than 1; the supervised stage
            gets the others. None for all.
        supervised: whether the stage is the supervised one.

    Raises:
        ConfigError: the share is out of range, or leaves a part empty.
        ImageError: an image can't be read.
    """
    return list(samples) if rl_share is None else split(samples, rl_share, seed=0)[supervised]


def fingerprint(samples: Sequence[Sample]) -> str:
    """A hash of the questions and their right answers, by which a resumed run recognises them."""
    values: list[tuple[object, ...]] = [
        (each.id, each.question, each.options, each.type.value, each.answer, each.alternatives) for each in samples
    ]
    steps = [(each.id, each.steps) for each in samples if each.steps]
    values += [("steps", *steps)] if steps else []
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def draw(items: Sequence[_T], count: int, step: int, seed: int) -> list[_T]:
    """The items of a step: each is used once before any is repeated, in an order that only the seed decides."""
    drawn: list[_T] = []
    position = step * count
    while len(drawn) < count:
        epoch, offset = divmod(position, len(items))
        order = random.Random(f"{seed} {epoch}").sample(range(len(items)), len(items))
        chosen = order[offset : offset + count - len(drawn)]
        drawn += [items[index] for index in chosen]
        position += len(chosen)
    return drawn


def check_count(samples: Sequence[Sample], prompts_per_step: int) -> None:
    """Check that there are enough questions for a step.

    Raises:
        ConfigError: there are fewer.
    """
    if len(samples) < prompts_per_step:
        raise ConfigError(
            f"{prompts_per_step} questions are needed for a step, but there are only {len(samples)}: lower "
            "prompts_per_step, or add questions"
        )


def check_disjoint(first: Sequence[Sample], second: Sequence[Sample]) -> None:
    """Check that two sets of questions share no image, whatever the files are called.

    Raises:
        DatasetError: they do.
        ImageError: an image can't be read.
    """
    seen = dict(zip(_contents(first), first, strict=True))
    pairs = zip(second, _contents(second), strict=True)
    leaks = [(seen[content], sample) for sample, content in pairs if content in seen]
    if leaks:
        ours, theirs = leaks[0]
        raise DatasetError(
            f"images are in both sets: {theirs.id!r} of the second is about the image of {ours.id!r} of the first "
            f"({len(leaks)} in all). Remove such questions, or split again."
        )


def apart_from(samples: Sequence[Sample], others: Sequence[Sample]) -> list[Sample]:
    """The questions whose images none of the others has, whatever the files are called.

    Raises:
        ImageError: an image can't be read.
    """
    taken = set(_contents(others))
    return [sample for sample, content in zip(samples, _contents(samples), strict=True) if content not in taken]


def _contents(samples: Sequence[Sample]) -> list[str]:
    """The hash of each sample's image."""
    known: dict[Any, str] = {}
    hashes = []
    for sample in samples:
        key = sample.image
        if key not in known:
            known[key] = key.sha256 if isinstance(key, EmbeddedImage) else sample.open().sha256()
        hashes.append(known[key])
    return hashes


def _image(held: Any, read: Callable[[], Any], path: Path, where: str) -> Path | EmbeddedImage:
    """The image of a row: a path, or a picture that can be opened, alone or as the library `datasets` has it."""
    if isinstance(data := _bytes(held), bytes):
        SourceImage(EncodedImage(where, data))
        return EmbeddedImage(where, hashlib.sha256(data).hexdigest(), lambda: _bytes(read()) or b"")
    if isinstance(held, dict):
        held = held.get("path")
    if not isinstance(held, str) or not held:
        raise DatasetError(f"{where}: image: neither a path nor a picture")
    return path.parent / held


def _bytes(held: Any) -> bytes | None:
    data = held.get("bytes") if isinstance(held, dict) else held
    return data if isinstance(data, bytes) else None
