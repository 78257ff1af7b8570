"""How well and how fast the embedded reader answers, on drawn scenes whose phrasings and words it was not tuned on.

    python tests/benchmarks/embedded_reader.py [--scenes 14] [--json FILE]

Each scene is a real photo of 16 or 24 megapixels with signs drawn onto it (examples/scenes.py, held-out seeds from
4000 on), with letters of a given height. Three ways are compared on the same questions, side by side in one run:

- agent: `Agent().ask`, the product;
- overview: what can be read on the downsampled overview alone;
- sweep: the whole photo read in tiles at the magnification that the agent's zooms use. One sweep serves all questions
  of a scene, and each is charged its full time.

An answer is exact if it is the wanted one but for case, punctuation and spaces between words. "exact" of a question
that text can't answer means that no answer was given. "panel": of the questions for all of a sign that were answered
exactly, those whose evidence has an intersection over union of at least 0.5 with the drawn board; "inside": of all
answered exactly, those whose evidence holds all of the answer's drawn letters, but for 2 pixels.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "drawn_scenes"))

import scenes

from hart_agent import Agent, Box, EpisodeConfig, SourceImage, Verdict, View
from hart_agent.answers import agree
from hart_agent.backends.embedded import EmbeddedPolicy
from hart_agent.backends.embedded.answering import find
from hart_agent.backends.embedded.question import understand
from hart_agent.ocr import Sign, TextReader, bounds, group, locate, merge
from hart_agent.vision.geometry import Frame, Size

LETTERS = (10, 12, 16, 20, 24, 28, 32)
"""Heights of the capital letters in pixels, one scene each in turn."""

SIZES = ((5312, 2988), (6000, 4000))
TILE = Size(1300, 980)
OVERLAP = 160


@dataclass(frozen=True)
class Outcome:
    """One question, one way. `seconds` is wall-clock time, `cpu_seconds` that of all threads."""

    way: str
    seed: int
    letter_px: int | None
    kind: str
    question: str
    wanted: str | None
    answer: str | None
    verdict: str
    exact: bool
    panel_iou: float | None
    inside: bool
    seconds: float
    cpu_seconds: float


def judge(
    scene: scenes.Scene, question: scenes.Question, answer: str | None, boxes: Sequence[Box]
) -> tuple[bool, float | None, bool]:
    """Whether the answer is right, the IoU of the boxes' union with the board where all of a sign is asked for, and
    whether the union holds the answer's letters.
    """
    if question.answer is None or answer is None:
        return question.answer is answer, None, False
    exact = any(agree(wanted, answer) for wanted in (question.answer, *question.alternatives))
    if not boxes or question.box is None:
        return exact, None, False
    union, (x0, y0, x1, y1) = boxes[0], question.box
    for box in boxes[1:]:
        union = union.union(box)
    inside = union.x0 <= x0 + 2 and union.y0 <= y0 + 2 and union.x1 >= x1 - 2 and union.y1 >= y1 - 2
    boards = [sign.box for sign in scene.signs if question.kind == "whole" and sign.text_box == question.box]
    return exact, union.iou(Box(*boards[0])) if boards else None, inside


def read_views(reader: TextReader, source: SourceImage, boxes: Sequence[Box]) -> list[Sign]:
    """Everything that can be read on the given regions, each shown as the agent's zoom would show it."""
    budget = EmbeddedPolicy.profile.budget
    whole = Frame(source.size.box, source.size)
    lines = []
    for box in boxes:
        size = budget.magnify(box.size)
        view = View("view", "zoom", source.render(box, size), Frame(box, size))
        lines += locate(reader.read(view.image), view, whole)
    return group(merge(lines))


def tiles(photo: Size) -> list[Box]:
    """Overlapping tiles that cover a photo."""
    columns = range(0, max(photo.width - OVERLAP, 1), TILE.width - OVERLAP)
    rows = range(0, max(photo.height - OVERLAP, 1), TILE.height - OVERLAP)
    return [
        Box(x, y, min(x + TILE.width, photo.width), min(y + TILE.height, photo.height)) for y in rows for x in columns
    ]


def ask_signs(signs: list[Sign], question: scenes.Question, photo: Size) -> tuple[str | None, list[Box]]:
    """The same understanding of questions as the agent's, from signs that were read some other way."""
    query = understand(question.text)
    if not query.is_readable:
        return None, []
    finding = find(query, signs, photo)
    return finding.text, [Box.covering(bounds(lines), photo) for lines in finding.lines]


def run_scene(agent: Agent, reader: TextReader | None, seed: int, letter_px: int) -> list[Outcome]:
    """All questions of one scene, all three ways."""
    scene = scenes.draw_scene(seed, letter_px, size=SIZES[seed % 2])
    outcomes = []
    with SourceImage(scene.image) as source:
        readings = {}
        for way, regions in (("overview", [source.size.box]), ("sweep", tiles(source.size))) if reader else ():
            started, cpu = time.perf_counter(), time.process_time()
            signs = read_views(reader, source, regions)
            readings[way] = signs, time.perf_counter() - started, time.process_time() - cpu
        for question in scene.questions:
            started, cpu = time.perf_counter(), time.process_time()
            result = agent.ask(source, question.text)
            spent = time.perf_counter() - started, time.process_time() - cpu
            boxes = [item.box for item in result.evidence]
            outcomes.append(outcome("agent", scene, seed, question, result.answer, boxes, result.verdict, *spent))
            for way, (signs, *times) in readings.items():
                answer, boxes = ask_signs(signs, question, source.size)
                outcomes.append(outcome(way, scene, seed, question, answer, boxes, Verdict.UNCHECKED, *times))
    return outcomes


def outcome(
    way: str, scene: scenes.Scene, seed: int, question: scenes.Question, answer: str | None,
    boxes: Sequence[Box], verdict: Verdict,
    seconds: float, cpu_seconds: float,
) -> Outcome:  # fmt: skip
    if answer is not None and understand(question.text).kind == "where":
        answer = answer.rsplit(" (", 1)[0]  # the place in words; it is judged by the box
    exact, panel, inside = judge(scene, question, answer, boxes)
    return Outcome(
        way, seed, question.letter_px, question.kind, question.text, question.answer, answer, verdict.value, exact,
        None if panel is None else round(panel, 3), inside, round(seconds, 3), round(cpu_seconds, 3),
    )  # fmt: skip


def report(outcomes: Sequence[Outcome]) -> str:
    """The table: a row per way and letter height."""
    rows = [
        f"{'way':9} {'letters':>10} {'n':>4} {'exact':>7} {'panel':>7} {'inside':>7} {'supported':>9} "
        f"{'median s':>9} {'max s':>7} {'cpu s':>7}"
    ]
    for way in ("agent", "overview", "sweep"):
        mine = [item for item in outcomes if item.way == way]
        groups = {
            "10-11 px": [item for item in mine if item.letter_px and item.letter_px < 12],
            ">= 12 px": [item for item in mine if item.letter_px and item.letter_px >= 12],
            "no answer": [item for item in mine if item.letter_px is None],
            "all": mine,
        }
        for name, items in groups.items():
            if items:
                rows.append(row(way, name, items))
    return "\n".join(rows)


def row(way: str, name: str, items: Sequence[Outcome]) -> str:
    count = len(items)
    exact = sum(item.exact for item in items) / count
    right = [item for item in items if item.exact and item.answer is not None]
    boards = [item.panel_iou >= 0.5 for item in right if item.panel_iou is not None]
    panel = f"{sum(boards)}/{len(boards)}"
    inside = f"{sum(item.inside for item in right)}/{len(right)}"
    supported = sum(item.verdict == Verdict.SUPPORTED for item in items) / count
    seconds = [item.seconds for item in items]
    cpu = statistics.median(item.cpu_seconds for item in items)
    return (
        f"{way:9} {name:>10} {count:4} {exact:7.1%} {panel:>7} {inside:>7} {supported:9.1%} "
        f"{statistics.median(seconds):9.2f} {max(seconds):7.2f} {cpu:7.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=14)
    parser.add_argument("--first-seed", type=int, default=scenes.HELD_OUT_FROM)
    parser.add_argument("--max-seconds", type=float, help="for a question; by default what the policy takes")
    parser.add_argument("--only-agent", action="store_true", help="leave out the overview and the sweep")
    parser.add_argument("--json", type=Path, help="write every outcome to this file")
    parser.add_argument("--show-wrong", action="store_true", help="print the agent's wrong answers")
    arguments = parser.parse_args()
    agent, reader = Agent(config=EpisodeConfig(max_seconds=arguments.max_seconds)), TextReader()
    outcomes: list[Outcome] = []
    for index in range(arguments.scenes):
        outcomes += run_scene(
            agent, None if arguments.only_agent else reader, arguments.first_seed + index, LETTERS[index % len(LETTERS)]
        )
        print(f"scene {index + 1} of {arguments.scenes}", file=sys.stderr)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(item) for item in outcomes], indent=1))
    if arguments.show_wrong:
        for item in outcomes:
            if item.way == "agent" and not item.exact:
                print(f"{item.seed} {item.letter_px} px: {item.question} wanted {item.wanted!r}, got {item.answer!r}")
    print(report(outcomes))


if __name__ == "__main__":
    main()
