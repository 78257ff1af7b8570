"""What a benchmark is: a reader, and what there is to know of it before its files are there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from hart_agent.evals.items import Item

Reader: TypeAlias = Callable[..., Sequence[Item]]
"""Reads the items of a benchmark from the path of its files; it may know the keyword `allow_download`, too."""


@dataclass(frozen=True)
class Headline:
    """A figure that a benchmark's paper or harness reports.

    Attributes:
        name: as it is called there.
        of: the questions of this category, or of the categories under it ("Perception" has "Perception/OCR"); empty
            for all.
        mean_over: the names of what divides the questions ("category", or labels of the items) into kinds, over which
            the unweighted mean of the accuracies is taken; empty where each question counts the same.
        measure: "accuracy", "anls" (see `hart_agent.evals.scoring.anls`) or "iou" (see
            `hart_agent.evals.metrics.Overlaps`), the last two over all questions.
    """

    name: str
    of: str = ""
    mean_over: tuple[str, ...] = ()
    measure: Literal["accuracy", "anls", "iou"] = "accuracy"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark. Other packages register one, or its reader alone, under the entry-point group `hart_agent.datasets`.

    Attributes:
        read: its reader.
        title: its name, as its authors write it.
        questions: how many it has, as it is published; None if that isn't known.
        source: the paper, or where it is described.
        hub: id of a data set on Hugging Face's hub whose files can be read as they are.
        note: what is special about it, in a few words.
        headlines: the figures that its paper or its harness reports; a run's report has them under these names.
    """

    read: Reader
    title: str = ""
    questions: int | None = None
    source: str = ""
    hub: str | None = None
    note: str = ""
    headlines: tuple[Headline, ...] = ()

    def __call__(self, path: Path, *, allow_download: bool = False) -> Sequence[Item]:
        """The items in the files at a path.

        Args:
            path: of the files.
            allow_download: whether images may be URLs; passed to a reader that has the keyword.
        """
        return self.read(path, allow_download=True) if allow_download and self._takes_downloads() else self.read(path)

    def _takes_downloads(self) -> bool:
        try:
            return "allow_download" in inspect.signature(self.read).parameters
        except ValueError:  # a function of C
            return False
