"""What MedVR's branching of rollouts teaches that rollouts from the question alone don't: a table that zooms twice.

    python examples/miniature/branches.py           with and without branching, five seeds: ten minutes of one core
    python examples/miniature/branches.py --quick   two seeds, fewer steps: a look

An overview has 9 regions, the right one shows a sign and its 9 parts, the right part the evidence. The policy is a
table: for each type of question a distribution over the regions, and over the parts of a region with a sign; elsewhere
it answers at once. All else is real: episodes, the rollouts and forks of `rl.local.rollout`, rewards, AP-GRPO's loss
with k = 0. A fork begins where the policy was unsure of a box: more of a group may choose a part of a right region.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from PIL import Image

from hart_agent.agent.modes import Mode
from hart_agent.answers import AnswerType
from hart_agent.backends.local.generation import Generated
from hart_agent.backends.local.prompting import Prompt
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import FinishReason
from hart_agent.dialogue.vocabularies.vocabulary import OURS
from hart_agent.store.files import write_json
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.vision.budget import CoordinateProfile, ViewBudget
from hart_agent.vision.geometry import CoordinateSpace
from miniature.claims import interval
from rl.ap_grpo import ap_grpo_loss, rollout_weights
from rl.config import AlgorithmConfig, TrainSettings, rollout_episode
from rl.data import Sample
from rl.data.rows import Rollout
from rl.local.rollout import roll_out
from rl.rewards import Judge, reward_of
from rl.rewards.scores import Attempt, in_groups

RESULTS = Path(__file__).parent / "results"
TYPES, PLACES, SIDE = 4, 9, 63
QUESTIONS, GROUP, SEEDS, STEPS, RATE = 8, 8, 5, 60, 0.1
READ, LEAK = 0.9, 0.25
"""Right answers with the evidence in view, and without it."""
REGION_HOME, PART_HOME = 0.5, 0.7
"""How often the evidence is in its type's favourite region, and part."""
LIKED = 2.0
"""How much the start prefers these, as a logit; there is noise of .5 around it."""
ARMS: Mapping[str, Mapping[str, Any]] = {
    "right answers, with branching": {"branching": True},
    "right answers": {},
    "MedVR's reward, with branching": {"branching": True, "reward": "rl.rewards.medvr:reward"},
    "MedVR's reward": {"reward": "rl.rewards.medvr:reward"},
}
_CALL, _END_OF_CALL = '<tool_call>{"name": "zoom", "arguments": {"bbox_2d": ', "}}</tool_call>"


def place_box(region: int, part: int | None = None) -> list[int]:
    """A region, or one of its parts, in pixels of the image."""
    third, ninth = SIDE // 3, SIDE // 9
    x, y = region % 3 * third, region // 3 * third
    if part is None:
        return [x, y, x + third, y + third]
    return [x + part % 3 * ninth, y + part // 3 * ninth, x + (part % 3 + 1) * ninth, y + (part // 3 + 1) * ninth]


BOXES = [place_box(region) for region in range(PLACES)] + [
    place_box(region, part) for region in range(PLACES) for part in range(PLACES)
]
WORDS = [_CALL, _END_OF_CALL, "<answer>right</answer>", "<answer>wrong</answer>", *map(str, BOXES)]
FIRST_BOX = 4


class World:
    """Where each type's evidence is, and a start that half knows it; of one seed."""

    def __init__(self, seed: int) -> None:
        chance = torch.Generator().manual_seed(seed)
        homes = torch.randint(PLACES, (TYPES, 2), generator=chance)
        at_home = torch.nn.functional.one_hot(homes, PLACES).float()  # (Z, 2, P)
        share = torch.tensor([REGION_HOME, PART_HOME])[:, None]
        self.likely = at_home * share + (1 - at_home) * (1 - share) / (PLACES - 1)
        """Of each region, and of each part of it, (Z, 2, P)."""
        self.start = LIKED * at_home + 0.5 * torch.randn(at_home.shape, generator=chance)

    def inside(self, logits: torch.Tensor) -> float:
        """Of sampled episodes, those that end with the evidence in view; exact."""
        return float((logits.softmax(-1) * self.likely).sum(-1).prod(-1).mean())


class TableModel:
    """A table as `rl.local.rollout` sees a model. What it would see in views it is told in the question.

    Args:
        world: whose start it begins with.

    Attributes:
        logits: shape (Z, 2, P).
    """

    name = "table"
    vocabulary = OURS
    profile = CoordinateProfile(CoordinateSpace.PIXEL, ViewBudget(max_pixels=SIDE * SIDE))

    def __init__(self, world: World) -> None:
        self.logits = world.start.clone().requires_grad_()
        self.prompter = self

    def forget_images(self) -> None:
        """It keeps none."""

    def words(self, token_ids: Sequence[int]) -> str:
        return "".join(WORDS[token] for token in token_ids)

    def text(self, token_ids: Sequence[int], opened: str) -> str:
        return self.words(token_ids)

    def finish_reason(self, token_ids: Sequence[int], opened: str) -> FinishReason:
        return FinishReason.STOP

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec], seed: int) -> Prompt:
        """The type and the place that are asked about, and the boxes that were zoomed into, as numbers."""
        asked = re.search(r"type (\d+), place (\d+)", "".join(message.text for message in messages))
        assert asked is not None
        zoomed = [call.arguments["bbox_2d"] for message in messages for call in message.calls]
        return Prompt((int(asked[1]), int(asked[2]), *map(BOXES.index, zoomed)), (), 8, seed)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generated]:
        return [self._reply(prompt) for prompt in prompts]

    def _reply(self, prompt: Prompt) -> Generated:
        chance = random.Random(prompt.seed)
        kind, where, *zoomed = prompt.token_ids
        turn, region = len(zoomed), where // PLACES
        if turn < 2 and zoomed == [region][:turn]:
            chances = self.logits[kind, turn].detach().softmax(-1)
            (place,) = chance.choices(range(PLACES), chances.tolist())
            box = place if turn == 0 else PLACES + region * PLACES + place
            spread = float(torch.special.entr(chances).sum())
            said, sure, unsure = (0, FIRST_BOX + box, 1), float(chances[place].log()), (0.0, spread, 0.0)
            return Generated(said, (0.0, sure, 0.0), len(prompt.token_ids), unsure)
        right = chance.random() < (READ if zoomed[1:] == [PLACES + where] else LEAK)
        return Generated((2 if right else 3,), (0.0,), len(prompt.token_ids), (0.0,))

    def log_probs(self, rollouts: Sequence[Rollout]) -> torch.Tensor:
        """Of the boxes of each rollout, (N, 2); 0 where it has fewer."""
        whole = self.logits.log_softmax(-1)
        zero = whole.new_zeros(())
        rows = [
            [
                whole[segment.prompt.token_ids[0], turn, (segment.token_ids[1] - FIRST_BOX) % PLACES]
                for turn, segment in enumerate(rollout.segments)
                if len(segment.token_ids) > 1
            ]
            for rollout in rollouts
        ]
        return torch.stack([torch.stack([*row, *[zero] * (2 - len(row))]) for row in rows])


def train(arm: Mapping[str, Any], seed: int, steps: int, image: Path) -> dict[str, float]:
    """Train a table.

    Returns:
        `inside`, the share of episodes that end with the evidence in view, exact, at the `start` and at the end; and
        of the rollouts in training those that chose a part of a right region, `second`.
    """
    world, chance = World(seed), random.Random(seed)
    model, runtime = TableModel(world), ToolRuntime(discover_tools())
    settings = TrainSettings(model="table", mode=Mode.AGENT.name, **arm)
    config, judge = AlgorithmConfig(k=0.0, beta=0.0, group_size=GROUP), Judge(reward_of(settings))
    optimiser = torch.optim.Adam([model.logits], lr=RATE)
    seconds: list[float] = []
    for step in range(steps):
        samples = [_ask(world, number % TYPES, chance, image, f"{step}-{number}") for number in range(QUESTIONS)]
        episode = rollout_episode(Mode.AGENT, 4)
        seeded = seed * 1_000_003 + step
        rollouts = asyncio.run(
            roll_out(model, runtime, episode, samples, GROUP, seeded, branching=settings.branching)  # type: ignore[arg-type]
        )
        scores = judge.scores(in_groups([Attempt(each.trajectory, each.sample) for each in rollouts], GROUP))
        log_probs = model.log_probs(rollouts)
        mask = (log_probs != 0).float()
        rewards = torch.tensor([score.reward for score in scores])
        weights = rollout_weights(rewards, mask.sum(-1), config)
        loss = ap_grpo_loss(log_probs, log_probs.detach(), None, mask, weights, config)
        optimiser.zero_grad()
        loss.value.backward()
        optimiser.step()
        seconds.append(float((mask.sum(-1) > 1).float().mean()))
    return {
        "start": world.inside(world.start), "inside": world.inside(model.logits.detach()),
        "second": statistics.mean(seconds) if seconds else 0.0,
    }  # fmt: skip


def _ask(world: World, kind: int, chance: random.Random, image: Path, name: str) -> Sample:
    region, part = (chance.choices(range(PLACES), row.tolist())[0] for row in world.likely[kind])
    question = f"type {kind}, place {region * PLACES + part}: is it right?"
    return Sample(name, image, question, "right", AnswerType.TEXT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two seeds, a third of the steps: a look, no result")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds, steps = (2, STEPS // 3) if arguments.quick else (SEEDS, STEPS)
    print("| rewarded | evidence in view | start | rollouts with a second box | seeds |\n|---|---|---|---|---|")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "grey.png"
        Image.new("RGB", (SIDE, SIDE), "grey").save(image)
        for name, arm in ARMS.items():
            results[name] = found = [train(arm, seed, steps, image) for seed in range(seeds)]
            cells = [str(interval([each[figure] for each in found])) for figure in ("inside", "start", "second")]
            print(f"| {name} | {' | '.join(cells)} | {seeds} |", flush=True)
    for name in list(ARMS)[1::2]:
        branched = results[f"{name}, with branching"]
        gains = [one["inside"] - other["inside"] for one, other in zip(branched, results[name], strict=True)]
        print(f"{name}: with branching minus without {interval(gains)}")
    if not arguments.quick:
        write_json(RESULTS / "branches.json", results)
        print(f"written: {RESULTS / 'branches.json'}", file=sys.stderr)


if __name__ == "__main__":
    main()
