"""The jobs of the study: what is trained, from which cold start, with which seed. All numbers are fixed here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hart_agent.agent.modes import Mode

COLD_STARTS = Path(__file__).parent / "cold_starts"
"""The folders that `cold_start` wrote, named after their seeds."""
SEEDS, STARTS = range(5), range(2)
STEPS, SFT_STEPS = 120, 60
PROMPTS, GROUP = 16, 8
LEARNING_RATE, SFT_LEARNING_RATE = 2.5e-4, 2e-4
BETA = 0.02
MAX_AREA = 0.15
"""The area guard, in all arms: no reward for boxes over this part of the image."""
RL_SCENES, SFT_SCENES = range(1600), range(1600, 2000)
"""Of the training split: disjoint, as the method demands."""
TEST_SCENES = range(1000, 1300)
"""Of the test split; its first 1000 scenes were seen while the cold start was made."""


class Reader(StrEnum):
    """Who reads the crops: what a right answer says of the box."""

    TRAINED = "trained"
    """The policy itself, which reads well at the start: shared weights, the paper's case."""
    POOR = "poor"
    """The policy itself, which half reads at the start: rewards mislead."""
    FROZEN = "frozen"
    """The cold start as it is, which reads well; the policy learns only where to look."""


@dataclass(frozen=True)
class Stage:
    """One run of a trainer.

    Attributes:
        name: of reinforcement learning `grpo`, `mgpo`, `medvr`, or `k` and its value in the closed loop; or `sft`.
    """

    name: str

    @property
    def supervised(self) -> bool:
        return self.name == "sft"

    @property
    def mode(self) -> Mode:
        return {"grpo": Mode.DIRECT, "mgpo": Mode.MGPO, "medvr": Mode.MGPO}.get(self.name, Mode.CLOSED_LOOP)

    @property
    def k(self) -> float:
        return float(self.name[1:]) if self.name.startswith("k") else 0.0

    @property
    def reward(self) -> str | None:
        """The name of a reward other than the right answer."""
        return "rl.rewards.medvr:reward" if self.name == "medvr" else None


ARMS: dict[str, tuple[Stage, ...]] = {
    "start": (),
    **{name: (Stage(name),) for name in ("grpo", "mgpo", "k0", "k0.15", "k0.3", "k0.6", "sft")},
    "rl-sft": (Stage("k0.6"), Stage("sft")),
    "sft-rl": (Stage("sft"), Stage("k0.6")),
    "mgpo-sft": (Stage("mgpo"), Stage("sft")),
}
"""What each arm is trained by, in order."""
LATER_ARMS = {"medvr": (Stage("medvr"),)}
"""Likewise; not in the first study."""


@dataclass(frozen=True)
class Job:
    """One arm, once.

    Attributes:
        arm: a key of `ARMS` or `LATER_ARMS`.
        reader: of the cold start.
        start: the cold start's number.
        seed: of sampling and of the order of the questions.
    """

    arm: str
    reader: Reader
    start: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.reader}-{self.arm}-start{self.start}-seed{self.seed}"

    @property
    def stages(self) -> tuple[Stage, ...]:
        return (ARMS | LATER_ARMS)[self.arm]

    @property
    def cold_start(self) -> Path:
        folder = COLD_STARTS / str(self.start)
        return folder / "poor-reader" if self.reader is Reader.POOR else folder


_ORDER: tuple[tuple[Reader, tuple[str, ...]], ...] = (
    (Reader.TRAINED, ("mgpo", "k0", "k0.6", "grpo")),
    (Reader.POOR, ("k0", "k0.6", "grpo")),
    (Reader.TRAINED, ("sft", "rl-sft", "sft-rl", "mgpo-sft")),
    (Reader.FROZEN, ("mgpo", "k0", "k0.6")),
    (Reader.TRAINED, ("k0.15", "k0.3")),
    (Reader.POOR, ("k0.15", "k0.3")),
    (Reader.POOR, ("mgpo",)),
)
"""The primary contrasts first; last what no claim speaks of."""
_FEWER = 3
"""Seeds after which the next line comes, but for the first and the last: no arm is without results for long."""


def all_jobs() -> Iterator[Job]:
    """Every job of the study, in the order in which they are run."""
    for reader in (Reader.TRAINED, Reader.POOR):
        for start in STARTS:
            yield Job("start", reader, start, 0)
    first, between, last = _ORDER[:1], _ORDER[1:-1], _ORDER[-1:]
    for lines, seeds in ((first, SEEDS), (between, SEEDS[:_FEWER]), (between, SEEDS[_FEWER:]), (last, SEEDS)):
        for reader, arms in lines:
            for seed, start, arm in itertools.product(seeds, STARTS, arms):
                yield Job(arm, reader, start, seed)
