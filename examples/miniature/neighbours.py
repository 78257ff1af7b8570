"""What the rewards of neighbouring methods teach that their ablation doesn't: policies that are tables of choices.

    python examples/miniature/neighbours.py                  every method, five seeds an arm: about ten minutes
    python examples/miniature/neighbours.py findings --quick one method, two seeds, fewer steps: a look

A policy here is a table: for each thing that it writes, a distribution over the words, by what it sees. All else is the
product's: episodes, parser, tools, the rewards of `rl/` and AP-GRPO's loss with k = 0. So this shows what a reward asks
for, not whether a network would learn it from pixels.

- `findings` (arXiv 2505.19640): a question that needs two counts. Paid for findings that say them, or for the answer.
- `credit` (arXiv 2601.00215): a dial whose reading is mostly off. Partial credit for near readings, or none.
- `sections` (arXiv 2601.00215): a description is written, repeated or left out. It is scored, or not.
- `turns`: a second look makes the answer likelier, a third and fourth don't. Turns cost something, or nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from hart_agent.agent import Agent
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.agent.trajectory import Trajectory
from hart_agent.answers import AnswerType
from hart_agent.backends.scripted import ScriptedPolicy
from hart_agent.evals.findings import steps_found
from hart_agent.store.files import write_json
from rl.ap_grpo import Shaping, ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig, TrainSettings
from rl.data import Sample
from rl.rewards import Judge, reward_of
from rl.rewards.scores import Attempt, in_groups, shaping_of
from rl.rewards.sections import scores_of

RESULTS = Path(__file__).parent / "results"
SECTIONS = "rl.rewards.sections"
QUESTIONS, GROUP, SEEDS, TESTED = 8, 8, 5, 200
IMAGE = Image.new("RGB", (64, 64), "grey")
LOOK = '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": [8, 8, 56, 56]}}</tool_call>'


@dataclass(frozen=True)
class Choice:
    """One thing that is written.

    Attributes:
        table: whose row is the distribution.
        state: the row: what is seen.
        taken: the column.
    """

    table: str
    state: int
    taken: int


@dataclass(frozen=True)
class Method:
    """A method and its ablation.

    Attributes:
        tables: the shape (states, choices) of each, and by how much the right choice is favoured at the start.
        ask: draws a question.
        write: the replies to a question, given a function that chooses from a row of a table.
        arms: the settings of the method, and of its ablation.
        outcome: what is measured of an episode.
        steps: of training.
    """

    tables: Mapping[str, torch.Tensor]
    ask: Callable[[random.Random], Sample]
    write: Callable[[Sample, random.Random, Callable[[str, int], int]], list[str]]
    arms: Mapping[str, Mapping[str, Any]]
    outcome: Callable[[Trajectory, Sample], float]
    mode: Mode
    steps: int = 60


def _favoured(states: int, choices: int, right: Callable[[int], int], by: float) -> torch.Tensor:
    table = torch.zeros(states, choices)
    for state in range(states):
        table[state, right(state)] = by
    return table


def _question(text: str, answer: str, **more: Any) -> Sample:
    return Sample("q", Path("none.png"), text, answer, AnswerType.NUMBER, **more)


def _right(run: Trajectory, sample: Sample) -> float:
    return float(sample.is_right(run.answer, strict=True))


# Two counts, 1 to 4, each said or not; the answer is read off the picture as well, right more often than not.
def _ask_findings(chance: random.Random) -> Sample:
    more, fewer = sorted((chance.randint(1, 4), chance.randint(1, 4)), reverse=True)
    return _question("How many more cars than bicycles?", str(more - fewer), steps=(str(more), str(fewer)))


def _write_findings(sample: Sample, chance: random.Random, choose: Callable[[str, int], int]) -> list[str]:
    said = [choose(table, int(step)) for table, step in zip(("first", "second"), sample.steps, strict=True)]
    findings = "".join(f"<finding>{number}</finding>" for number in said if number)
    return [f"{findings}<answer>{choose('answer', int(sample.answer))}</answer>"]


def _found(run: Trajectory, sample: Sample) -> float:
    return statistics.mean(number is not None for number in steps_found(run.findings, sample.steps, strict=True))


def _write_credit(sample: Sample, chance: random.Random, choose: Callable[[str, int], int]) -> list[str]:
    return [f"<answer>{int(sample.answer) + choose('off', 0) - 15}</answer>"]


_DESCRIPTIONS = ("", "A dial.", "A dial. It has one hand.", "A dial. A dial. A dial.")


def _write_sections(sample: Sample, chance: random.Random, choose: Callable[[str, int], int]) -> list[str]:
    described = _DESCRIPTIONS[choose("description", 0)]
    section = f"<description>{described}</description>" if described else ""
    return [f"{section}<answer>{int(sample.answer) + choose('off', 0)}</answer>"]


def _write_turns(sample: Sample, chance: random.Random, choose: Callable[[str, int], int]) -> list[str]:
    looks = choose("looks", 0) + 1
    known = chance.random() < (0.5 if looks == 1 else 0.9)
    return [*[LOOK] * looks, f"<answer>{int(sample.answer) + (0 if known else 1)}</answer>"]


def _ask_number(chance: random.Random) -> Sample:
    return _question("What does the dial say?", str(chance.randint(40, 60)))


_COUNT = _favoured(5, 5, lambda seen: seen, 1.5)
METHODS: Mapping[str, Method] = {
    "findings": Method(
        {"first": _COUNT, "second": _COUNT, "answer": _favoured(4, 4, lambda seen: seen, 1.5)},
        _ask_findings, _write_findings,
        {"time-discounted": {"reward": "rl.rewards.interleaved:time_discounted"}, "answer alone": {}},
        _found, Mode.INTERLEAVED,
    ),
    "credit": Method(
        {"off": _favoured(1, 31, lambda _: 15, 0.0)}, _ask_number, _write_credit,
        {"continuous": {"reward": f"{SECTIONS}:continuous"}, "mixture": {"reward": f"{SECTIONS}:mixture"}},
        _right, Mode.SECTIONS,
    ),
    "sections": Method(
        {"description": torch.zeros(1, 4), "off": _favoured(1, 3, lambda _: 0, 1.0)}, _ask_number, _write_sections,
        {"mixture": {"reward": f"{SECTIONS}:mixture"}, "only accuracy": {"reward": f"{SECTIONS}:only_accuracy"}},
        lambda run, _: scores_of(run).get("description", 0.0), Mode.SECTIONS,
    ),
    "turns": Method(
        {"looks": torch.zeros(1, 4)}, _ask_number, _write_turns,
        {"turn cost .3": {"turn_cost": 0.3}, "no cost": {}},
        lambda run, _: float(len(run.turns)), Mode.AGENT,
    ),
}  # fmt: skip


class Tables:
    """A policy: rows of logits that are trained."""

    def __init__(self, method: Method, seed: int) -> None:
        self.method = method
        self.logits = {name: table.clone().requires_grad_() for name, table in method.tables.items()}
        self.chance = random.Random(seed)

    def play(self, count: int, times: int = 1) -> tuple[list[Attempt], list[list[Choice]]]:
        """Episodes about `count` new questions, each asked `times` times; and what was chosen in them."""
        samples = [sample for _ in range(count) for sample in [self.method.ask(self.chance)] * times]
        written = [self._write(sample) for sample in samples]
        config = EpisodeConfig(self.method.mode, max_turns=8)

        async def run() -> list[Trajectory]:
            return [
                await Agent(ScriptedPolicy(replies), config=config, verify=False).aask(IMAGE, sample.question)
                for sample, (replies, _) in zip(samples, written, strict=True)
            ]

        runs = asyncio.run(run())
        attempts = [Attempt(trajectory, sample) for trajectory, sample in zip(runs, samples, strict=True)]
        return attempts, [choices for _, choices in written]

    def _write(self, sample: Sample) -> tuple[list[str], list[Choice]]:
        choices: list[Choice] = []

        def choose(table: str, state: int) -> int:
            weights = self.logits[table][state].detach().softmax(-1).tolist()
            choices.append(Choice(table, state, self.chance.choices(range(len(weights)), weights)[0]))
            return choices[-1].taken

        return self.method.write(sample, self.chance, choose), choices

    def log_probs(self, chosen: Sequence[Sequence[Choice]]) -> torch.Tensor:
        """Of what was chosen, shape (N, choices of an episode)."""
        whole = {name: table.log_softmax(-1) for name, table in self.logits.items()}
        return torch.stack([torch.stack([whole[c.table][c.state, c.taken] for c in each]) for each in chosen])


def train(method: Method, arm: Mapping[str, Any], seed: int, steps: int) -> dict[str, float]:
    """Train a table, and measure its outcome and its right answers on new questions."""
    policy = Tables(method, seed)
    config = AlgorithmConfig(k=0.0, beta=0.0, group_size=GROUP)
    judge = Judge(reward_of(TrainSettings(model="tables", mode=method.mode.name, **arm)))
    optimiser = torch.optim.Adam(policy.logits.values(), lr=0.1)
    for _ in range(steps):
        attempts, chosen = policy.play(QUESTIONS, GROUP)
        scores = judge.scores(in_groups(attempts, GROUP))
        log_probs = policy.log_probs(chosen)
        shaping = [Shaping(weight, torch.tensor(values)) for weight, values in shaping_of(scores)]
        lengths = torch.full((len(attempts),), log_probs.shape[1])
        weights = rollout_weights(torch.tensor([score.reward for score in scores]), lengths, config, shaping)
        loss = ap_grpo_loss(log_probs, log_probs.detach(), None, torch.ones_like(log_probs), weights, config)
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
    attempts, _ = policy.play(TESTED)
    return {
        "outcome": statistics.mean(method.outcome(each.trajectory, each.sample) for each in attempts),
        "right": statistics.mean(_right(each.trajectory, each.sample) for each in attempts),
    }


def line(name: str, arm: str, found: Sequence[Mapping[str, float]]) -> str:
    """Of the table: means over seeds, and the lowest and the highest outcome."""
    outcomes = [each["outcome"] for each in found]
    right = statistics.mean(each["right"] for each in found)
    spread = f"{min(outcomes):.2f} to {max(outcomes):.2f}"
    return f"| {name} | {arm} | {statistics.mean(outcomes):.2f} ({spread}) | {right:.2f} | {len(found)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"one or more of {', '.join(METHODS)}; else all")
    parser.add_argument("--quick", action="store_true", help="two seeds, a third of the steps: a look, no result")
    arguments = parser.parse_args()
    if unknown := set(arguments.methods) - set(METHODS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; choose from {', '.join(METHODS)}")
    torch.set_num_threads(1)
    print("| method | arm | outcome | right | seeds |\n|---|---|---|---|---|")
    results: dict[str, Any] = {}
    for name in arguments.methods or METHODS:
        method = METHODS[name]
        steps, seeds = (method.steps // 3, 2) if arguments.quick else (method.steps, SEEDS)
        for arm, settings in {"start": None, **method.arms}.items():
            found = [train(method, settings or {}, seed, steps if settings is not None else 0) for seed in range(seeds)]
            results[f"{name}, {arm}"] = found
            print(line(name, arm, found), flush=True)
    if not arguments.quick and not arguments.methods:
        write_json(RESULTS / "neighbours.json", results)
        print(f"written: {RESULTS / 'neighbours.json'}", file=sys.stderr)


if __name__ == "__main__":
    main()
