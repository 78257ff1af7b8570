"""Questions for training: JSONL, Parquet or a folder of the library `datasets`, all with the fields of an evaluation.

The fields are those of `hart_agent.evals.datasets.jsonl`; a question's boxes serve evaluation only. What is used for
reinforcement learning and what for the supervised stage after it must be disjoint (arXiv 2602.23615), and so must their
images: the split goes by the images' content, whatever their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from hart_agent.dialogue import answer_blind
from hart_agent.errors import ConfigError, DatasetError, InstallError
from hart_agent.evals.datasets import load_dataset
from hart_agent.evals.datasets.jsonl import RECORD, item_of
from hart_agent.evals.datasets.reading import check, require_images
from hart_agent.evals.items import EmbeddedImage, Item
from hart_agent.parsing import parse_reply
from hart_agent.tooling import Policy

Sample: TypeAlias = Item
"""A question, its image, its right answer, and boxes for evaluation."""


def load_samples(path: Path) -> list[Sample]:
    """The questions of a file or folder, with all images known to be there.

    Args:
        path: a JSONL or Parquet file, or a folder that `datasets` saved.

    Raises:
        DatasetError: files are missing or of another form; the message names the line or row.
        InstallError: the package that reads it is missing.
    """
    if path.is_dir():
        rows = _saved(path)
    elif path.suffix == ".parquet":
        rows = _parquet(path)
    else:
        return list(load_dataset("jsonl", path))
    samples = []
    for number, row in enumerate(rows, start=1):
        where = f"{path}, row {number}"
        fields = {name: value for name, value in row.items() if value is not None}
        image = _image(fields.get("image"), path, where)
        record = check({**fields, "image": str(image)}, RECORD, where)
        samples.append(item_of(record, image, str(number), where))
    if not samples:
        raise DatasetError(f"{path} holds no questions")
    if doubled := {sample.id for sample in samples if sum(other.id == sample.id for other in samples) > 1}:
        raise DatasetError(f"{path}: the id {min(doubled)!r} is used twice")
    require_images([sample.image for sample in samples if isinstance(sample.image, Path)], path)
    return samples


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


def check_disjoint(first: Sequence[Sample], second: Sequence[Sample]) -> None:
    """Make sure that two sets of questions share no image, whatever the files are called.

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
            f"{len(leaks)} questions of the second set are about images of the first, such as {theirs.id!r} and "
            f"{ours.id!r}: remove them, or split again"
        )


async def drop_blind(samples: Sequence[Sample], policy: Policy, attempts: int = 1) -> tuple[list[Sample], list[Sample]]:
    """Drop questions that the policy answers without the image: their reward says nothing about the evidence.

    Args:
        samples: the questions.
        policy: that is to be trained.
        attempts: how often it is asked; one right answer is enough to drop a question.

    Returns:
        Those that are kept, and those that are dropped.

    Raises:
        PolicyError: the policy fails.
    """
    kept: list[Sample] = []
    dropped: list[Sample] = []
    for sample in samples:
        messages = answer_blind(sample.prompt())
        for _ in range(attempts):
            reply = await policy.reply(messages, ())
            if sample.is_right(parse_reply(reply.text).answer):
                dropped.append(sample)
                break
        else:
            kept.append(sample)
    return kept, dropped


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


def _image(held: Any, path: Path, where: str) -> Path | EmbeddedImage:
    if isinstance(held, dict) and held.get("bytes"):
        data: bytes = held["bytes"]
        return EmbeddedImage(where, hashlib.sha256(data).hexdigest(), lambda: data)
    if isinstance(held, dict):
        held = held.get("path")
    if not isinstance(held, str) or not held:
        raise DatasetError(f"{where}: image: neither a path nor a picture")
    return path.parent / held


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InstallError("Parquet needs the package pyarrow. Run: pip install 'hart-agent[eval]'") from error
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} can't be read as Parquet: {error}") from error
    return rows


def _saved(path: Path) -> list[dict[str, Any]]:
    try:
        import datasets
    except ImportError as error:
        raise InstallError("a folder of datasets needs that package. Run: pip install datasets") from error
    try:
        table = datasets.load_from_disk(str(path))
    except Exception as error:  # the library's own errors are manifold
        raise DatasetError(f"{path} is no folder that datasets saved ({error})") from error
    if isinstance(table, datasets.DatasetDict):
        raise DatasetError(f"{path} holds several splits ({', '.join(table)}): give the folder of one")
    for name, feature in table.features.items():
        if isinstance(feature, datasets.Image):
            table = table.cast_column(name, datasets.Image(decode=False))
    return list(table)
