"""The miniature's model: a Qwen3-VL of transformers with 0.4 million parameters, as a folder that loads anywhere."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from hart_agent.backends.families import detect_profile
from hart_agent.dialogue.policy import Reply
from hart_agent.vision.budget import CoordinateProfile

from .tokenizer import END, IMAGE, MAX_PIXELS, PAD, make_tokenizer

PATCH, MERGE = 4, 2
"""A token of the model is PATCH x MERGE = 8 pixels wide and high: the policy's grid."""
_HIDDEN = 96
_SPREAD, _POSITIONS = 0.03, 0.3
"""Of the random weights, the standard deviation; of the patches' positions, the height of their waves."""
_TEXT = {
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_size": _HIDDEN,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 24,
    "max_position_embeddings": 4096,
    "initializer_range": _SPREAD,
    "tie_word_embeddings": True,
    "rope_parameters": {
        "rope_type": "default", "mrope_section": [4, 4, 4], "mrope_interleaved": True, "rope_theta": 10000.0
    },
}  # fmt: skip
VISION = {
    "depth": 2,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_heads": 2,
    "out_hidden_size": _HIDDEN,
    "patch_size": PATCH,
    "spatial_merge_size": MERGE,
    "temporal_patch_size": 2,
    "num_position_embeddings": 64,
    "initializer_range": _SPREAD,
    "deepstack_visual_indexes": [0],
}
_PROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "patch_size": PATCH,
    "merge_size": MERGE,
    "temporal_patch_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": {"shortest_edge": (2 * PATCH * MERGE) ** 2, "longest_edge": MAX_PIXELS},
}


def make_checkpoint(folder: Path, seed: int) -> Path:
    """Write a model with random weights, but for the positions of its patches.

    Args:
        folder: made if it isn't there.
        seed: of the weights.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vision = {"model_type": "qwen3_vl", "vision_config": VISION}
    tokenizer = make_tokenizer(Onlooker(detect_profile(None, vision, max_pixels=MAX_PIXELS)))
    torch.manual_seed(seed)
    model = Qwen3VLForConditionalGeneration(_config(tokenizer))
    _place(model.model.visual.pos_embed.weight)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_PROCESSOR, indent=2) + "\n", encoding="utf-8")
    return folder


class Onlooker:
    """A policy that sees and points as the model will, before there is one; it has nothing to say."""

    name = "miniature"

    def __init__(self, profile: CoordinateProfile) -> None:
        self.profile = profile

    async def reply(self, messages: Any, tools: Any) -> Reply:
        raise NotImplementedError


def _config(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    ids = tokenizer.convert_tokens_to_ids
    text = {
        **_TEXT,
        "vocab_size": len(tokenizer),
        "bos_token_id": ids(PAD),
        "eos_token_id": ids(END),
        "pad_token_id": ids(PAD),
    }
    return Qwen3VLConfig(
        text_config=text,
        vision_config=VISION,
        tie_word_embeddings=True,
        image_token_id=ids(IMAGE),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )


def _place(positions: torch.Tensor) -> None:
    """Let the patches know at once where they are: waves along both axes, as in "Attention is all you need".

    With random positions the model needs hundreds of steps before it heeds the image at all.

    Args:
        positions: the embeddings of a square of patches, row by row, shape (side * side, width); overwritten.
    """
    side = math.isqrt(len(positions))
    waves = math.pi * torch.tensor([0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
    angles = (torch.arange(side) + 0.5)[:, None] / side * waves  # (side, 6)
    along = torch.cat([angles.sin(), angles.cos()], dim=-1)  # (side, 12)
    rows, columns = along[:, None].expand(-1, side, -1), along[None].expand(side, -1, -1)
    known = torch.cat([rows, columns], dim=-1).flatten(0, 1) * _POSITIONS  # (side * side, 24)
    with torch.no_grad():
        positions.zero_()[:, : known.shape[1]] = known
