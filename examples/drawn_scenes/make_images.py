"""Writes the example images and the questions about them: ``python examples/drawn_scenes/make_images.py``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from scene_texts import Fact, SignText
from scenes import STREET, Scene, draw_scene

STREET_SEED = 13
STREET_PLACES = ((2010, 2060), (3290, 2170), (1060, 2170))  # all of them stand on the pavement
STREET_SIGNS = (
    SignText(
        "shop",
        ("Marwick Bakery", "14 Alderford Lane", "Tel 0482 716 395", "Open 7:30-18:15"),
        (
            Fact("shop", "Marwick Bakery", (0,), "the bakery", ("Marwick",)),
            Fact("address", "14 Alderford Lane", (1,), "the bakery"),
            Fact("phone", "0482 716 395", (2,), "the bakery", ("Tel 0482 716 395",)),
            Fact("hours", "7:30-18:15", (3,), "the bakery", ("Open 7:30-18:15",)),
        ),
        ("blue",),
    ),
    SignText(
        "prices",
        ("Honey $6.80", "Plums $3.49"),
        (
            Fact("price", "$6.80", (0,), "the honey", ("6.80", "Honey $6.80")),
            Fact("price", "$3.49", (1,), "the plums", ("3.49", "Plums $3.49")),
        ),
        ("yellow",),
    ),
    SignText(
        "bus_stop",
        ("Fenley Bridge", "Stop 5274", "Bus 38, 62"),
        (
            Fact("stop", "5274", (1,), "", ("Stop 5274",)),
            Fact("bus", "38, 62", (2,), "", ("Bus 38, 62", "38 62")),
        ),
        ("green",),
    ),
)


def draw_examples() -> dict[str, tuple[Scene, int]]:
    """Draws the example scenes.

    Returns:
        File name to scene and JPEG quality.
    """
    small = (2000, 1500)
    return {
        "street.jpg": (
            draw_scene(STREET_SEED, 16, background=STREET, texts=STREET_SIGNS, places=STREET_PLACES, max_rotation=1.5),
            82,
        ),
        "several.jpg": (draw_scene(8, 14, size=small, background="mountains.jpg"), 75),
        "rotated.jpg": (draw_scene(7, 16, size=small, background="stream.jpg"), 75),
        "low_contrast.jpg": (
            draw_scene(4, 15, size=small, background="fig.jpg", low_contrast=True),
            80,
        ),
    }


def write_examples(out: Path) -> None:
    """Writes the images to a folder, and what they answer to ``questions.jsonl``, for `hart-agent eval`."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, (scene, quality) in draw_examples().items():
        scene.image.save(out / name, quality=quality, subsampling=0 if quality > 81 else 2)
        for question in scene.questions:
            if question.answer is not None and question.box is not None:
                row = {
                    "image": name,
                    "question": question.text,
                    "answer": question.answer,
                    "boxes": [question.box],
                    "category": question.kind,
                }
                rows.append(row | ({"alternatives": question.alternatives} if question.alternatives else {}))
        print(f"{out / name}: {scene.image.width}x{scene.image.height}")
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (out / "questions.jsonl").write_text(text, encoding="utf-8")


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description="Write the example images and their questions.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "images", help="folder to write to")
    write_examples(parser.parse_args().out)


if __name__ == "__main__":
    main()
