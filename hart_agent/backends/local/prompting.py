"""From a conversation to the tokens that a local model is given, and from its tokens back to a reply.

Shared by the backends that run a model in this process, so that both show it the same.

Stopping is as with servers (see `hart_agent.backends.openai`): after an answer, an abstention, or where the model
begins to invent a tool's result; not after a call, for a turn may hold several.
"""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hart_agent.backends.chat import DEFAULT_MAX_TOKENS, STOP, ChatMessage, chat_messages
from hart_agent.backends.context import fit_context, limit_images
from hart_agent.backends.families import detect_family, detect_profile
from hart_agent.backends.local.checkpoint import Checkpoint
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.errors import ConfigError, InstallError, PolicyError
from hart_agent.vision.source import View

_INVENTED_RESULT = STOP[-1]


@dataclass(frozen=True)
class Prompt:
    """What a model is given.

    Attributes:
        token_ids: with one image token in the place of each view, which the model's processor multiplies.
        views: in order.
        max_tokens: of the reply.
        seed: of sampling, this reply's own.
    """

    token_ids: tuple[int, ...]
    views: tuple[View, ...]
    max_tokens: int
    seed: int


class Prompter:
    """Writes prompts for one model. Safe to share between threads.

    Args:
        checkpoint: the model.
        coordinates: "pixel", "thousand" or "unit", instead of what the model's family writes; or "auto".
        max_pixels: area of one view, in pixels.
        max_images: in one prompt.
        max_tokens: of one reply; None for `DEFAULT_MAX_TOKENS`.
        max_context_tokens: of prompt and reply together; None for what the model was built for.
        temperature: of sampling; 0 is greedy.
        seed: of sampling.

    Raises:
        ConfigError: a setting is out of range, or the checkpoint is not of a chat model that sees.
        InstallError: the package transformers is missing.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        coordinates: str | None,
        max_pixels: int | None,
        max_images: int | None,
        max_tokens: int | None,
        max_context_tokens: int | None,
        temperature: float,
        seed: int,
    ) -> None:
        limits = {"max_images": max_images, "max_tokens": max_tokens, "max_context_tokens": max_context_tokens}
        for name, value in limits.items():
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be positive, got {value}")
        if temperature < 0:
            raise ConfigError(f"temperature must be 0 (greedy) or more, got {temperature}")
        self.family = detect_family(str(checkpoint.path), checkpoint.config)
        self.profile = detect_profile(str(checkpoint.path), checkpoint.config, space=coordinates, max_pixels=max_pixels)
        self.temperature = temperature
        self.max_context_tokens: int | None = max_context_tokens or checkpoint.setting("max_position_embeddings")
        self.max_tokens = max_tokens or DEFAULT_MAX_TOKENS
        if self.max_context_tokens is not None:
            self.max_tokens = min(self.max_tokens, max(self.max_context_tokens // 4, 1))
        self.tokenizer = _load_tokenizer(checkpoint.path)
        self.end_ids = _end_ids(checkpoint.path, self.tokenizer)
        self.image_id = _image_id(checkpoint)
        self.banned_ids = [self.image_id, *filter(None, [checkpoint.config.get("video_token_id")])]
        """Placeholders that a model must never say: in its next prompt they would stand for images that don't exist."""
        self._special = [token.content for token in self.tokenizer.added_tokens_decoder.values() if token.special]
        self._max_images = max_images
        self._seed = seed
        self._asked: Counter[bytes] = Counter()
        self._lock = threading.Lock()

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Prompt:
        """The prompt for a conversation, within the limits.

        The reply's seed comes from the policy's seed, the prompt itself, and how often this very prompt was asked
        before: it doesn't depend on the order in which different conversations are asked.

        Raises:
            PolicyError: not even the newest turn fits, or the chat template loses images.
        """
        kept = limit_images(messages, self._max_images, self.profile.space, recall=bool(tools))
        room = None if self.max_context_tokens is None else self.max_context_tokens - self.max_tokens
        kept = fit_context(kept, room, self.family.view_tokens)
        chat = [self._disarmed(message) for message in chat_messages(kept, lambda view: view.id, native=False)]
        views = tuple(view for message in kept for view in message.views)
        with self._lock:  # a tokenizer is not for several threads at once
            text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
            token_ids = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
            if token_ids.count(self.image_id) != len(views):
                raise PolicyError(
                    f"the model's chat template shows {token_ids.count(self.image_id)} of {len(views)} images. Use a "
                    "checkpoint whose chat template takes images in the user's messages."
                )
            return Prompt(token_ids, views, self.max_tokens, self._reply_seed(token_ids, views))

    def counts(self, views: Sequence[View]) -> list[int] | None:
        """The image tokens that each view must have, one for each cell of the grid; None if the family cuts tiles."""
        if self.family.tokens_per_view is not None:
            return None
        return [view.frame.size.area // self.family.grid**2 for view in views]

    def check_counts(self, views: Sequence[View], total: int) -> None:
        """Make sure that nobody resized the views, on which the model writes its boxes.

        Args:
            views: of a prompt.
            total: the image tokens that the model was given.

        Raises:
            PolicyError: there should be more or fewer.
        """
        counts = self.counts(views)
        if counts is not None and total != sum(counts):
            raise PolicyError(
                f"the views have {total} image tokens in all, but by their sizes, "
                f"{', '.join(str(view.frame.size) for view in views)}, they should have {counts}: something resizes "
                f"them, or the model is no {self.family.name}. Update transformers, or choose another model."
            )

    def text(self, token_ids: Sequence[int]) -> str:
        """The words of a reply, without special tokens, up to where it invents a tool's result."""
        with self._lock:
            words: str = self.tokenizer.decode(token_ids, skip_special_tokens=True)
        return words.partition(_INVENTED_RESULT)[0]

    def reply_ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a reply with this text, with the one that ends it."""
        with self._lock:
            return (*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id)

    def ended(self, token_ids: Sequence[int]) -> bool:
        """Whether generation stops after these tokens of a reply, of which only the last few need be given."""
        if token_ids[-1] in self.end_ids:
            return True
        with self._lock:
            words = self.tokenizer.decode(token_ids)
        return any(stop in words for stop in STOP)

    def _disarmed(self, message: ChatMessage) -> ChatMessage:
        """A message in the words of chat templates, in which nobody's text can pass for a special token."""

        def part(entry: dict[str, Any]) -> dict[str, Any]:
            return {"type": "image"} if entry["type"] == "image_url" else {**entry, "text": self._plain(entry["text"])}

        content = message["content"]
        plain = self._plain(content) if isinstance(content, str) else [part(entry) for entry in content]
        return {"role": message["role"], "content": plain}

    def _plain(self, text: str) -> str:
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _reply_seed(self, token_ids: Sequence[int], views: Sequence[View]) -> int:
        if self.temperature == 0:
            return self._seed
        digest = hashlib.sha256(struct.pack(f"<q{len(token_ids)}I", self._seed, *token_ids))
        digest.update("".join(view.sha256 for view in views).encode())
        key = digest.digest()
        self._asked[key] += 1
        digest.update(self._asked[key].to_bytes(8, "little"))
        return int.from_bytes(digest.digest()[:4], "little")


def _load_tokenizer(path: Path) -> Any:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise InstallError(
            "this backend needs the package transformers. Run: pip install 'hart-agent[transformers]'"
        ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ConfigError(f"the tokenizer of {path} can't be loaded ({error}). Get the model again.") from error
    aside = path / "chat_template.json"  # the processor's, which knows images where the tokenizer's may not
    if aside.is_file():
        tokenizer.chat_template = json.loads(aside.read_text(encoding="utf-8"))["chat_template"]
    if not tokenizer.chat_template:
        raise ConfigError(f"{path} has no chat template. Use an instruction-tuned (chat) model.")
    return tokenizer


def _image_id(checkpoint: Checkpoint) -> int:
    image_id = checkpoint.config.get("image_token_id")
    if not isinstance(image_id, int):
        raise ConfigError(
            f"{checkpoint.path} is no vision-language model that transformers supports natively: its configuration "
            "names no image_token_id. Use Qwen2.5-VL, Qwen3-VL or InternVL3 (for InternVL3, the -hf checkpoints)."
        )
    return image_id


def _end_ids(path: Path, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a reply: the checkpoint's own list, and the tokenizer's end token."""
    settings = path / "generation_config.json"
    listed = json.loads(settings.read_text(encoding="utf-8")).get("eos_token_id") if settings.is_file() else None
    ends = listed if isinstance(listed, list) else [listed]
    return frozenset(end for end in (*ends, tokenizer.eos_token_id) if end is not None)
