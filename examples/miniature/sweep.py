"""The second study's tabular part: its jobs, and their results as one file each. All numbers are fixed here."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hart_agent.store.files import write_whole

from .tabular import nested, pointing

LEAKS = (0.25, 0.5, 0.75)
"""How often the reader is right with a wrong box. A quarter is chance: of four colours."""
NESTED = {"nested": False, "nested-masked": True}
"""Arms on the nested scene, and whether rollouts that are cut off are masked."""
ARMS = (*pointing.ARMS, *NESTED)
RATE, OTHER_RATES = 0.1, (0.03, 0.3)
STEPS = 400
SEEDS, NESTED_SEEDS = range(120), range(24)
PILOT_SEEDS = range(1_000_000, 1_000_020)
"""Thrown away when the number of seeds had been computed from them."""
BLOCK = 120
"""Seeds that share tensors."""


@dataclass(frozen=True)
class Cell:
    """One arm at one leak, with all seeds.

    Attributes:
        rate: the learning rate.
    """

    arm: str
    leak: float
    rate: float = RATE

    @property
    def name(self) -> str:
        return f"{self.arm}-leak{self.leak}" + (f"-rate{self.rate}" if self.rate != RATE else "")

    @property
    def seeds(self) -> range:
        return NESTED_SEEDS if self.arm in NESTED else SEEDS

    def run(self, seeds: range, steps: int) -> dict[str, Any]:
        """Train, block by block; what comes out is the same for each seed whatever the number of blocks."""
        began = time.process_time()
        blocks = [seeds[first : first + BLOCK] for first in range(0, len(seeds), BLOCK)]
        found = [self._train(block, steps) for block in blocks]
        return {
            "arm": self.arm, "leak": self.leak, "rate": self.rate, "steps": steps, "seeds": [seeds.start, seeds.stop],
            **{name: [round(value, 5) for part in found for value in part[name]] for name in found[0]},
            "cpu_seconds": round(time.process_time() - began), "torch": torch.__version__,
        }  # fmt: skip

    def _train(self, seeds: range, steps: int) -> dict[str, list[float]]:
        if self.arm in NESTED:
            return nested.train(NESTED[self.arm], self.leak, seeds, steps, self.rate)
        return pointing.train(pointing.ARMS[self.arm], self.leak, seeds, steps, self.rate)


def all_cells() -> Iterator[Cell]:
    """Every cell: those of the claims, then two arms at other learning rates."""
    yield from itertools.starmap(Cell, itertools.product(ARMS, LEAKS))
    yield from itertools.starmap(Cell, itertools.product(("k0", "k0.6"), LEAKS, OTHER_RATES))


def run_cells(cells: Iterable[Cell], folder: Path, seeds: range | None = None, steps: int = STEPS) -> None:
    """Run the cells that have no result yet in a folder, with their own seeds unless others are given."""
    folder.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        path = folder / f"{cell.name}.json"
        if not path.exists():
            result = cell.run(seeds or cell.seeds, steps)
            write_whole(path, json.dumps(result) + "\n")
            print(f"{cell.name}: {result['cpu_seconds']} CPU-s", flush=True)


def read_cells(folder: Path) -> dict[str, dict[str, Any]]:
    """The results in a folder, by the names of their cells."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*-leak*.json"))}
