"""From prompts to a model's inputs: token ids and pixels. Importing this loads torch.

No view is resized here: it comes on the model's own grid, and its tokens are counted against its size. Only families
that cut views into tiles (InternVL) resize, to whole tiles; their boxes are 0-1000, which doesn't mind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import AutoImageProcessor

from hart_agent.backends.local.checkpoint import Checkpoint
from hart_agent.backends.local.prompting import Prompt, Prompter
from hart_agent.errors import ConfigError, PolicyError
from hart_agent.vision.source import View

_TILE_START, _TILE_END = "<img>", "</img>"
"""What InternVL puts around the tokens of a view."""


class Encoder:
    """Makes the inputs of one model. It needs no torchvision, for it doesn't use the part that reads videos.

    Args:
        checkpoint: the model.
        prompter: knows its tokens and its family.

    Raises:
        ConfigError: the model is of another family than it was taken for.
    """

    def __init__(self, checkpoint: Checkpoint, prompter: Prompter) -> None:
        self._processor = AutoImageProcessor.from_pretrained(checkpoint.path, backend="pil")
        self._tile_tokens = checkpoint.config.get("image_seq_length", 0)
        self._tile_ends = prompter.tokenizer.convert_tokens_to_ids([_TILE_START, _TILE_END])
        self._tiled = prompter.family.tokens_per_view is not None
        self._prompter = prompter
        self._grid = 0 if self._tiled else self._processor.patch_size * self._processor.merge_size
        if not self._tiled and self._grid != prompter.family.grid:
            raise ConfigError(
                f"{checkpoint.path} was taken for a model of the family {prompter.family.name}, with a grid of "
                f"{prompter.family.grid} pixels, but its own has {self._grid}. Use Qwen2.5-VL, Qwen3-VL or InternVL3."
            )

    def encode(self, prompts: Sequence[Prompt], dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """The inputs for a batch: token ids, padded on the left, shape (B, T), and the pixels of all views.

        Args:
            prompts: the batch.
            dtype: of the pixels.

        Raises:
            PolicyError: a view doesn't have the number of tokens that its size says.
        """
        views = [view for prompt in prompts for view in prompt.views]
        features = self._features(views) if views else {}
        placeholders = iter(self._placeholders(views, features) if views else ())
        rows = [self._expanded(prompt.token_ids, placeholders) for prompt in prompts]
        lengths = torch.tensor([len(row) for row in rows])
        longest = int(lengths.max())
        padding = min(self._prompter.end_ids)
        input_ids = torch.tensor([[padding] * (longest - len(row)) + row for row in rows])  # (B, T)
        mask = torch.arange(longest) >= longest - lengths[:, None]  # (B, T)
        inputs = {"input_ids": input_ids, "attention_mask": mask.long()}
        if views:
            inputs["pixel_values"] = features["pixel_values"].to(dtype)
        if views and not self._tiled:
            inputs["image_grid_thw"] = features["image_grid_thw"]  # (views, 3)
            inputs["mm_token_type_ids"] = (input_ids == self._prompter.image_id).long()  # (B, T)
        return inputs

    def _features(self, views: Sequence[View]) -> Any:
        if not self._tiled:
            self._check_grid(views)
        options = {"crop_to_patches": True} if self._tiled else {"do_resize": False}
        return self._processor(images=[view.image for view in views], return_tensors="pt", **options)

    def _check_grid(self, views: Sequence[View]) -> None:
        for view in views:
            size = view.frame.size
            if size.width % self._grid or size.height % self._grid:
                raise PolicyError(
                    f"{view.id}, which the tool {view.kind!r} made, has {size} pixels, but the model takes only sides "
                    f"that {self._grid} divides. Make views with ToolContext.render, or as policy.profile.budget says."
                )

    def _placeholders(self, views: Sequence[View], features: Any) -> list[list[int]]:
        """The image tokens of each view: one for each cell of the model's grid, or tile by tile between two others."""
        image_id = self._prompter.image_id
        if self._tiled:
            start, end = self._tile_ends
            return [[start, *[image_id] * (self._tile_tokens * int(tiles)), end] for tiles in features["num_patches"]]
        counts = (features["image_grid_thw"].prod(-1) // self._processor.merge_size**2).tolist()
        self._prompter.check_counts(views, sum(counts))
        return [[image_id] * count for count in counts]

    def _expanded(self, token_ids: Sequence[int], placeholders: Iterator[list[int]]) -> list[int]:
        """A prompt's tokens, with the next ones in the place of each view's one."""
        image_id = self._prompter.image_id
        return [token for each in token_ids for token in (next(placeholders) if each == image_id else (each,))]
