"""A vision tower that is not trained: each image goes through it once, for rollouts, policy and reference alike.

Importing this loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.utils import ModelOutput

from hart_agent.backends.local.checkpoint import Checkpoint
from hart_agent.backends.local.encoding import Encoder
from hart_agent.backends.local.prompting import Prompter
from hart_agent.vision.source import View


class FeatureEncoder(Encoder):
    """Makes a model's inputs with the features of images in the place of their pixels, and has the model take them.

    Args:
        checkpoint: the model.
        prompter: of the model.
        model: of transformers, without adapters in its vision tower; from now on it takes only features.
    """

    def __init__(self, checkpoint: Checkpoint, prompter: Prompter, model: Any) -> None:
        super().__init__(checkpoint, prompter)
        self._look = model.model.get_image_features
        self._model = model
        self._known: dict[str, tuple[torch.Tensor, Any]] = {}
        """The features of each image, and what else the processor says of it, by its hash."""
        model.model.get_image_features = self._given
        deep = getattr(model.config.vision_config, "deepstack_visual_indexes", None) or ()
        self._parts = 1 + len(deep)

    def forget(self) -> None:
        """Forget the images of an earlier step."""
        self._known.clear()

    def _features(self, views: Sequence[View]) -> Any:
        for view in views:
            if view.sha256 not in self._known:
                self._known[view.sha256] = self._seen(view)
        found = [self._known[view.sha256] for view in views]
        joined = {"pixel_values": torch.cat([features for features, _ in found])}
        return joined | {name: torch.cat([about[name] for _, about in found]) for name in found[0][1]}

    def _seen(self, view: View) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        given = super()._features([view])
        about = {name: torch.as_tensor(value) for name, value in given.items() if name != "pixel_values"}
        grid = {name: value.to(self._model.device) for name, value in about.items() if name == "image_grid_thw"}
        pixels = given["pixel_values"].to(self._model.device, self._model.dtype)
        with torch.no_grad():
            output = self._look(pixels, **grid, return_dict=True)
        parts = [output.pooler_output, *(getattr(output, "deepstack_features", None) or ())]
        return torch.cat([part if torch.is_tensor(part) else torch.cat(part) for part in parts], dim=-1), about

    def _given(self, pixel_values: torch.Tensor, image_grid_thw: torch.Tensor | None = None, **_: Any) -> Any:
        """In the place of the model's `get_image_features`: what it returned, put together for all images."""
        parts: list[Any] = list(pixel_values.chunk(self._parts, dim=-1))
        if image_grid_thw is not None:
            parts = [(part,) for part in parts]
        return _Features(pooler_output=parts[0], deepstack_features=parts[1:])


@dataclass
class _Features(ModelOutput):  # type: ignore[misc]
    """What a model's `get_image_features` returns, as far as the model uses it."""

    pooler_output: Any = None
    deepstack_features: Any = None
