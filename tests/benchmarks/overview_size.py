"""What smaller overviews spare: right answers per 1,000 image tokens of the embedded reader, in the closed loop.

    python tests/benchmarks/overview_size.py [--scenes 3] [--json FILE]

Each scene is a real photo of 6 megapixels with signs drawn onto it (examples/drawn_scenes/scenes.py, held-out seeds),
whose capitals have the same height, 24 to 96 pixels of the original. The same questions are asked with the whole
overview, with a quarter and a sixteenth of its pixels, and with the size that is chosen for each question from a first
guess (`--guess-overview`); crops are as sharp in all. Image tokens are those of 28 x 28 pixels, as of Qwen2.5-VL, of
all views that were shown, the guess's included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "drawn_scenes"))

import scenes

from hart_agent import Agent, EpisodeConfig, Mode, SourceImage
from hart_agent.answers import agree
from hart_agent.backends.embedded import EmbeddedPolicy
from hart_agent.backends.embedded.policy import VIEW_PIXELS

LETTERS = (24, 48, 96)
SIZE = (3000, 2000)
FIRST = scenes.HELD_OUT_FROM + 100
TOKEN = 28 * 28


@dataclass(frozen=True)
class Asked:
    """One question, one way; `tokens` are of images, `refused` an episode without an answer."""

    way: str
    seed: int
    letter_px: int
    question: str
    right: bool
    refused: bool
    tokens: float


def ask(agent: Agent, way: str, scene: scenes.Scene, seed: int, letter_px: int) -> list[Asked]:
    """All questions of a scene that its signs answer."""
    found = []
    with SourceImage(scene.image) as source:
        for question in scene.questions:
            if question.answer is None:
                continue
            run = agent.ask(source, question.text)
            shown = [run.overview, *(view for turn in run.turns for result in turn.results for view in result.views)]
            shown += [run.glance] if run.glance is not None else []
            wanted = (question.answer, *question.alternatives)
            right = run.answer is not None and any(agree(each, run.answer) for each in wanted)
            tokens = sum(view.frame.size.area for view in shown) / TOKEN
            found.append(Asked(way, seed, letter_px, question.text, right, run.answer is None, tokens))
    return found


def report(asked: Sequence[Asked]) -> str:
    """A row for each way and height of letters."""
    rows = [
        f"{'overview':12} {'letters':>7} {'n':>3} {'right':>6} {'no answer':>9} {'tokens':>7} {'right / 1,000':>13}"
    ]
    for way in dict.fromkeys(each.way for each in asked):
        for letter_px in (*LETTERS, None):
            own = [each for each in asked if each.way == way and letter_px in (None, each.letter_px)]
            if own:
                right, refused = (
                    statistics.fmean(values)
                    for values in zip(*((each.right, each.refused) for each in own), strict=True)
                )
                tokens = statistics.fmean(each.tokens for each in own)
                rows.append(
                    f"{way:12} {letter_px or 'all':>7} {len(own):3} {right:6.2f} {refused:9.2f} {tokens:7.0f} "
                    f"{1000 * right / tokens:13.2f}"
                )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write every outcome to this file")
    arguments = parser.parse_args()
    policy = EmbeddedPolicy()
    sizes = {"whole": None, "a quarter": VIEW_PIXELS // 4, "a sixteenth": VIEW_PIXELS // 16}
    config = EpisodeConfig(Mode.CLOSED_LOOP, max_seconds=600)  # no answer shall be missing for want of time
    agents = {
        way: Agent(policy, config=replace(config, overview_pixels=pixels), verify=False)
        for way, pixels in sizes.items()
    }
    agents["from a guess"] = Agent(policy, config=config, verify=False, guess_overview=True)
    asked: list[Asked] = []
    for index in range(arguments.scenes):
        letter_px, seed = LETTERS[index % len(LETTERS)], FIRST + index
        scene = scenes.draw_scene(seed, letter_px, size=SIZE)
        for way, agent in agents.items():
            asked += ask(agent, way, scene, seed, letter_px)
        print(f"scene {index + 1} of {arguments.scenes}", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in asked], indent=1))
    print(report(asked))


if __name__ == "__main__":
    main()
