"""A tiny Qwen2.5-VL checkpoint written as llama.cpp reads it: one file for the language, one for the eyes.

What the fields and tensors are called: llama.cpp, gguf-py/gguf/constants.py and tools/mtmd/clip-impl.h.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

_MEAN, _STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
"""Of Qwen2-VL's image processor, by channel."""


def write_gguf(checkpoint: Path, folder: Path) -> None:
    """Write `model.gguf` and `mmproj.gguf` in float32.

    Args:
        checkpoint: made by `tiny_vlm.make_tiny_vlm` of the family Qwen2.5-VL, and perhaps trained.
        folder: that is there.
    """
    weights, config = load_file(checkpoint / "model.safetensors"), json.loads((checkpoint / "config.json").read_text())
    seen = {name: weights.pop(name) for name in list(weights) if name.startswith("visual.")}
    language = gguf.GGUFWriter(folder / "model.gguf", "qwen2vl")
    _describe_language(language, config["text_config"])
    _describe_tokens(language, checkpoint, config["text_config"]["vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2VL, config["text_config"]["num_hidden_layers"])
    for name, value in weights.items():
        language.add_tensor(names.get_name(name, try_suffixes=(".weight", ".bias")), value)
    _finish(language)
    eyes = gguf.GGUFWriter(folder / "mmproj.gguf", "clip")
    _describe_eyes(eyes, config["vision_config"], config["text_config"]["hidden_size"])
    for name, value in _eyes(seen, config["vision_config"]["depth"]).items():
        eyes.add_tensor(name, np.ascontiguousarray(value))
    _finish(eyes)


def _describe_language(writer: gguf.GGUFWriter, config: Mapping[str, Any]) -> None:
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_sections([*config["rope_parameters"]["mrope_section"], 0])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _describe_tokens(writer: gguf.GGUFWriter, checkpoint: Path, count: int) -> None:
    written = json.loads((checkpoint / "tokenizer.json").read_text())
    settings = json.loads((checkpoint / "tokenizer_config.json").read_text())
    tokens, kinds = [f"[PAD{number}]" for number in range(count)], [gguf.TokenType.UNUSED] * count
    for token, number in written["model"]["vocab"].items():
        tokens[number], kinds[number] = token, gguf.TokenType.NORMAL
    for added in written["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], kinds[added["id"]] = added["content"], kind
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in written["model"]["merges"]])
    writer.add_eos_token_id(tokens.index(settings["eos_token"]))
    writer.add_pad_token_id(tokens.index(settings["pad_token"]))
    writer.add_add_bos_token(False)
    writer.add_chat_template((checkpoint / "chat_template.jinja").read_text())


def _describe_eyes(writer: gguf.GGUFWriter, config: Mapping[str, Any], projected: int) -> None:
    numbers = {
        "image_size": 40 * config["patch_size"], "patch_size": config["patch_size"],
        "embedding_length": config["hidden_size"], "feed_forward_length": config["intermediate_size"],
        "block_count": config["depth"], "attention.head_count": config["num_heads"], "projection_dim": projected,
        "n_wa_pattern": config["fullatt_block_indexes"][0] + 1, "window_size": config["window_size"],
        "spatial_merge_size": config["spatial_merge_size"],
    }  # fmt: skip
    for name, value in numbers.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", _MEAN)
    writer.add_array("clip.vision.image_std", _STD)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_silu", True)
    writer.add_string("clip.projector_type", "qwen2.5vl_merger")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _eyes(weights: Mapping[str, np.ndarray], depth: int) -> dict[str, np.ndarray]:
    """The tensors of the eyes: frames of the patches apart, and queries, keys and values apart."""
    patches = weights["visual.patch_embed.proj.weight"]
    found = {f"v.patch_embd.weight{end}": patches[:, :, frame] for frame, end in enumerate(("", ".1"))}
    found["v.post_ln.weight"] = weights["visual.merger.ln_q.weight"]
    for block in range(depth):
        theirs, ours = f"visual.blocks.{block}", f"v.blk.{block}"
        for number in (1, 2):
            found[f"{ours}.ln{number}.weight"] = weights[f"{theirs}.norm{number}.weight"]
        for end in ("weight", "bias"):
            parts = np.split(weights[f"{theirs}.attn.qkv.{end}"], 3)
            found |= {f"{ours}.attn_{part}.{end}": value for part, value in zip("qkv", parts, strict=True)}
            found[f"{ours}.attn_out.{end}"] = weights[f"{theirs}.attn.proj.{end}"]
            for part in ("gate", "up", "down"):
                found[f"{ours}.ffn_{part}.{end}"] = weights[f"{theirs}.mlp.{part}_proj.{end}"]
    for end in ("weight", "bias"):
        found |= {f"mm.{number}.{end}": weights[f"visual.merger.mlp.{number}.{end}"] for number in (0, 2)}
    return found


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
