"""Distilled into one glance: what a miniature answers at once, and what it answers by zooming, by image tokens.

    python examples/miniature/glance.py            two cold starts, three seeds each: some twelve minutes of one core
    python examples/miniature/glance.py --quick    one cold start, 100 scenes: a look of four minutes

A cold start answers the training scenes in the closed loop; where it is right, it learns to give that answer at once,
from the full image alone (`--targets glance`). All are then asked about test scenes that neither has seen. A student
that is trained already, in the folder `--work`, is not trained again. Larger views, which take most of the time, are
those of the first seed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from transformers.utils import logging

from hart_agent.agent import Agent
from hart_agent.agent.config import EpisodeConfig
from hart_agent.agent.modes import Mode
from hart_agent.backends.local.transformers import TransformersPolicy
from hart_agent.store.files import write_json
from miniature.jobs import COLD_STARTS, SEEDS, SFT_LEARNING_RATE, SFT_SCENES, STARTS, TEST_SCENES
from miniature.plots import load_pyplot
from miniature.scenes import Scene, Split, draw_scene, write_jsonl
from miniature.tokenizer import MAX_CALLS, MAX_PIXELS, MAX_TOKENS, MAX_TURNS
from rl.config import SftSettings
from rl.data import load_samples
from rl.local.model import PolicyModel
from rl.local.run import load_frozen
from rl.local.sft import SftTrainer

RESULTS = Path(__file__).parent / "results"
SIDES = (1, 2, 4)
"""Of an overview, in times of the one that the cold start has learnt from: a hidden dot has .9, 1.8 or 3.5 pixels."""
STEPS = 60


@dataclass(frozen=True)
class Point:
    """What one model answers in one way.

    Attributes:
        way: it is asked in, and by which weights.
        pixels: the most that a view has.
        tokens: of images a question, on average: each view that it was shown, by 8 x 8 pixels.
        accuracy: right answers of all questions.
        hidden: right answers of those whose dot the smallest overview doesn't show.
    """

    way: str
    pixels: int
    tokens: float
    accuracy: float
    hidden: float


async def measure(model: Path, way: str, mode: Mode, pixels: int, scenes: Sequence[Scene]) -> Point:
    """Ask each scene's question, greedily."""
    policy = TransformersPolicy(str(model), device="cpu", max_pixels=pixels, max_tokens=MAX_TOKENS, max_batch=64)
    config = EpisodeConfig(mode, max_turns=MAX_TURNS, max_calls_per_turn=MAX_CALLS)
    agent, busy = Agent(policy, config=config, verify=False), asyncio.Semaphore(64)

    async def ask(scene: Scene) -> tuple[bool, int]:
        async with busy:
            found = await agent.aask(scene.image, scene.asked.question)
        views = [found.overview, *(view for turn in found.turns for result in turn.results for view in result.views)]
        tokens = sum(view.frame.size.area for view in views) // found.profile.budget.grid**2
        return found.answer == scene.asked.answer, tokens

    told = await asyncio.gather(*map(ask, scenes))
    right = [each for each, _ in told]
    hidden = [each for each, scene in zip(right, scenes, strict=True) if scene.dots == "hidden"]
    tokens = statistics.mean(tokens for _, tokens in told)
    return Point(way, pixels, tokens, statistics.mean(right), statistics.mean(hidden))


class Student(SftTrainer):
    """Learns from views of another size than its teacher knows: the teacher goes on seeing its own."""

    def initial_model(self) -> PolicyModel:
        return load_frozen(replace(self.settings, max_pixels=MAX_PIXELS))


def distil(cold_start: Path, seed: int, pixels: int, questions: Path, out: Path) -> Path:
    """Train a cold start on its own right answers, given at once."""
    settings = SftSettings(
        targets="glance", attempts=4, model=str(cold_start), steps=STEPS, prompts_per_step=24,
        learning_rate=SFT_LEARNING_RATE, max_tokens=MAX_TOKENS, max_pixels=pixels, micro_batch=96, device="cpu",
        seed=seed, keep_checkpoints=1,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    return Student(settings, load_samples(questions), out).train()


def jobs(work: Path, starts: Sequence[int], seeds: Sequence[int], scenes: Sequence[Scene]) -> Iterator[list[Point]]:
    """What each cold start answers by zooming and at once, and at once after it was distilled."""
    folder = work / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    questions = write_jsonl(folder, Split.TRAIN, SFT_SCENES)
    for start in starts:
        cold_start = COLD_STARTS / str(start)
        ways = [("closed loop", Mode.CLOSED_LOOP, MAX_PIXELS), ("crop and overview", Mode.MGPO, MAX_PIXELS)]
        ways += [("at once", Mode.DIRECT, MAX_PIXELS * side**2) for side in SIDES]
        yield [asyncio.run(measure(cold_start, *way, scenes)) for way in ways]
        for seed in seeds:
            points = []
            for pixels in (MAX_PIXELS * side**2 for side in (SIDES if seed == seeds[0] else SIDES[:1])):
                student = distil(cold_start, seed, pixels, questions, work / f"start{start}-seed{seed}-{pixels}")
                points.append(asyncio.run(measure(student, "at once, distilled", Mode.DIRECT, pixels, scenes)))
            yield points


def report(points: Sequence[Point], folder: Path) -> str:
    """A table, and its plot in `folder`: means over cold starts and seeds, and the range."""
    pyplot = load_pyplot()
    figure, axes = pyplot.subplots(figsize=(6, 4))
    lines = ["| way | pixels of a view | image tokens | right | of hidden dots | right per 1,000 image tokens | runs |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for way in dict.fromkeys(point.way for point in points):
        drawn = []
        for pixels in sorted({point.pixels for point in points if point.way == way}):
            same = [point for point in points if (point.way, point.pixels) == (way, pixels)]
            tokens, right, hidden = (
                statistics.mean(values)
                for values in zip(*((each.tokens, each.accuracy, each.hidden) for each in same), strict=True)
            )
            spread = f"{min(each.accuracy for each in same):.3f} to {max(each.accuracy for each in same):.3f}"
            lines.append(
                f"| {way} | {pixels:,} | {tokens:.1f} | {right:.3f} ({spread}) | {hidden:.3f} | "
                f"{1000 * right / tokens:.1f} | {len(same)} |"
            )
            drawn.append((tokens, right))
        axes.plot(*zip(*drawn, strict=True), "o-", label=way)
    axes.set(xlabel="image tokens a question", ylabel="right answers", xscale="log", ylim=(0, 1))
    axes.axhline(0.25, color="grey", linestyle=":")
    axes.legend()
    figure.tight_layout()
    figure.savefig(folder / "glance.png", dpi=120)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one cold start, 100 scenes")
    parser.add_argument("--work", type=Path, default=Path("runs/glance"), help="folder of scenes and checkpoints")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    scenes = [draw_scene(Split.TEST, number) for number in (TEST_SCENES[:100] if arguments.quick else TEST_SCENES)]
    starts = STARTS[:1] if arguments.quick else STARTS
    points = []
    for found in jobs(arguments.work, starts, SEEDS[:1] if arguments.quick else SEEDS[:3], scenes):
        points += found
        print(*found, sep="\n", file=sys.stderr, flush=True)
    folder = arguments.work if arguments.quick else RESULTS
    write_json(folder / "glance.json", {"tested": len(scenes), "points": [asdict(point) for point in points]})
    print(report(points, folder))


if __name__ == "__main__":
    main()
