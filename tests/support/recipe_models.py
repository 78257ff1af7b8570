"""The models of the recipes in their published shapes, and the recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

QWEN25_7B: dict[str, Any] = {
    "vision_config": {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584,
        "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2,
    },
    "text_config": {
        "vocab_size": 152064, "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4,
    },
    "tie_word_embeddings": False,
}  # fmt: skip
QWEN3_8B = {
    "vision_config": {
        "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "out_hidden_size": 4096,
        "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [8, 16, 24],
    },
    "text_config": {
        "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36,
        "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    },
    "tie_word_embeddings": False,
}  # fmt: skip


QWEN25_32B = {
    "vision_config": {**QWEN25_7B["vision_config"], "intermediate_size": 3456, "out_hidden_size": 5120},
    "text_config": {
        "vocab_size": 152064, "hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 64,
        "num_attention_heads": 40, "num_key_value_heads": 8,
    },
    "tie_word_embeddings": False,
}  # fmt: skip
INTERNVL3_8B = {
    "vision_config": {
        "model_type": "internvl_vision", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
        "num_attention_heads": 16, "image_size": [448, 448], "patch_size": [14, 14],
        "attention_bias": True,
    },
    "text_config": {
        "model_type": "qwen2", "vocab_size": 151674, "hidden_size": 3584, "intermediate_size": 18944,
        "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "tie_word_embeddings": False,
    },
    "downsample_ratio": 0.5, "tie_word_embeddings": False,
}  # fmt: skip
BASES = {
    "Qwen/Qwen2.5-VL-7B-Instruct": ("qwen2_5_vl", QWEN25_7B, 8_292_166_656),
    "Qwen/Qwen3-VL-8B-Instruct": ("qwen3_vl", QWEN3_8B, 8_767_123_696),
    "Qwen/Qwen2.5-VL-32B-Instruct": ("qwen2_5_vl", QWEN25_32B, 33_452_718_336),
    "OpenGVLab/InternVL3-8B-hf": ("internvl", INTERNVL3_8B, 7_944_373_760),
}
"""The models of the recipes, with as many parameters as their published weights have."""
RECIPES = sorted((Path(__file__).parents[2] / "examples" / "recipes").glob("*.yaml"))
