"""Qwen2.5-VL in its published shapes, from the numbers of https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers

SHAPES: dict[str, dict[str, Any]] = {
    "3b": {
        "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
        "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True,
    },
    "7b": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False,
    },
    "small": {
        "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "vocab_size": 2048, "tie_word_embeddings": False,
    },
}  # fmt: skip
"""Of the language models, by name; "small" is for rehearsals."""

_VISION = {
    "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14, "window_size": 112,
    "spatial_merge_size": 2, "temporal_patch_size": 2, "fullatt_block_indexes": [7, 15, 23, 31],
}  # fmt: skip
_SMALL_VISION = {"depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 2, "fullatt_block_indexes": [1]}


def true_config(name: str, like: Path) -> Any:
    """The configuration of a model of that shape, with the token ids of a folder's model."""
    own = transformers.AutoConfig.from_pretrained(like)
    shape = SHAPES[name]
    ids = {each: getattr(own, each) for each in ("image_token_id", "video_token_id", "vision_start_token_id")}
    rope = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    text = {**shape, "max_position_embeddings": 128_000, "rms_norm_eps": 1e-6, "rope_parameters": rope}
    vision = {**_VISION, **(_SMALL_VISION if name == "small" else {}), "out_hidden_size": shape["hidden_size"]}
    tied = shape["tie_word_embeddings"]
    return transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=tied, **ids)
