"""From a conversation to the tokens that a local model is given, and from its tokens back to a reply.

Shared by the backends that run a model in this process, so that both show it the same.

Stopping: after an answer, an abstention, or where the model begins to invent a tool's result; not after a call, for a
turn may hold several, and not inside a thought.

A reply's text keeps its special tokens, some of which are the tags of thoughts; only the one that ends it is trimmed.
Where the prompt opens a thought, its tag is put in front of the text, so that whoever reads it sees the thought.
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

from hart_agent.backends.chat import DEFAULT_MAX_TOKENS, chat_messages
from hart_agent.backends.context import fit_context, limit_images
from hart_agent.backends.cut_off import MORE
from hart_agent.backends.local.checkpoint import Checkpoint
from hart_agent.backends.local.special_tokens import SpecialTokens
from hart_agent.backends.options import ModelOptions
from hart_agent.backends.spoken import spoken
from hart_agent.backends.thoughts import has_thought_tokens, opened_by, spoken_start
from hart_agent.commands import install_command
from hart_agent.dialogue.messages import Message, ToolSpec
from hart_agent.dialogue.policy import FinishReason, Reply
from hart_agent.dialogue.thoughts import split_thoughts
from hart_agent.errors import ConfigError, InstallError, PolicyError
from hart_agent.vision.source import View

_INVENTED_RESULT = "<tool_response>"


@dataclass(frozen=True)
class Prompt:
    """What a model is given.

    Attributes:
        token_ids: with one image token in the place of each view, which the model's processor multiplies.
        views: in order.
        max_tokens: of the reply.
        seed: of sampling, this reply's own.
        opened: how it begins the reply: the tag of a thought, for the model to continue; usually empty.
    """

    token_ids: tuple[int, ...]
    views: tuple[View, ...]
    max_tokens: int
    seed: int
    opened: str = ""


class Prompter:
    """Writes prompts for one model. Safe to share between threads.

    Args:
        checkpoint: the model.
        options: of `ModelOptions`; `max_tokens` defaults to `DEFAULT_MAX_TOKENS`, `max_context_tokens` to what the
            model was built for.

    Raises:
        ConfigError: an option is out of range, or the checkpoint is not of a vision-language chat model.
        InstallError: the package transformers is missing.
        TypeError: there is no such option.
    """

    def __init__(self, checkpoint: Checkpoint, **options: Any) -> None:
        settings = ModelOptions.from_keywords(**options)
        self.checkpoint = checkpoint
        described = str(checkpoint.path), checkpoint.config, checkpoint.processor
        spoken_by = spoken(settings, *described)
        self.vocabulary, self.family, self.profile = spoken_by.vocabulary, spoken_by.family, spoken_by.profile
        self.stop = self.vocabulary.stop
        self.temperature = settings.temperature or 0.0
        self.max_context_tokens: int | None = settings.max_context_tokens or checkpoint.setting(
            "max_position_embeddings"
        )
        self.max_tokens = settings.max_tokens or DEFAULT_MAX_TOKENS
        if self.max_context_tokens is not None:
            self.max_tokens = min(self.max_tokens, max(self.max_context_tokens // 4, 1))
        self.tokenizer = _load_tokenizer(checkpoint.path)
        self.end_ids = _end_ids(checkpoint.path, self.tokenizer)
        self._not_words = self.end_ids | {self.tokenizer.pad_token_id}
        self.image_id = _image_id(checkpoint)
        self.banned_ids = [self.image_id, *filter(None, [checkpoint.config.get("video_token_id")])]
        """Placeholders that a model must never say: in its next prompt they would stand for images that don't exist."""
        added = list(self.tokenizer.added_tokens_decoder.values())
        self._special = SpecialTokens(token.content for token in added if token.special)
        self._thinks = has_thought_tokens(token.content for token in added)
        self.max_images = settings.max_images
        self._seed = settings.seed
        self._asked: Counter[bytes] = Counter()
        self._lock = threading.Lock()

    def prompt(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> Prompt:
        """The prompt for a conversation, within the limits.

        The reply's seed comes from the policy's seed, the prompt itself, and how often this very prompt was asked
        before: it doesn't depend on the order in which different conversations are asked.

        Raises:
            PolicyError: not even the newest turn fits, or the chat template loses images.
        """
        recall = bool(tools) and self.vocabulary.own
        kept = limit_images(messages, self.max_images, self.profile.space, recall=recall)
        room = None if self.max_context_tokens is None else self.max_context_tokens - self.max_tokens
        kept = fit_context(kept, room, self.family.view_tokens)
        chat = self._special.disarm(chat_messages(kept, lambda view: view.id, native=False, vocabulary=self.vocabulary))
        views = tuple(view for message in kept for view in message.views)
        with self._lock:  # a tokenizer is not for several threads at once
            text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
            begun = self.vocabulary.prefill if tools else ""
            text += begun
            token_ids = tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
            if token_ids.count(self.image_id) != len(views):
                raise PolicyError(
                    f"the model's chat template shows {token_ids.count(self.image_id)} of {len(views)} images. Use a "
                    "checkpoint whose chat template takes images in the user's messages."
                )
            seed = self._reply_seed(token_ids, views)
            return Prompt(token_ids, views, self.max_tokens, seed, begun or opened_by(text))

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

    def words(self, token_ids: Sequence[int]) -> str:
        """The text of tokens, special ones included."""
        with self._lock:
            words: str = self.tokenizer.decode(token_ids, skip_special_tokens=False)
        return words

    def text(self, token_ids: Sequence[int], opened: str = "") -> str:
        """The words of a reply, up to the token that ends it or to where it invents a tool's result.

        Args:
            token_ids: of the reply.
            opened: the tag with which its prompt opened a thought, to be put in front.
        """
        end = len(token_ids)
        while end and token_ids[end - 1] in self._not_words:
            end -= 1
        words = opened + self.words(token_ids[:end])
        start = spoken_start(words)
        return words[:start] + words[start:].partition(_INVENTED_RESULT)[0]

    def finish_reason(self, token_ids: Sequence[int], opened: str = "") -> FinishReason:
        """Whether the model ended a reply, or a limit did; see `text`."""
        return FinishReason.STOP if self.ended(token_ids, opened) else FinishReason.LENGTH

    def room(self, reply: Reply) -> int:
        """How many tokens a reply to the same prompt may have at most."""
        if self.max_context_tokens is None:
            return MORE * self.max_tokens
        return self.max_context_tokens - reply.usage.input_tokens

    def stops(self, prompt: Prompt) -> tuple[str, ...]:
        """The stop strings for an engine that can't tell thoughts from answers: none, if the model surely thinks."""
        return () if prompt.opened or self._thinks else self.stop

    def thinking(self, token_ids: Sequence[int], opened: str = "") -> bool:
        """Whether these tokens of a reply end inside a thought; see `text`."""
        words = opened + self.words(token_ids)
        return spoken_start(words) == len(words) > 0

    def reply_ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a reply with this text, with the one that ends it."""
        with self._lock:
            return (*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id)

    def ended(self, token_ids: Sequence[int], opened: str = "") -> bool:
        """Whether generation stops after these tokens of a reply; see `text`."""
        if token_ids[-1] in self.end_ids:
            return True
        _, words = split_thoughts(opened + self.words(token_ids))
        return any(stop in words for stop in self.stop)

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
            f"this backend needs the package transformers. Run: {install_command(extra='transformers')}"
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
