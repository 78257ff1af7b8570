"""What the tests of the transformers backend share: tiny models, conversations, and words put into a model's mouth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

REASON = "torch and transformers are not installed: pip install 'hart-agent[transformers]'"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("transformers", reason=REASON)
from tiny_vlm import make_tiny_vlm  # noqa: E402

from hart_agent import (  # noqa: E402
    Box,
    Message,
    Reply,
    SourceImage,
    Trajectory,
)
from hart_agent.backends import cut_off  # noqa: E402
from hart_agent.backends.local import generation  # noqa: E402
from hart_agent.backends.local.transformers import TransformersPolicy  # noqa: E402
from hart_agent.dialogue.messages import Role  # noqa: E402
from hart_agent.tooling.protocol import ToolContext  # noqa: E402

FAMILIES = ["qwen2.5-vl", "qwen3-vl", "internvl3"]


QWEN = FAMILIES[:2]


SMALL = {"max_pixels": 40_000, "max_tokens": 12}


ODD_BOXES = [Box(5, 5, 6, 6), Box(0, 0, 3, 2000), Box(100, 100, 700, 102), Box(0, 0, 2400, 2000), Box(7, 9, 400, 333)]


Folders = Callable[[str], Path]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny models are many times slower on several threads when the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random words don't end by themselves: each reply would be asked for twice."""
    monkeypatch.setattr(cut_off, "MORE", 1)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The tiny models' folders, by family."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = make_tiny_vlm(tmp_path_factory.mktemp(family), family)
        return made[family]

    return folder


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """Noise, 2400 x 2000: no two regions look alike."""
    return Image.effect_noise((2400, 2000), 80).convert("RGB")


def conversation(policy: Any, photo: Image.Image, box: Box, words: str = "what is there?") -> list[Message]:
    """A question about one region."""
    context = ToolContext(SourceImage(photo), words, policy)
    return [Message(Role.SYSTEM, ("Answer.",)), Message(Role.USER, (context.render(box, "crop"), words))]


async def ask_together(policy: TransformersPolicy, asked: Sequence[list[Message]]) -> list[Reply]:
    return await asyncio.gather(*(policy.reply(messages, ()) for messages in asked))


def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all batches from now on."""
    sizes: list[int] = []
    original = generation.Generator._generate

    def counted(self: Any, jobs: Sequence[Any]) -> Any:
        sizes.append(len(jobs))
        return original(self, jobs)

    monkeypatch.setattr(generation.Generator, "_generate", counted)
    return sizes


def generator(policy: TransformersPolicy) -> generation.Generator:
    owner: generation.Generator = policy._batcher._work.__self__  # type: ignore[attr-defined]
    return owner


def hashes(run: Trajectory) -> list[str]:
    return [view.sha256 for turn in run.turns for result in turn.results for view in result.views]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes the model say these words, one text for each reply; everything else is as always."""
    texts: list[str] = []

    class Scripted(generation.Choice):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.words: list[int] | None = None

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            if self.words is None:
                self.words = [*tokenizer[0](texts.pop(0))["input_ids"], tokenizer[0].eos_token_id]
            wanted = torch.full_like(scores, -torch.inf)
            wanted[:, self.words.pop(0)] = 0
            return super().__call__(input_ids, wanted)

    tokenizer: list[Any] = []
    original = generation.Generator.__init__

    def remember(self: Any, place: Any, prompter: Any, *arguments: Any) -> None:
        tokenizer.append(prompter.tokenizer)
        original(self, place, prompter, *arguments)

    monkeypatch.setattr(generation, "Choice", Scripted)
    monkeypatch.setattr(generation.Generator, "__init__", remember)
    return texts


BOX = {"qwen2.5-vl": [20, 20, 120, 100], "qwen3-vl": [100, 100, 400, 300], "internvl3": [100, 100, 400, 300]}
