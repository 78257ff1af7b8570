"""What playing rollouts for OpenRLHF costs by itself, beside the same episodes driven bare.

    taskset -c 1 python tests/benchmarks/openrlhf_executor.py

Both sides do what any rollout needs: episode, prompts, tools, pixels. The engine says given words at once. What is left
is the executor's own: threads, sampling parameters, budgets, rows, masks. Exits with 1 over 3 ms of CPU a turn.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "support")]
import torch
from conftest import answer, tool_call
from PIL import Image
from scripted_engine import Parameters, ScriptedEngine
from tiny_vlm import make_tiny_vlm

from hart_agent import Mode
from hart_agent.agent.episode import Episode
from hart_agent.answers import AnswerType
from hart_agent.dialogue.policy import Reply
from hart_agent.evals.items import Item
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.runtime import ToolRuntime
from rl.config import TrainSettings
from rl.openrlhf.interaction import Interaction
from rl.openrlhf.scoring import logged, outcome
from rl.rewards import Judge, answer_reward

LIMIT = 3.0
"""Milliseconds a turn."""
TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        sides = _sides(Path(folder))
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(runs + 3):
            for name, play in sides.items():
                started = time.process_time()
                play()
                taken[name].append((time.process_time() - started) * 1000)
    medians = {name: statistics.median(times[3:]) for name, times in taken.items()}
    own = (medians["executor"] - medians["bare"]) / TURNS
    print(f"a rollout of {TURNS} turns, CPU: executor {medians['executor']:.1f} ms, bare {medians['bare']:.1f} ms")
    print(f"the executor's own: {own:.2f} ms a turn")
    sys.exit(int(own > LIMIT))


def _sides(folder: Path) -> dict[str, Callable[[], None]]:
    Image.effect_noise((2000, 1500), 60).convert("RGB").save(folder / "photo.jpg")
    sample = Item("one", folder / "photo.jpg", "what is it?", "x", AnswerType.TEXT)
    settings = TrainSettings(
        model=str(make_tiny_vlm(folder / "tiny")), mode=Mode.AGENT, max_turns=TURNS + 1, max_pixels=200_000,
        dtype="float32",
    )  # fmt: skip
    script = [tool_call("zoom", bbox_2d=[10 * number, 10, 300, 200]) for number in range(1, TURNS)] + [answer("x")]
    interaction = Interaction(settings)
    runtime = ToolRuntime(discover_tools())
    prompter, encoder = interaction.prompter, interaction.encoder

    def executor() -> None:
        engine = ScriptedEngine(prompter, script)
        played = asyncio.run(interaction.play(sample, engine, Parameters.of, 8000))
        assert len(interaction.sequence(played.rollout.segments).action_ranges) == TURNS
        outcome(Judge(answer_reward), played.rollout)
        logged(played.rollout, truncated=played.truncated)

    async def drive() -> None:
        engine = ScriptedEngine(prompter, script)
        with sample.open() as source:
            episode = Episode(source, sample.prompt(), _Asked(prompter), runtime, settings.episode())  # type: ignore[arg-type]
            while not episode.done:
                prompt = prompter.prompt(episode.messages, episode.tools)
                images = {"image": [view.image for view in prompt.views]}
                output = await engine.generate(list(prompt.token_ids), Parameters.of(prompt), images)
                said = output.outputs[0].token_ids
                await episode.step(Reply(prompter.text(said)))
            encoder.encode([replace(prompt, token_ids=(*prompt.token_ids, *said))], torch.float32)
            assert len(episode.turns) == TURNS
            answer_reward(episode.trajectory(), sample)

    return {"executor": executor, "bare": lambda: asyncio.run(drive())}


class _Asked:
    """What an episode knows of a policy that nobody asks."""

    name = "bare"

    def __init__(self, prompter: object) -> None:
        self.profile = prompter.profile  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
