"""Writes puzzles with known answers as a training set: ``python examples/puzzles/make_puzzles.py OUT --count 300``.

OUT gets a file questions.jsonl and the pictures, the same ones for the same arguments. Nothing is downloaded. The kind
`nested` is larger, and is drawn where it is asked for: ``--kinds nested``.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from drawing import KINDS
from nested import nested

_ALL = {**KINDS, "nested": nested}


def write_puzzles(out: Path, count: int, seed: int, kinds: list[str]) -> Path:
    """Write puzzles of each kind in turn.

    Args:
        out: the folder; it is made.
        count: of all puzzles.
        seed: of what is drawn; a puzzle depends on it, its kind and its number alone.
        kinds: names of kinds.

    Returns:
        The file of the questions.
    """
    images = out / "images"
    images.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        puzzle = _ALL[kind](random.Random(f"{seed} {kind} {number}"))
        name = f"{number:05}-{kind}.png"
        puzzle.image.save(images / name, optimize=True)
        line = {
            "id": f"{seed}-{number}",
            "image": f"images/{name}",
            "question": puzzle.question,
            "answer": puzzle.answer,
            "type": puzzle.type,
            "boxes": puzzle.boxes,
            "category": kind,
        }
        lines.append(json.dumps(line | ({"steps": puzzle.steps} if puzzle.steps else {})))
    questions = out / "questions.jsonl"
    questions.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return questions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--count", type=int, default=300, help="puzzles in all")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other puzzles")
    parser.add_argument("--kinds", nargs="+", choices=list(_ALL), default=list(KINDS), help="in turn")
    given = parser.parse_args()
    print(write_puzzles(given.out, given.count, given.seed, given.kinds))


if __name__ == "__main__":
    main()
