"""Tiny vision-language models with random weights, as folders that transformers and vLLM load. Made offline.

Also a program: `python tests/support/tiny_vlm.py qwen2.5-vl FOLDER` writes one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from hart_agent.siblings import sibling
from hart_agent.tooling.discovery import discover_tools

END, PAD, IMAGE = "<|im_end|>", "<|endoftext|>", "<|image_pad|>"
SPECIAL = [PAD, "<|im_start|>", END, "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", IMAGE, "<|video_pad|>"]
_INTERNVL = ["<img>", "</img>", "<IMG_CONTEXT>"]

_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{% if part.type == 'image' %}@IMAGE@{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

_TEXT = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,  # of 64 dimensions each: vLLM's CPU build takes no smaller ones
    "num_key_value_heads": 1,
    "head_dim": 64,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}

_QWEN_VISION = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 2,
    "out_hidden_size": 128,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}


def make_tiny_vlm(folder: Path, family: str = "qwen2.5-vl", *, seed: int = 0, tokens: Sequence[str] = ()) -> Path:
    """Write a checkpoint.

    Args:
        folder: made if it isn't there.
        family: "qwen2.5-vl", "qwen3-vl" or "internvl3".
        seed: of the weights.
        tokens: further ones. They are not special, as the tags of thoughts are not in tokenizers of models that think.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    template = "<IMG_CONTEXT>\n" if family == "internvl3" else f"<|vision_start|>{IMAGE}<|vision_end|>"
    tokenizer = _tokenizer(_TEMPLATE.replace("@IMAGE@", template))
    tokenizer.add_tokens(list(tokens))
    torch.manual_seed(seed)
    model, processor = _FAMILIES[family](tokenizer)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=[tokenizer.eos_token_id, tokenizer.pad_token_id],
        pad_token_id=tokenizer.pad_token_id,
        repetition_penalty=1.05,  # as in Qwen2.5-VL's: to be ignored
    )
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def _tokenizer(template: str) -> Any:
    """Byte-level BPE, trained on what the prompts say."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [*SPECIAL, *_INTERNVL]
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    prompts = Path(sibling("prompts").__file__).parent
    corpus = [path.read_text(encoding="utf-8") for path in sorted(prompts.glob("*.md"))]
    corpus += [json.dumps({"description": tool.description, **tool.parameters}) for tool in discover_tools()]
    tokenizer.train_from_iterator(corpus, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[token for token in special if token not in (END, PAD)],
        chat_template=template,
    )


def _common(tokenizer: Any) -> tuple[dict[str, Any], dict[str, int]]:
    """Settings of the language part, and the ids that tie it to the vision part."""
    ids = tokenizer.convert_tokens_to_ids
    text = {
        **_TEXT,
        "vocab_size": -(-len(tokenizer) // 64) * 64,
        "bos_token_id": ids(PAD), "eos_token_id": ids(END), "pad_token_id": ids(PAD),
    }  # fmt: skip
    return text, {
        "image_token_id": ids(IMAGE), "video_token_id": ids("<|video_pad|>"),
        "vision_start_token_id": ids("<|vision_start|>"), "vision_end_token_id": ids("<|vision_end|>"),
    }  # fmt: skip


def _qwen25(tokenizer: Any) -> tuple[Any, dict[str, Any]]:
    return _qwen("Qwen2_5_VL", tokenizer, {"patch_size": 14, "window_size": 112, "fullatt_block_indexes": [1]}, {})


def _qwen3(tokenizer: Any) -> tuple[Any, dict[str, Any]]:
    vision = {"patch_size": 16, "num_position_embeddings": 256, "deepstack_visual_indexes": [0]}
    text = {"architectures": ["Qwen3ForCausalLM"]}  # vLLM 0.29's CPU build doesn't start without
    return _qwen("Qwen3VL", tokenizer, vision, text, mrope_interleaved=True)


def _qwen(
    name: str, tokenizer: Any, vision: dict[str, Any], text: dict[str, Any], **rope: Any
) -> tuple[Any, dict[str, Any]]:
    common, ids = _common(tokenizer)
    rope = {"rope_type": "default", "mrope_section": [8, 12, 12], "rope_theta": 10000.0, **rope}
    config = getattr(transformers, f"{name}Config")(
        text_config={**common, **text, "rope_parameters": rope}, vision_config={**_QWEN_VISION, **vision},
        tie_word_embeddings=False, **ids,
    )  # fmt: skip
    return getattr(transformers, f"{name}ForConditionalGeneration")(config), _qwen_processor(vision["patch_size"])


def _internvl(tokenizer: Any) -> tuple[Any, dict[str, Any]]:
    text, _ = _common(tokenizer)
    vision = {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": [56, 56], "patch_size": [14, 14],
    }  # fmt: skip
    config = transformers.InternVLConfig(
        text_config={"model_type": "qwen2", **text}, vision_config=vision, tie_word_embeddings=False,
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"), image_seq_length=4, downsample_ratio=0.5,
    )  # fmt: skip
    processor = {
        "image_processor_type": "GotOcr2ImageProcessor", "size": {"height": 56, "width": 56}, "max_patches": 12,
    }  # fmt: skip
    return transformers.InternVLForConditionalGeneration(config), processor


def _qwen_processor(patch: int) -> dict[str, Any]:
    return {
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": patch, "merge_size": 2,
        "temporal_patch_size": 2, "size": {"shortest_edge": 56 * 56, "longest_edge": 50_000},  # to be ignored
    }  # fmt: skip


_FAMILIES: dict[str, Callable[[Any], tuple[Any, dict[str, Any]]]] = {
    "qwen2.5-vl": _qwen25, "qwen3-vl": _qwen3, "internvl3": _internvl
}  # fmt: skip


if __name__ == "__main__":
    make_tiny_vlm(Path(sys.argv[2]), sys.argv[1])
