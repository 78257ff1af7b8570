"""Our crops beside those of published agents' own code, on random boxes: python crops.py FOLDER [NAME ...]

FOLDER holds checkouts of their repositories: DeepEyes, Chain-of-Focus, Qwen-Agent, SenseNova-MARS, Pixel-Reasoner,
RLtool (REVPT), Mini-o3, Ground-R1 and Perceive-to-Reason. Prints for each agent how many crops have the same size, and
how far their pixels are apart. Needs the extra `transformers`; SenseNova-MARS needs aiohttp and pyyaml.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from agents import AGENTS, quietly
from PIL import Image

from hart_agent.backends.options import ModelOptions
from hart_agent.backends.spoken import spoken
from hart_agent.dialogue.messages import ToolCall
from hart_agent.dialogue.results import RawCall
from hart_agent.dialogue.vocabularies.translating import canonical
from hart_agent.tooling.discovery import discover_tools
from hart_agent.tooling.protocol import ToolContext
from hart_agent.tooling.runtime import ToolRuntime
from hart_agent.tooling.standalone import Nobody
from hart_agent.vision.source import SourceImage

PHOTO = Path(__file__).resolve().parents[3] / "examples/images/backgrounds/fig.jpg"
BOXES = 200
SIZE = (896, 672)


@dataclass
class Compared:
    """What came of the boxes of one agent; pixels from 0 to 255."""

    same_size: int = 0
    both_refused: int = 0
    one_refused: list[str] = field(default_factory=list)
    other_size: list[str] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        apart = f"{np.mean(self.distances):.2f} apart on average, {max(self.distances):.2f} at most"
        lines = [f"{self.same_size} of the same size, their pixels {apart}; {self.both_refused} refused by both"]
        for words, found in (("another size", self.other_size), ("refused by one", self.one_refused)):
            lines += [f"  {len(found)} {words}, such as {'; '.join(found[:3])}"] if found else []
        return "\n".join(lines)


class Ours:
    """Our crop for a box as the agent's model writes it."""

    def __init__(self, name: str, photo: Path) -> None:
        speech = spoken(ModelOptions(vocabulary=name), None)
        self.vocabulary, self.profile = speech.vocabulary, speech.profile
        self._runtime = ToolRuntime(discover_tools())
        self._source = SourceImage(photo)
        self.context = ToolContext(self._source, "?", Nobody(self.profile))
        self.overview = self.context.render(self._source.size.box, "overview").frame.size

    def written(self, box: tuple[int, int, int, int]) -> list[float]:
        """A box in original pixels as the model writes it."""
        frame = self.context.views["overview"].frame
        rect = frame.from_original(box, self.profile.space)
        return [round(value, 3 if self.profile.space == "unit" else 0) for value in rect]

    def crop(self, numbers: list[float]) -> Image.Image | None:
        form = self.vocabulary.calls
        theirs = next(theirs for theirs, ours in form.arguments.items() if ours == "bbox_2d")
        raw = RawCall(next(iter(form.tools)), {theirs: numbers}, "")
        name, arguments = canonical(raw, self.vocabulary, self.context.views, self._source.size)
        _, views = asyncio.run(self._runtime.execute(ToolCall("c", name, arguments, ""), self.context.draft()))
        return views[0].image if views else None


def compare(name: str, root: Path, photo: Path) -> Compared:
    ours, theirs, found = Ours(name, photo), quietly(AGENTS[name](root)), Compared()
    chance = random.Random(7)
    with Image.open(photo) as opened:
        image = opened.convert("RGB")
    for _ in range(BOXES):
        width, height = chance.randint(12, 450), chance.randint(12, 350)
        x0, y0 = chance.randint(0, SIZE[0] - width), chance.randint(0, SIZE[1] - height)
        numbers = ours.written((x0, y0, x0 + width, y0 + height))
        our = ours.crop(numbers)
        try:
            their = theirs(image, numbers).convert("RGB")
        except Exception:
            their = None
        told = f"{numbers}: {our.size if our else 'refused'} here, {their.size if their else 'refused'} there"
        if our is None or their is None:
            if our is None and their is None:
                found.both_refused += 1
            else:
                found.one_refused.append(told)
        elif our.size != their.size:
            found.other_size.append(told)
        else:
            found.same_size += 1
            found.distances.append(float(np.abs(np.asarray(our, float) - np.asarray(their, float)).mean()))
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("names", nargs="*", default=[])
    given = options.parse_args()
    photo = given.folder / "photo.png"
    with Image.open(PHOTO) as opened:
        opened.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS).save(photo)
    for name in given.names or AGENTS:
        print(f"{name}: {compare(name, given.folder, photo)}", flush=True)


if __name__ == "__main__":
    main()
